//! A store on a faulty disk, and what can be read from it.

use std::sync::Arc;
use std::time::Duration;

use greentic_session_testkit::FaultyDisk;
use greentic_types::{
    EnvId, FlowId, ReplyScope, SessionCursor, SessionData, SessionKey, TenantCtx, TenantId, UserId,
};

use crate::backend::durable::config::DurableConfig;
use crate::backend::durable::file::open_on;
use crate::backend::durable::store::DurableSessionStore;
use crate::blocking::Blocking;
use crate::claim::{ClaimOutcome, ClaimToken, Commit};
use crate::clock::ManualClock;
use crate::error::SessionResult;
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CommitOptions, ParkOptions};

const KEYS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const SCOPES: [&str; 4] = ["s-1", "s-2", "s-3", "s-4"];
const MESSAGES: [&str; 3] = ["m-1", "m-2", "m-3"];
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// So little room in the journal that the steps of a test make more, and empty it.
const SECTORS: u64 = 4096;
pub(super) const NAME: &str = "faulty.redb";

/// An open store, its clock, and the claims that were won on it.
pub(super) struct Run {
    pub store: Arc<DurableSessionStore>,
    pub api: Blocking<DurableSessionStore>,
    pub clock: Arc<ManualClock>,
    pub token: Option<ClaimToken>,
}

pub(super) fn user() -> UserId {
    UserId::try_from("u").unwrap()
}

pub(in super::super) fn ctx() -> TenantCtx {
    let env = EnvId::try_from("dev").unwrap();
    TenantCtx::new(env, TenantId::try_from("acme").unwrap()).with_user(Some(user()))
}

pub(super) fn scope(name: &str) -> ReplyScope {
    ReplyScope {
        conversation: name.to_owned(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

pub(in super::super) fn data(context: &str) -> SessionData {
    SessionData {
        tenant_ctx: ctx(),
        flow_id: FlowId::try_from("flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node"),
        context_json: context.to_owned(),
    }
}

pub(super) fn key(name: &str) -> SessionKey {
    SessionKey::new(name)
}

impl Run {
    /// No page is cached, so that every read goes to the disk.
    pub fn open(disk: &FaultyDisk, clock: &Arc<ManualClock>) -> SessionResult<Self> {
        Self::open_with(DurableConfig::new(NAME).cache_bytes(0), disk, clock)
    }

    pub fn open_with(
        config: DurableConfig,
        disk: &FaultyDisk,
        clock: &Arc<ManualClock>,
    ) -> SessionResult<Self> {
        let mut opened = open_on(disk.clone(), disk.beside(), &config)?;
        opened.journal = opened.journal.small(SECTORS, 4 * SECTORS);
        let store = DurableSessionStore::start(config, opened, Arc::clone(clock))?;
        Ok(Self::of(Arc::new(store), Arc::clone(clock)))
    }

    pub fn of(store: Arc<DurableSessionStore>, clock: Arc<ManualClock>) -> Self {
        Self {
            api: Blocking::from(Arc::clone(&store)),
            store,
            clock,
            token: None,
        }
    }

    pub fn close(self) -> SessionResult<()> {
        drop(self.api);
        let store = Arc::into_inner(self.store).expect("the only reference");
        store.close()
    }

    pub fn park(
        &self,
        name: &str,
        on: &str,
        context: &str,
        ttl: Option<Duration>,
    ) -> SessionResult<()> {
        let mut options = ParkOptions::new();
        options.ttl = ttl.into();
        let data = data(context);
        self.api
            .park(&ctx(), &user(), &scope(on), &key(name), data, options)
            .map(|_outcome| ())
    }

    pub fn claim(&mut self, on: &str, message: &str) -> SessionResult<ClaimOutcome> {
        let outcome = self.api.claim(
            &ctx(),
            &user(),
            &[scope(on)],
            &MessageId::new(message),
            ClaimOptions::new(MINUTE),
        )?;
        if let ClaimOutcome::Claimed(claim) = &outcome {
            self.token = Some(claim.token.clone());
        }
        Ok(outcome)
    }

    pub fn commit(&self, commit: Commit) -> SessionResult<()> {
        let (token, options) = (self.token.as_ref().unwrap(), CommitOptions::new());
        self.api.commit(token, commit, options).map(|_committed| ())
    }

    /// What readers see.
    pub fn visible(&self) -> SessionResult<Vec<String>> {
        let mut visible = Vec::new();
        for name in KEYS {
            let session = self.api.get(&key(name))?;
            let session = session.map(|found| {
                let context = &found.data.context_json;
                let start = context.get(..6).unwrap_or_default().to_owned();
                (start, context.len(), found.revision, found.deadline)
            });
            visible.push(format!("{name}: {session:?}"));
        }
        for name in SCOPES {
            let found = self.api.find(&ctx(), &user(), &scope(name))?;
            visible.push(format!("{name}: {found:?}"));
        }
        visible.push(format!("{:?}", self.api.waits(&ctx(), &user())?));
        Ok(visible)
    }
}

/// Everything that can be read from a disk: what readers see, who holds claims, what is remembered.
pub(super) fn found_on(disk: &FaultyDisk, clock: &Arc<ManualClock>) -> Vec<String> {
    let mut run = Run::open(disk, clock).unwrap();
    assert_eq!(run.store.inconsistencies().unwrap(), []);
    let mut found = run.visible().unwrap();
    run.store.sweep().unwrap();
    found.push(format!("{:?}", run.store.held().unwrap()));
    for message in MESSAGES {
        let outcome = run.claim("nowhere", message).unwrap();
        found.push(format!("{message}: {outcome:?}"));
    }
    for name in SCOPES {
        let outcome = run.claim(name, "m-4").unwrap();
        found.push(format!("{name}: {outcome:?}"));
    }
    found
}

/// A disk with an empty, closed store.
pub(super) fn fresh() -> FaultyDisk {
    let disk = FaultyDisk::new();
    let clock = Arc::new(ManualClock::default());
    Run::open(&disk, &clock).unwrap().close().unwrap();
    disk
}
