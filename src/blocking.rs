//! The operations of the async API for blocking callers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use greentic_types::{ReplyScope, SessionData, SessionKey, TenantCtx, UserId};

use crate::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ImportMode, ImportOutcome, OwnerSelection,
    RevokeOutcome, ScanCursor, ScanFilter, ScanPage, Stats, VerifyMode, VerifyPage,
};
use crate::async_store::AsyncSessionStore;
use crate::claim::{ClaimOutcome, ClaimToken, Commit, Committed};
use crate::clock::Timestamp;
use crate::due::{DueOptions, DuePage};
use crate::error::SessionResult;
use crate::inbox::{
    DeliverOptions, DeliverOutcome, Discard, MessageInfo, NextOptions, NextOutcome, Retry,
};
use crate::message::Message;
use crate::message_id::MessageId;
use crate::options::{
    ClaimOptions, CommitOptions, CreateOptions, ParkOptions, RemoveOptions, Ttl, UpdateOptions,
};
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};
use crate::store::SessionStore;
use crate::timeout::Timeout;

/// A blocking wrapper of an [`AsyncSessionStore`], with all its operations.
///
/// The calling thread sleeps until the result arrives. This works on every thread, also inside an
/// async runtime (C19), because no I/O depends on the calling thread. Each method does the same as
/// the method of that name of [`AsyncSessionStore`], with the same errors.
///
/// ```
/// use greentic_session::inmemory::InMemorySessionStore;
/// use greentic_session::{Blocking, SessionKey};
///
/// let store = Blocking::new(InMemorySessionStore::new());
/// assert!(store.get(&SessionKey::new("unknown"))?.is_none());
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub struct Blocking<S: ?Sized = dyn AsyncSessionStore>(Arc<S>);

impl<S: AsyncSessionStore> Blocking<S> {
    /// Wraps a store.
    pub fn new(store: S) -> Self {
        Self(Arc::new(store))
    }
}

impl<S: ?Sized> Clone for Blocking<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: ?Sized> From<Arc<S>> for Blocking<S> {
    fn from(store: Arc<S>) -> Self {
        Self(store)
    }
}

impl<S: AsyncSessionStore + ?Sized> Blocking<S> {
    /// See [`AsyncSessionStore::create`].
    ///
    /// # Errors
    /// As there.
    pub fn create(
        &self,
        ctx: &TenantCtx,
        data: SessionData,
        options: CreateOptions,
    ) -> SessionResult<CreateOutcome> {
        wait_for(self.0.create(ctx, data, options))
    }

