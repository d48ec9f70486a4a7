//! A decorator of the memory store that counts calls, and fails on request.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use greentic_session::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ImportMode, ImportOutcome, OwnerSelection,
    RevokeOutcome, ScanCursor, ScanFilter, ScanPage, VerifyMode, VerifyPage,
};
use greentic_session::clock::{ManualClock, Timestamp};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    AsyncSessionStore, ClaimOptions, ClaimOutcome, ClaimToken, ClearOutcome, Commit, CommitOptions,
    Committed, CreateOptions, CreateOutcome, DeliverOptions, DeliverOutcome, DueOptions, DuePage,
    ErrorCode, GreenticError, Health, InboxOptions, Message, MessageId, MessageInfo, ParkOptions,
    ParkOutcome, RemoveOptions, ReplyScope, Session, SessionData, SessionKey, SessionResult,
    StoreOptions, Timeout, Ttl, UpdateOptions,
};
use greentic_types::{TenantCtx, UserId};

#[derive(Default)]
pub struct Observed {
    inner: InMemorySessionStore,
    renewals: AtomicUsize,
    claims: AtomicUsize,
    commits: AtomicUsize,
    polls: AtomicUsize,
    /// Renewals fail.
    pub unreachable: AtomicBool,
    /// How the next commits fail.
    pub commit_faults: Mutex<VecDeque<CommitFault>>,
}

/// A commit whose answer is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitFault {
    /// The commit was done, and its answer was lost.
    AnswerLost,
    /// The store was not reached.
    NotDone,
}

impl Observed {
    pub fn with_clock(clock: &Arc<ManualClock>) -> Self {
        Self {
            inner: InMemorySessionStore::with_clock(StoreOptions::new(), Arc::clone(clock)),
            ..Self::default()
        }
    }

    /// A store with queues.
    pub fn with_queues(clock: &Arc<ManualClock>) -> Self {
        let options = StoreOptions::new().inbox(InboxOptions::new());
        Self {
            inner: InMemorySessionStore::with_clock(options, Arc::clone(clock)),
            ..Self::default()
        }
    }

    pub fn renewals(&self) -> usize {
        self.renewals.load(Ordering::SeqCst)
    }

    pub fn claims(&self) -> usize {
        self.claims.load(Ordering::SeqCst)
    }

    pub fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }

    pub fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl AsyncSessionStore for Observed {
    async fn renew(&self, token: &ClaimToken, lease: Duration) -> SessionResult<Timestamp> {
        self.renewals.fetch_add(1, Ordering::SeqCst);
        if self.unreachable.load(Ordering::SeqCst) {
            return Err(GreenticError::new(ErrorCode::Unavailable, "no server"));
        }
        self.inner.renew(token, lease).await
    }

    async fn deliver(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: Message,
        options: DeliverOptions,
    ) -> SessionResult<DeliverOutcome> {
        self.inner
            .deliver(ctx, user, scopes, message, options)
            .await
    }

    async fn messages(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Vec<MessageInfo>> {
        self.inner.messages(ctx, user, scope).await
    }

    async fn create(
        &self,
        ctx: &TenantCtx,
        data: SessionData,
        options: CreateOptions,
    ) -> SessionResult<CreateOutcome> {
        self.inner.create(ctx, data, options).await
    }

    async fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        self.inner.get(key).await
    }

    async fn get_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<Option<Arc<Session>>> {
        self.inner.get_fenced(ctx, key).await
    }

    async fn update(
        &self,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64> {
        self.inner.update(key, data, options).await
    }

    async fn remove(&self, key: &SessionKey, options: RemoveOptions) -> SessionResult<()> {
        self.inner.remove(key, options).await
    }

    async fn park(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        options: ParkOptions,
    ) -> SessionResult<ParkOutcome> {
        self.inner.park(ctx, user, scope, key, data, options).await
    }

    async fn find(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        self.inner.find(ctx, user, scope).await
    }

    async fn waits(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Vec<SessionKey>> {
        self.inner.waits(ctx, user).await
    }

    async fn latest(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Option<Arc<Session>>> {
        self.inner.latest(ctx, user).await
    }

    async fn clear(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<ClearOutcome> {
        self.inner.clear(ctx, user, scope).await
    }

    async fn claim(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
        options: ClaimOptions,
    ) -> SessionResult<ClaimOutcome> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.inner.claim(ctx, user, scopes, message, options).await
    }

    async fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        self.inner.release(token).await
    }

    fn release_dropped(&self, token: &ClaimToken) {
        self.inner.release_dropped(token);
    }

    async fn commit(
        &self,
        token: &ClaimToken,
        commit: Commit,
        options: CommitOptions,
    ) -> SessionResult<Committed> {
        self.commits.fetch_add(1, Ordering::SeqCst);
        let fault = self.commit_faults.lock().unwrap().pop_front();
        match fault {
            Some(CommitFault::NotDone) => {
                Err(GreenticError::new(ErrorCode::Unavailable, "no server"))
            }
            Some(CommitFault::AnswerLost) => {
                self.inner.commit(token, commit, options).await?;
                Err(GreenticError::new(ErrorCode::Timeout, "no answer"))
            }
            None => self.inner.commit(token, commit, options).await,
        }
    }

    async fn claim_due(&self, options: &DueOptions) -> SessionResult<DuePage> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        if self.unreachable.load(Ordering::SeqCst) {
            return Err(GreenticError::new(ErrorCode::Unavailable, "no server"));
        }
        self.inner.claim_due(options).await
    }

    async fn set_timeout(
        &self,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        self.inner.set_timeout(key, timeout).await
    }

    async fn health(&self) -> SessionResult<Health> {
        self.inner.health().await
    }

    async fn scan(
        &self,
        filter: &ScanFilter,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ScanPage> {
        self.inner.scan(filter, after, limit).await
    }

    async fn erase(
        &self,
        selection: &OwnerSelection,
        mode: EraseMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ErasePage> {
        self.inner.erase(selection, mode, after, limit).await
    }

    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        self.inner.verify(mode, after, limit).await
    }

    async fn extend(&self, key: &SessionKey, ttl: Ttl) -> SessionResult<Option<Timestamp>> {
        self.inner.extend(key, ttl).await
    }

    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        self.inner.revoke(key).await
    }

    async fn export(&self, after: Option<&ScanCursor>, limit: usize) -> SessionResult<ExportPage> {
        self.inner.export(after, limit).await
    }

    async fn import(&self, record: ExportRecord, mode: ImportMode) -> SessionResult<ImportOutcome> {
        self.inner.import(record, mode).await
    }
}
