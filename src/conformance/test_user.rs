//! A user of a tenant, who calls the store.

use std::slice;
use std::time::Duration;

use greentic_types::{
    FlowId, ReplyScope, SessionCursor, SessionData, SessionKey, TenantCtx, UserId,
};

use super::ensure::{CaseResult, Failure, ensure_eq};
use super::store::Store;
use super::time::{LONG, Time, soon};
use crate::claim::{ClaimOutcome, Commit, Turn};
use crate::error::SessionResult;
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CreateOptions, FindByUser, ParkOptions, StartOptions};
use crate::session::{ClearOutcome, CreateOutcome, ParkOutcome, Session};

pub(super) struct TestUser<'s> {
    pub store: &'s Store,
    pub time: &'s Time,
    pub sees: FindByUser,
    pub ctx: TenantCtx,
    pub user: UserId,
}

/// Session data with this context and payload.
pub(super) fn data_of(ctx: &TenantCtx, payload: &str) -> SessionData {
    SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId("conformance.flow".to_owned()),
        pack_id: None,
        cursor: SessionCursor::new("node.wait"),
        context_json: payload.to_owned(),
    }
}

/// Returns the session that a turn resumes; requires that there is one.
#[track_caller]
pub(super) fn resumed(turn: &Turn) -> CaseResult<&Session> {
    let session = turn.session.as_deref();
    session.ok_or_else(|| Failure::new("the turn starts a flow"))
}

/// Returns the turn of a start; requires that it is one.
#[track_caller]
fn as_start(outcome: ClaimOutcome) -> CaseResult<Turn> {
    match outcome {
        ClaimOutcome::Claimed(turn) if turn.session.is_none() => Ok(turn),
        other => Err(Failure::new(format!("expected a start, found {other:?}"))),
    }
}