    /// See [`AsyncSessionStore::get`].
    ///
    /// # Errors
    /// As there.
    pub fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        wait_for(self.0.get(key))
    }

    /// See [`AsyncSessionStore::get_fenced`].
    ///
    /// # Errors
    /// As there.
    pub fn get_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<Option<Arc<Session>>> {
        wait_for(self.0.get_fenced(ctx, key))
    }

    /// See [`AsyncSessionStore::update`].
    ///
    /// # Errors
    /// As there.
    pub fn update(
        &self,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64> {
        wait_for(self.0.update(key, data, options))
    }

    /// See [`AsyncSessionStore::update_fenced`].
    ///
    /// # Errors
    /// As there.
    pub fn update_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64> {
        wait_for(self.0.update_fenced(ctx, key, data, options))
    }

    /// See [`AsyncSessionStore::remove`].
    ///
    /// # Errors
    /// As there.
    pub fn remove(&self, key: &SessionKey, options: RemoveOptions) -> SessionResult<()> {
        wait_for(self.0.remove(key, options))
    }

    /// See [`AsyncSessionStore::remove_fenced`].
    ///
    /// # Errors
    /// As there.
    pub fn remove_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        options: RemoveOptions,
    ) -> SessionResult<()> {
        wait_for(self.0.remove_fenced(ctx, key, options))
    }

    /// See [`AsyncSessionStore::park`].
    ///
    /// # Errors
    /// As there.
    pub fn park(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        options: ParkOptions,
    ) -> SessionResult<ParkOutcome> {
        wait_for(self.0.park(ctx, user, scope, key, data, options))
    }

    /// See [`AsyncSessionStore::find`].
    ///
    /// # Errors
    /// As there.
    pub fn find(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        wait_for(self.0.find(ctx, user, scope))
    }

    /// See [`AsyncSessionStore::waits`].
    ///
    /// # Errors
    /// As there.
    pub fn waits(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Vec<SessionKey>> {
        wait_for(self.0.waits(ctx, user))
    }

    /// See [`AsyncSessionStore::latest`].
    ///
    /// # Errors
    /// As there.
    pub fn latest(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Option<Arc<Session>>> {
        wait_for(self.0.latest(ctx, user))
    }

    /// See [`AsyncSessionStore::clear`].
    ///
    /// # Errors
    /// As there.
    pub fn clear(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<ClearOutcome> {
        wait_for(self.0.clear(ctx, user, scope))
    }

    /// See [`AsyncSessionStore::claim`].
    ///
    /// # Errors
    /// As there.
    pub fn claim(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
        options: ClaimOptions,
    ) -> SessionResult<ClaimOutcome> {
        wait_for(self.0.claim(ctx, user, scopes, message, options))
    }

    /// See [`AsyncSessionStore::renew`].
    ///
    /// # Errors
    /// As there.
    pub fn renew(&self, token: &ClaimToken, lease: Duration) -> SessionResult<Timestamp> {
        wait_for(self.0.renew(token, lease))
    }

    /// See [`AsyncSessionStore::release`].
    ///
    /// # Errors
    /// As there.
    pub fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        wait_for(self.0.release(token))
    }

    /// See [`AsyncSessionStore::commit`].
    ///
    /// # Errors
    /// As there.
    pub fn commit(
        &self,
        token: &ClaimToken,
        commit: Commit,
        options: CommitOptions,
    ) -> SessionResult<Committed> {
        wait_for(self.0.commit(token, commit, options))
    }

    /// See [`AsyncSessionStore::deliver`].
    ///
    /// # Errors
    /// As there.
    pub fn deliver(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: Message,
        options: DeliverOptions,
    ) -> SessionResult<DeliverOutcome> {
        wait_for(self.0.deliver(ctx, user, scopes, message, options))
    }

    /// See [`AsyncSessionStore::next`].
    ///
    /// # Errors
    /// As there.
    pub fn next(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        options: NextOptions,
    ) -> SessionResult<NextOutcome> {
        wait_for(self.0.next(ctx, user, scope, options))
    }

    /// See [`AsyncSessionStore::messages`].
    ///
    /// # Errors
    /// As there.
    pub fn messages(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Vec<MessageInfo>> {
        wait_for(self.0.messages(ctx, user, scope))
    }

    /// See [`AsyncSessionStore::discard`].
    ///
    /// # Errors
    /// As there.
    pub fn discard(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Discard,
    ) -> SessionResult<u32> {
        wait_for(self.0.discard(ctx, user, scope, which))
    }

    /// See [`AsyncSessionStore::retry`].
    ///
    /// # Errors
    /// As there.
    pub fn retry(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Retry,
    ) -> SessionResult<u32> {
        wait_for(self.0.retry(ctx, user, scope, which))
    }

    /// See [`AsyncSessionStore::claim_due`].
    ///
    /// # Errors
    /// As there.
    pub fn claim_due(&self, options: &DueOptions) -> SessionResult<DuePage> {
        wait_for(self.0.claim_due(options))
    }

    /// See [`AsyncSessionStore::set_timeout`].
    ///
    /// # Errors
    /// As there.
    pub fn set_timeout(
        &self,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        wait_for(self.0.set_timeout(key, timeout))
    }

    /// See [`AsyncSessionStore::set_timeout_fenced`].
    ///
    /// # Errors
    /// As there.
    pub fn set_timeout_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        wait_for(self.0.set_timeout_fenced(ctx, key, timeout))
    }

    /// See [`AsyncSessionStore::health`].
    ///
    /// # Errors
    /// As there.
    pub fn health(&self) -> SessionResult<Health> {
        wait_for(self.0.health())
    }

    /// See [`AsyncSessionStore::scan`].
    ///
    /// # Errors
    /// As there.
    pub fn scan(
        &self,
        filter: &ScanFilter,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ScanPage> {
        wait_for(self.0.scan(filter, after, limit))
    }

    /// See [`AsyncSessionStore::stats`].
    ///
    /// # Errors
    /// As there.
    pub fn stats(&self, filter: &ScanFilter) -> SessionResult<Stats> {
        wait_for(self.0.stats(filter))
    }

    /// See [`AsyncSessionStore::erase`].
    ///
    /// # Errors
    /// As there.
    pub fn erase(
        &self,
        selection: &OwnerSelection,
        mode: EraseMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ErasePage> {
        wait_for(self.0.erase(selection, mode, after, limit))
    }

    /// See [`AsyncSessionStore::verify`].
    ///
    /// # Errors
    /// As there.
    pub fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        wait_for(self.0.verify(mode, after, limit))
    }

    /// See [`AsyncSessionStore::extend`].
    ///
    /// # Errors
    /// As there.
    pub fn extend(&self, key: &SessionKey, ttl: Ttl) -> SessionResult<Option<Timestamp>> {
        wait_for(self.0.extend(key, ttl))
    }

    /// See [`AsyncSessionStore::extend_fenced`].
    ///
    /// # Errors
    /// As there.
    pub fn extend_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        ttl: Ttl,
    ) -> SessionResult<Option<Timestamp>> {
        wait_for(self.0.extend_fenced(ctx, key, ttl))
    }

    /// See [`AsyncSessionStore::revoke`].
    ///
    /// # Errors
    /// As there.
    pub fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        wait_for(self.0.revoke(key))
    }

    /// See [`AsyncSessionStore::revoke_fenced`].
    ///
    /// # Errors
    /// As there.
    pub fn revoke_fenced(&self, ctx: &TenantCtx, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        wait_for(self.0.revoke_fenced(ctx, key))
    }

    /// See [`AsyncSessionStore::export`].
    ///
    /// # Errors
    /// As there.
    pub fn export(&self, after: Option<&ScanCursor>, limit: usize) -> SessionResult<ExportPage> {
        wait_for(self.0.export(after, limit))
    }

    /// See [`AsyncSessionStore::reseal`].
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "encryption")]
    pub fn reseal(
        &self,
        mode: crate::admin::ResealMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<crate::admin::ResealPage> {
        wait_for(self.0.reseal(mode, after, limit))
    }

    /// See [`AsyncSessionStore::import`].
    ///
    /// # Errors
    /// As there.
    pub fn import(&self, record: ExportRecord, mode: ImportMode) -> SessionResult<ImportOutcome> {
        wait_for(self.0.import(record, mode))
    }
}

