//! The environment of a case: a store, the API to call it through, and a tenant of its own.

use std::sync::Arc;
use std::time::Duration;

use greentic_types::{EnvId, ReplyScope, SessionKey, TeamId, TenantCtx, TenantId, UserId};

use super::api::Api;
use super::ensure::{CaseResult, Failure, ensure_eq};
use super::store::Store;
use super::subject::Subject;
use super::test_user::TestUser;
use super::time::{LONG, TICK, soon};
use crate::admin::{ScanFilter, SessionInfo};
use crate::async_store::AsyncSessionStore;
use crate::claim::Turn;
use crate::due::DueOptions;
use crate::options::{FindByUser, StoreOptions};
use crate::timeout::{Timeout, TimeoutKind};

pub(super) struct TestEnv {
    pub store: Store,
    subject: Subject,
    api: Api,
    run: String,
}

impl TestEnv {
    pub fn new(subject: Subject, api: Api) -> Self {
        Self {
            store: Store::new(&subject, api),
            run: uuid::Uuid::new_v4().simple().to_string(),
            subject,
            api,
        }
    }

    /// Makes another store, empty, with these options.
    pub fn with_options(&self, options: StoreOptions) -> CaseResult<Self> {
        let make = self.subject.make.as_ref();
        let make = make.ok_or_else(|| Failure::new("the subject cannot make other stores"))?;
        let subject = make(options).find_by_user(options.find_by_user);
        Ok(Self::new(subject, self.api))
    }

    /// Makes another store, empty, in which the names of this case have the same meaning.
    pub fn elsewhere(&self, options: StoreOptions) -> CaseResult<Self> {
        Ok(Self {
            run: self.run.clone(),
            ..self.with_options(options)?
        })
    }

    /// Opens the store of this name; the name belongs to this case only.
    pub fn open(&self, name: &str) -> CaseResult<Self> {
        let open = self.subject.reopen.as_ref();
        let open = open.ok_or_else(|| Failure::new("the subject cannot be opened again"))?;
        Ok(Self {
            run: self.run.clone(),
            ..Self::new(open(&format!("{name}-{}", self.run)), self.api)
        })
    }

    /// The async API of the store, for a case that drops futures.
    pub fn async_store(&self) -> CaseResult<&Arc<dyn AsyncSessionStore>> {
        let full = self.subject.full.as_ref();
        full.ok_or_else(|| Failure::new("the subject has the nine methods only"))
    }

    /// Returns true if `find_by_user` returns sessions that were only created.
    pub fn sees_created(&self) -> bool {
        self.subject.find_by_user == FindByUser::WaitsAndCreated
    }

    /// A key that no other case uses.
    pub fn key(&self, name: &str) -> SessionKey {
        SessionKey::new(format!("{name}-{}", self.run))
    }

