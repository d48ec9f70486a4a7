//! Where a case plays: one store through one face, and a tenant that nobody else uses.

use std::time::{Duration, Instant};

use greentic_types::{EnvId, ReplyScope, SessionKey, TeamId, TenantCtx, TenantId, UserId};

use super::actor::Actor;
use super::case::Face;
use super::ensure::{Failure, Verdict};
use super::store::Store;
use super::subject::{Subject, Time};
use crate::admin::{ScanFilter, SessionInfo};
use crate::options::StoreOptions;

/// A deadline far enough that no run reaches it without moving a clock.
pub(super) const LONG: Duration = Duration::from_secs(3600);
/// A deadline that a run may wait for.
pub(super) const SHORT: Duration = Duration::from_millis(60);
/// The smallest step of a deadline.
pub(super) const TICK: Duration = Duration::from_millis(1);
// How long a store with its own clock may take beyond a deadline, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(20);

pub(super) struct Stage {
    pub store: Store,
    subject: Subject,
    face: Face,
    run: String,
}

impl Stage {
    pub fn new(subject: Subject, face: Face) -> Self {
        Self {
            store: Store::new(&subject, face),
            run: uuid::Uuid::new_v4().simple().to_string(),
            subject,
            face,
        }
    }

    /// Another store, empty, with these options.
    pub fn with_options(&self, options: StoreOptions) -> Verdict<Self> {
        let make = self.subject.make.as_ref();
        let make = make.ok_or_else(|| Failure::new("the subject makes no other stores"))?;
        Ok(Self::new(make(options), self.face))
    }

    /// Another store, empty, in which this case's names mean the same.
    pub fn elsewhere(&self, options: StoreOptions) -> Verdict<Self> {
        Ok(Self {
            run: self.run.clone(),
            ..self.with_options(options)?
        })
    }

    /// Opens the store of a name that belongs to this case.
    pub fn open(&self, name: &str) -> Verdict<Self> {
        let open = self.subject.reopen.as_ref();
        let open = open.ok_or_else(|| Failure::new("the subject cannot be opened again"))?;
        Ok(Self {
            run: self.run.clone(),
            ..Self::new(open(&format!("{name}-{}", self.run)), self.face)
        })
    }

    /// A key that no other case uses.
    pub fn key(&self, name: &str) -> SessionKey {
        SessionKey::new(format!("{name}-{}", self.run))
    }

    /// A user of this case's tenant, in no team.
    pub fn user(&self, name: &str) -> Actor<'_> {
        self.actor("env-a", "tenant-a", None, name)
    }

    pub fn actor(&self, env: &str, tenant: &str, team: Option<&str>, user: &str) -> Actor<'_> {
        let user = UserId(user.to_owned());
        let ctx = self
            .ctx(env, tenant)
            .with_team(team.map(|team| TeamId(team.to_owned())));
        Actor {
            stage: self,
            ctx: ctx.with_user(Some(user.clone())),
            user,
        }
    }

    /// A context without team and user.
    pub fn ctx(&self, env: &str, tenant: &str) -> TenantCtx {
        let tenant = TenantId(format!("{tenant}-{}", self.run));
        TenantCtx::new(EnvId(env.to_owned()), tenant)
    }

    /// Moves the clock of a subject that has one.
    pub fn advance(&self, step: Duration) -> Verdict {
        match &self.subject.time {
            Time::Manual(clock) => {
                clock.advance(step);
                Ok(())
            }
            Time::Real => Err(Failure::new("the subject's clock cannot be moved")),
        }
    }

    /// Lets `ttl` pass, and waits until `passed` holds where the store has a clock of its own.
    pub fn pass(&self, ttl: Duration, mut passed: impl FnMut() -> Verdict<bool>) -> Verdict {
        let Time::Real = &self.subject.time else {
            return self.advance(ttl);
        };
        std::thread::sleep(ttl);
        let started = Instant::now();
        while !passed()? {
            if started.elapsed() > PATIENCE {
                return Err(Failure::new(format!("not over {PATIENCE:?} after its end")));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Lets a session's deadline pass.
    pub fn expire(&self, key: &SessionKey, ttl: Duration) -> Verdict {
        self.pass(ttl, || Ok(self.store.get(key)?.is_none()))
    }

    /// What the whole store holds.
    pub fn leftovers(&self) -> Verdict<usize> {
        let count = self.subject.leftovers.as_ref();
        let count = count.ok_or_else(|| Failure::new("the store made to order has no count"))?;
        Ok(count())
    }

    /// The store must hold nothing; one with a clock of its own may take a moment.
    pub fn ensure_nothing_left(&self) -> Verdict {
        self.ensure_left(0)
    }

    /// The store must hold this much, as [`Stage::leftovers`] counts.
    pub fn ensure_left(&self, expected: usize) -> Verdict {
        let mut left = self.leftovers()?;
        if let Time::Real = &self.subject.time {
            let started = Instant::now();
            while left > expected && started.elapsed() < PATIENCE {
                std::thread::sleep(POLL);
                left = self.leftovers()?;
            }
        }
        super::ensure::ensure_eq(left, expected)
    }

    /// Everything that a filter finds, in pages of this size.
    pub fn scan_all(&self, filter: &ScanFilter, limit: usize) -> Verdict<Vec<SessionInfo>> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.scan(filter, after.as_ref(), limit)?;
            found.extend(page.sessions);
            match page.next {
                // A cursor must survive being printed.
                Some(next) => after = Some(next.to_string().parse()?),
                None => return Ok(found),
            }
        }
    }

    /// The filter of this case's tenant.
    pub fn tenant_filter(&self) -> ScanFilter {
        ScanFilter::new().tenant(self.ctx("env-a", "tenant-a").tenant)
    }

    /// Different scopes, for a case that needs many.
    pub fn scopes(&self, count: usize) -> Vec<ReplyScope> {
        (0..count)
            .map(|number| super::samples::scope(&format!("chat-{number}")))
            .collect()
    }
}