impl<S: AsyncSessionStore + ?Sized> SessionStore for Blocking<S> {
    fn create_session(&self, ctx: &TenantCtx, data: SessionData) -> SessionResult<SessionKey> {
        self.create(ctx, data, CreateOptions::new())?.fresh()
    }

    fn get_session(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        Ok(self.get(key)?.map(Session::into_data))
    }

    fn update_session(&self, key: &SessionKey, data: SessionData) -> SessionResult<()> {
        self.update(key, data, UpdateOptions::new())
            .map(|_revision| ())
    }

    fn remove_session(&self, key: &SessionKey) -> SessionResult<()> {
        self.remove(key, RemoveOptions::new())
    }

    fn register_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
        session_key: &SessionKey,
        data: SessionData,
        ttl: Option<Duration>,
    ) -> SessionResult<()> {
        let options = ParkOptions::new().ttl(ttl);
        self.park(ctx, user_id, scope, session_key, data, options)
            .map(|_registered| ())
    }

    fn find_wait_by_scope(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        self.find(ctx, user_id, scope)
    }

    fn list_waits_for_user(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
    ) -> SessionResult<Vec<SessionKey>> {
        self.waits(ctx, user_id)
    }

    fn clear_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<()> {
        self.clear(ctx, user_id, scope).map(|_outcome| ())
    }

    fn find_by_user(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
    ) -> SessionResult<Option<(SessionKey, SessionData)>> {
        let session = self.latest(ctx, user)?;
        Ok(session.map(|session| (session.key.clone(), Session::into_data(session))))
    }
}

/// Runs a future to its end on the calling thread.
///
/// A future that is ready at its first poll costs nothing more; otherwise the thread sleeps until
/// it is woken. No runtime is entered, so that the call cannot panic inside one (C19).
#[inline]
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut idle = Context::from_waker(Waker::noop());
    match future.as_mut().poll(&mut idle) {
        Poll::Ready(output) => output,
        Poll::Pending => pollster::block_on(future),
    }
}