    /// A user of this case's tenant, without a team.
    pub fn user(&self, name: &str) -> TestUser<'_> {
        self.user_in("env-a", "tenant-a", None, name)
    }

    pub fn user_in(&self, env: &str, tenant: &str, team: Option<&str>, user: &str) -> TestUser<'_> {
        let user = UserId(user.to_owned());
        let ctx = self
            .ctx(env, tenant)
            .with_team(team.map(|team| TeamId(team.to_owned())));
        self.test_user(ctx.with_user(Some(user.clone())), user)
    }

    /// A user of another environment, as a caller of this one's store.
    pub fn same_user(&self, other: &TestUser<'_>) -> TestUser<'_> {
        self.test_user(other.ctx.clone(), other.user.clone())
    }

    const fn test_user(&self, ctx: TenantCtx, user: UserId) -> TestUser<'_> {
        TestUser {
            store: &self.store,
            time: &self.subject.time,
            sees: self.subject.find_by_user,
            ctx,
            user,
        }
    }

    /// A context without a team and a user.
    pub fn ctx(&self, env: &str, tenant: &str) -> TenantCtx {
        let tenant = TenantId(format!("{tenant}-{}", self.run));
        TenantCtx::new(EnvId(env.to_owned()), tenant)
    }

    /// See [`Time::advance`].
    pub fn advance(&self, step: Duration) -> CaseResult {
        self.subject.time.advance(step)
    }

    /// See [`Time::pass`].
    pub fn pass(&self, ttl: Duration, passed: impl FnMut() -> CaseResult<bool>) -> CaseResult {
        self.subject.time.pass(ttl, passed)
    }

    /// Makes another store, empty, so that no other case takes what is due there.
    pub fn alone(&self) -> CaseResult<Self> {
        self.with_options(StoreOptions::new())
    }

    /// Claims one turn that is due at once or after this time.
    pub fn due_after(&self, after: Duration, lease: Duration) -> CaseResult<Turn> {
        let options = DueOptions::new(lease).limit(1);
        let mut due = None;
        self.pass(after, || {
            due = self.store.claim_due(&options)?.turns.pop();
            Ok(due.is_some())
        })?;
        match due {
            Some(turn) => Ok(turn),
            None => self.due_now(lease),
        }
    }

    /// Claims the turn that a release in the background makes due.
    pub fn due_soon(&self, lease: Duration) -> CaseResult<Turn> {
        let (options, mut due) = (DueOptions::new(lease).limit(1), None);
        soon(|| {
            due = self.store.claim_due(&options)?.turns.pop();
            Ok(due.is_some())
        })?;
        due.ok_or_else(|| Failure::new("nothing is due"))
    }

    /// Claims one turn that is due now.
    fn due_now(&self, lease: Duration) -> CaseResult<Turn> {
        let due = self.store.claim_due(&DueOptions::new(lease).limit(1))?;
        let turn = due.turns.into_iter().next();
        turn.ok_or_else(|| Failure::new("nothing is due"))
    }

    /// Makes a wait due now, and claims its turn.
    pub fn fired(&self, key: &SessionKey, kind: TimeoutKind, lease: Duration) -> CaseResult<Turn> {
        self.fire(key, kind)?;
        let turn = self.due_after(TICK, lease)?;
        ensure_eq(turn.token.session_key(), key)?;
        Ok(turn)
    }

    /// Makes a wait due now.
    pub fn fire(&self, key: &SessionKey, kind: TimeoutKind) -> CaseResult {
        let timeout = match kind {
            TimeoutKind::Remind => Timeout::remind(Duration::ZERO),
            TimeoutKind::Close => Timeout::close(Duration::ZERO),
        };
        self.store.set_timeout(key, Some(timeout))?;
        Ok(())
    }

    /// Requires that no turn is due.
    #[track_caller]
    pub fn ensure_nothing_due(&self) -> CaseResult {
        let due = self.store.claim_due(&DueOptions::new(LONG))?;
        ensure_eq(due.turns, Vec::new())
    }

    /// Lets the deadline of a session pass.
    pub fn expire(&self, key: &SessionKey, ttl: Duration) -> CaseResult {
        self.pass(ttl, || Ok(self.store.get(key)?.is_none()))
    }

    /// Counts what the whole store holds.
    pub fn leftovers(&self) -> CaseResult<usize> {
        let count = self.subject.leftovers.as_ref();
        let count = count.ok_or_else(|| Failure::new("the store cannot count what it holds"))?;
        Ok(count())
    }

    /// Requires that the store holds nothing.
    pub fn ensure_nothing_left(&self) -> CaseResult {
        self.ensure_left(0)
    }

    /// Requires that [`TestEnv::leftovers`] counts this much.
    pub fn ensure_left(&self, expected: usize) -> CaseResult {
        let time = &self.subject.time;
        time.ensure_falls_to(expected, || self.leftovers())
    }

    /// Returns everything that a filter finds, read in pages of this size.
    pub fn scan_all(&self, filter: &ScanFilter, limit: usize) -> CaseResult<Vec<SessionInfo>> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.store.scan(filter, after.as_ref(), limit)?;
            found.extend(page.sessions);
            match page.next {
                // A printed cursor must parse.
                Some(next) => after = Some(next.to_string().parse()?),
                None => return Ok(found),
            }
        }
    }

    /// A filter for this case's tenant.
    pub fn tenant_filter(&self) -> ScanFilter {
        ScanFilter::new().tenant(self.ctx("env-a", "tenant-a").tenant)
    }

    /// So many different scopes.
    pub fn scopes(&self, count: usize) -> Vec<ReplyScope> {
        (0..count)
            .map(|number| super::samples::scope(&format!("chat-{number}")))
            .collect()
    }
}