impl TestUser<'_> {
    pub fn data(&self, payload: &str) -> SessionData {
        data_of(&self.ctx, payload)
    }

    pub fn create(&self, payload: &str) -> SessionResult<SessionKey> {
        self.store.create(&self.ctx, self.data(payload))
    }

    pub fn register(&self, scope: &ReplyScope, key: &SessionKey) -> SessionResult<()> {
        self.register_ttl(scope, key, None)
    }

    pub fn register_for(
        &self,
        scope: &ReplyScope,
        key: &SessionKey,
        ttl: Duration,
    ) -> SessionResult<()> {
        self.register_ttl(scope, key, Some(ttl))
    }

    /// Registers data whose payload is the key, which shows later whose data it is.
    pub fn register_ttl(
        &self,
        scope: &ReplyScope,
        key: &SessionKey,
        ttl: Option<Duration>,
    ) -> SessionResult<()> {
        let data = self.data(key.as_str());
        let store = self.store;
        store.register(&self.ctx, &self.user, scope, key, data, ttl)
    }

    pub fn find(&self, scope: &ReplyScope) -> SessionResult<Option<SessionKey>> {
        self.store.find(&self.ctx, &self.user, scope)
    }

    pub fn list(&self) -> SessionResult<Vec<SessionKey>> {
        self.store.list(&self.ctx, &self.user)
    }

    pub fn clear(&self, scope: &ReplyScope) -> SessionResult<()> {
        self.store.clear(&self.ctx, &self.user, scope)
    }

    /// Returns the key that `find_by_user` finds.
    pub fn find_by_user(&self) -> SessionResult<Option<SessionKey>> {
        let found = self.store.find_by_user(&self.ctx, &self.user)?;
        Ok(found.map(|(key, _)| key))
    }

    pub fn create_with(&self, options: CreateOptions) -> SessionResult<CreateOutcome> {
        let store = self.store;
        store.create_with(&self.ctx, self.data("created"), options)
    }

    pub fn park(
        &self,
        scope: &ReplyScope,
        key: &SessionKey,
        options: ParkOptions,
    ) -> SessionResult<ParkOutcome> {
        let data = self.data(key.as_str());
        let store = self.store;
        store.park(&self.ctx, &self.user, scope, key, data, options)
    }

    pub fn clear_named(&self, scope: &ReplyScope) -> SessionResult<ClearOutcome> {
        self.store.clear_named(&self.ctx, &self.user, scope)
    }

    pub fn claim_for(
        &self,
        scope: &ReplyScope,
        message: &str,
        lease: Duration,
    ) -> SessionResult<ClaimOutcome> {
        self.claim_on(slice::from_ref(scope), &MessageId::new(message), lease)
    }

    /// Claims the first wait of these scopes.
    pub fn claim_on(
        &self,
        scopes: &[ReplyScope],
        message: &MessageId,
        lease: Duration,
    ) -> SessionResult<ClaimOutcome> {
        let (store, options) = (self.store, ClaimOptions::new(lease));
        store.claim(&self.ctx, &self.user, scopes, message, options)
    }

    pub fn claim(&self, scope: &ReplyScope, message: &str) -> SessionResult<ClaimOutcome> {
        self.claim_for(scope, message, LONG)
    }

    /// Claims; requires that the claim is granted.
    #[track_caller]
    pub fn claimed_for(
        &self,
        scope: &ReplyScope,
        message: &str,
        lease: Duration,
    ) -> CaseResult<Turn> {
        match self.claim_for(scope, message, lease)? {
            ClaimOutcome::Claimed(claim) => Ok(claim),
            other => Err(Failure::new(format!("expected a claim, found {other:?}"))),
        }
    }

    #[track_caller]
    pub fn claimed(&self, scope: &ReplyScope, message: &str) -> CaseResult<Turn> {
        self.claimed_for(scope, message, LONG)
    }

    /// Claims after the lease of another claim has ended; requires that the claim is granted.
    #[track_caller]
    pub fn claimed_after(
        &self,
        lease: Duration,
        scope: &ReplyScope,
        message: &str,
    ) -> CaseResult<Turn> {
        let mut last = None;
        self.time.pass(lease, || {
            let outcome = self.claim(scope, message)?;
            let busy = matches!(outcome, ClaimOutcome::Busy { .. });
            last = Some(outcome);
            Ok(!busy)
        })?;
        match last {
            None => self.claimed(scope, message),
            Some(ClaimOutcome::Claimed(claim)) => Ok(claim),
            Some(other) => Err(Failure::new(format!("expected a claim, found {other:?}"))),
        }
    }

    /// Claims after the turn before was given up; requires that the store releases it.
    pub fn next_outcome(&self, scope: &ReplyScope, message: &str) -> CaseResult<ClaimOutcome> {
        let mut last = ClaimOutcome::NoWait;
        soon(|| {
            last = self.claim(scope, message)?;
            Ok(!matches!(last, ClaimOutcome::Busy { .. }))
        })?;
        Ok(last)
    }

    /// Claims, and starts a flow on the last scope if nothing else takes the message.
    pub fn start_on(
        &self,
        scopes: &[ReplyScope],
        message: &str,
        lease: Duration,
        start: StartOptions,
    ) -> SessionResult<ClaimOutcome> {
        let (store, options) = (self.store, ClaimOptions::new(lease).start(start));
        let message = MessageId::new(message);
        store.claim(&self.ctx, &self.user, scopes, &message, options)
    }

    pub fn start(&self, scope: &ReplyScope, message: &str) -> SessionResult<ClaimOutcome> {
        self.start_on(slice::from_ref(scope), message, LONG, StartOptions::new())
    }

    /// Starts a flow with a session of this key; requires that the start is granted.
    #[track_caller]
    pub fn started_with(
        &self,
        scope: &ReplyScope,
        message: &str,
        lease: Duration,
        key: &SessionKey,
    ) -> CaseResult<Turn> {
        let start = StartOptions::new().key(key.clone());
        as_start(self.start_on(slice::from_ref(scope), message, lease, start)?)
    }

    /// Starts a flow; requires that the start is granted.
    #[track_caller]
    pub fn started(&self, scope: &ReplyScope, message: &str) -> CaseResult<Turn> {
        as_start(self.start(scope, message)?)
    }

    /// Lets the lease of a start pass.
    pub fn end_start(&self, lease: Duration, scope: &ReplyScope) -> CaseResult {
        self.time.pass(lease, || {
            Ok(self.claim(scope, "probe")? == ClaimOutcome::NoWait)
        })
    }

    /// Commits a claim: parks its session again, with this payload.
    pub fn commit_park(
        &self,
        claim: &Turn,
        scope: &ReplyScope,
        payload: &str,
    ) -> SessionResult<()> {
        let next = Commit::park(scope.clone(), self.data(payload));
        self.store.commit(&claim.token, next)
    }

    /// Returns a session; requires that it exists.
    #[track_caller]
    pub fn session(&self, key: &SessionKey) -> CaseResult<std::sync::Arc<Session>> {
        let found = self.store.session(key)?;
        found.ok_or_else(|| Failure::new(format!("the session {key} is gone")))
    }

    /// Requires that exactly these sessions wait, on these scopes, in this order (C10).
    #[track_caller]
    pub fn ensure_waits(&self, waits: &[(&ReplyScope, &SessionKey)]) -> CaseResult {
        for (scope, key) in waits {
            ensure_eq(self.find(scope)?.as_ref(), Some(*key))?;
        }
        let listed = self.list()?;
        let listed: Vec<&SessionKey> = listed.iter().collect();
        let expected: Vec<&SessionKey> = waits.iter().map(|(_, key)| *key).collect();
        ensure_eq(listed, expected)
    }

    /// Requires that the look-up by user finds this session, which was created last while none of
    /// the user's sessions waits (C6). A store that sees waits only finds none.
    #[track_caller]
    pub fn ensure_latest(&self, key: &SessionKey) -> CaseResult {
        let expected = Some(key).filter(|_| self.sees == FindByUser::WaitsAndCreated);
        ensure_eq(self.find_by_user()?.as_ref(), expected)
    }

    /// Requires that no session waits on the scope.
    #[track_caller]
    pub fn ensure_no_wait(&self, scope: &ReplyScope) -> CaseResult {
        ensure_eq(self.find(scope)?, None)
    }

    /// Requires that the session has this payload.
    #[track_caller]
    pub fn ensure_stored(&self, key: &SessionKey, payload: &str) -> CaseResult {
        let found = self.store.get(key)?;
        ensure_eq(
            found.map(|data| data.context_json).as_deref(),
            Some(payload),
        )
    }

    /// Requires that the session does not exist.
    #[track_caller]
    pub fn ensure_gone(&self, key: &SessionKey) -> CaseResult {
        ensure_eq(self.store.get(key)?, None)
    }
}
