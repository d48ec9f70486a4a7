//! The async face: the whole contract.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use greentic_types::{ReplyScope, SessionData, SessionKey, TenantCtx, UserId};

use crate::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ImportMode, ImportOutcome, MAX_PAGE,
    OwnerSelection, RevokeOutcome, ScanCursor, ScanFilter, ScanPage, Stats, VerifyMode, VerifyPage,
};
use crate::claim::{ClaimOutcome, ClaimToken, Commit};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::options::{CreateOptions, ParkOptions, RemoveOptions, UpdateOptions};
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};

/// Stores paused flows, finds the one that a message answers, and lets exactly one worker resume it.
///
/// Every method is atomic and linearizable for one owner, and safe to repeat when its outcome is
/// unknown (C14). The futures need no particular runtime, and may be dropped at any time: the call
/// is then done or not done.
///
/// ```
/// use greentic_session::{
///     AsyncSessionStore, Commit, ClaimOutcome, ParkOptions, ReplyScope, SessionData, SessionKey,
/// };
/// # use greentic_session::inmemory::InMemorySessionStore;
/// # use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
/// # use std::time::Duration;
/// # fn main() -> greentic_session::SessionResult<()> { pollster::block_on(async {
/// # let user = UserId::try_from("user-7")?;
/// # let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?)
/// #     .with_user(Some(user.clone()));
/// # let data = SessionData {
/// #     tenant_ctx: ctx.clone(),
/// #     flow_id: FlowId::try_from("support.flow")?,
/// #     pack_id: None,
/// #     cursor: SessionCursor::new("node.wait_input"),
/// #     context_json: "{}".into(),
/// # };
/// let store = InMemorySessionStore::new();
/// let scope = ReplyScope {
///     conversation: "chat-1".into(), thread: None, reply_to: None, correlation: None,
/// };
/// let key = SessionKey::new("run-1");
/// let ttl = ParkOptions::new().ttl(Duration::from_secs(3600));
/// let _ = store.park(&ctx, &user, &scope, &key, data, ttl).await?;
///
/// let lease = Duration::from_secs(30);
/// let ClaimOutcome::Claimed(claim) = store.claim(&ctx, &user, &scope, "msg-1", lease).await? else {
///     unreachable!("nobody else is here");
/// };
/// // ... resume the flow from claim.session ...
/// store.commit(&claim.token, Commit::Finish).await?;
///
/// let again = store.claim(&ctx, &user, &scope, "msg-1", lease).await?;
/// assert_eq!(again, ClaimOutcome::Duplicate);
/// # Ok(()) }) }
/// ```
#[async_trait]
pub trait AsyncSessionStore: Send + Sync + 'static {
    /// Stores a new session, and makes it the latest of its user (C6).
    ///
    /// # Errors
    /// `InvalidInput` if `ctx` and `data` disagree (C2), break the id grammar (C1), pass a limit, or
    /// the key is another owner's (C4).
    async fn create(
        &self,
        ctx: &TenantCtx,
        data: SessionData,
        options: CreateOptions,
    ) -> SessionResult<CreateOutcome>;

    /// Reads a session by its key alone; none if there is none or its deadline has come (C5, C12).
    ///
    /// # Errors
    /// `InvalidInput` if the key is empty or over its limit; `Internal` if what is stored cannot be
    /// read; it is left as it is.
    async fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>>;

    /// Reads a session of the caller; none also if it is another owner's (C5).
    ///
    /// # Errors
    /// `InvalidInput` if the context contradicts itself; `Internal` as in [`get`](Self::get).
    async fn get_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<Option<Arc<Session>>>;

    /// Replaces the data of a session and returns its new revision; deadline, wait and look-ups
    /// stay (C7).
    ///
    /// # Errors
    /// `NotFound` if there is no such session; `InvalidInput` if the data is another owner's (C3) or
    /// too large (C8); `Conflict` if the revision moved (C15), or a claim is live that the options
    /// do not name (C16).
    async fn update(
        &self,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64>;

    /// Removes a session with its wait and look-ups (C7).
    ///
    /// # Errors
    /// `NotFound` if there is no such session; `Conflict` if the revision moved (C15) or a claim is
    /// live (C16).
    async fn remove(&self, key: &SessionKey, options: RemoveOptions) -> SessionResult<()>;

    /// Stores a session and routes the scope to it, in one atomic step (C9).
    ///
    /// The same session under another scope moves. Another session on the same scope is displaced,
    /// or kept if [`ParkOptions::if_absent`] is set.
    ///
    /// # Errors
    /// `InvalidInput` if `ctx`, `user` and `data` do not name one owner (C2), the key is another
    /// owner's (C4), or a limit is passed; `Conflict` if a live claim holds the session or the
    /// scope (C16).
    async fn park(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        options: ParkOptions,
    ) -> SessionResult<ParkOutcome>;

    /// Finds the session that waits on a scope (C10).
    ///
    /// # Errors
    /// `InvalidInput` if the context contradicts itself or breaks the id grammar (C1), or the scope
    /// is over its limit.
    async fn find(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>>;

    /// Lists the sessions of a user that wait, in order of registration (C10).
    ///
    /// # Errors
    /// `InvalidInput` if the context contradicts itself or breaks the id grammar (C1).
    async fn waits(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Vec<SessionKey>>;

    /// Finds the session of a user: the one that waits, else the latest that was created (C6).
    ///
    /// A store that sees waits only answers none in the second case: see
    /// [`FindByUser`](crate::FindByUser).
    ///
    /// # Errors
    /// `InvalidInput` that says "multiple waits" if more than one session waits.
    async fn latest(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Option<Arc<Session>>>;

    /// Removes the wait on a scope and its session (C11).
    ///
    /// # Errors
    /// `InvalidInput` if `ctx` and `user` do not name one owner, or the scope is over its limit;
    /// `Conflict` while a claim is live (C16).
    async fn clear(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<ClearOutcome>;

    /// Claims the wait on a scope for one worker and one message (C16).
    ///
    /// `message_id` is the channel's own id of the message; it must be unique for the user. While
    /// the lease of at most [`MAX_LEASE`](crate::options::MAX_LEASE) runs, every write to the wait
    /// without the token is a `Conflict`. When it has run out, the wait can be claimed again.
    ///
    /// # Errors
    /// `InvalidInput` if `ctx` and `user` do not name one owner, or a limit is passed.
    async fn claim(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        message_id: &str,
        lease: Duration,
    ) -> SessionResult<ClaimOutcome>;

    /// Makes the lease of a claim end `lease` from now, and returns that instant (C16).
    ///
    /// A lease that ran out can be renewed as long as nobody claimed or changed the wait.
    ///
    /// # Errors
    /// `Conflict` if the claim was lost; `InvalidInput` if the lease is over
    /// [`MAX_LEASE`](crate::options::MAX_LEASE).
    async fn renew(&self, token: &ClaimToken, lease: Duration) -> SessionResult<Timestamp>;

    /// Gives a claim back: the wait can be claimed again at once, for the same message too (C16).
    ///
    /// # Errors
    /// `Conflict` if the claim was lost.
    async fn release(&self, token: &ClaimToken) -> SessionResult<()>;

    /// Ends a claim: parks the session again or removes it, and remembers the message as done, in
    /// one atomic step (C16).
    ///
    /// # Errors
    /// `Conflict` if the claim was lost, or another live claim holds the next scope;
    /// `InvalidInput` if the next data is another owner's (C3) or passes a limit.
    async fn commit(&self, token: &ClaimToken, commit: Commit) -> SessionResult<()>;

    /// Asks the backend how it does.
    ///
    /// # Errors
    /// `Unavailable` or `Timeout` if the backend does not answer.
    async fn health(&self) -> SessionResult<Health>;

    /// Looks at the next `limit` or so of what is stored, and tells the sessions that the filter
    /// means (C21). No payload is told, and live traffic goes on.
    ///
    /// A session that is there from the first page to the last is in one of them. It is in no other
    /// on the memory and the durable store; on Redis it may be, while the server resizes its tables.
    /// `limit` is bounded by [`MAX_PAGE`].
    ///
    /// # Errors
    /// `InvalidInput` if the cursor is of another store, or the filter has an id that no session can
    /// have.
    async fn scan(
        &self,
        filter: &ScanFilter,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ScanPage>;

    /// Counts the sessions that a filter means, by a whole scan (C21).
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    async fn stats(&self, filter: &ScanFilter) -> SessionResult<Stats> {
        let mut stats = Stats::new();
        let mut after = None;
        loop {
            let page = self.scan(filter, after.as_ref(), MAX_PAGE).await?;
            for info in &page.sessions {
                stats.add(info, page.now);
            }
            stats.unreadable += page.unreadable.len() as u64;
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(stats),
            }
        }
    }

    /// Erases what belongs to the selected owners, among the next `limit` or so of what is stored
    /// (C22): sessions, waits, look-ups and remembered message ids.
    ///
    /// A claim does not stop it: the token is void. Each owner that a page comes by is erased in one
    /// atomic step. What is stored meanwhile may stay: whoever must be sure makes a second run, which
    /// finds nothing.
    ///
    /// # Errors
    /// `InvalidInput` if the cursor is of another store, or the selection has an id that no owner can
    /// have.
    async fn erase(
        &self,
        selection: &OwnerSelection,
        mode: EraseMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ErasePage>;

    /// Compares the next `limit` or so of sessions and index entries with each other, and repairs
    /// what contradicts if asked to (C23).
    ///
    /// # Errors
    /// `InvalidInput` if the cursor is of another store.
    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage>;

    /// Sets the deadline of a session anew, `ttl` from now, and returns it (C24).
    ///
    /// Everything that ends with the session moves along in the same atomic step; data, revision,
    /// wait and claim stay. A TTL acts as in [`park`](Self::park): none means the store's default.
    ///
    /// # Errors
    /// `NotFound` if there is no such session.
    async fn extend(
        &self,
        key: &SessionKey,
        ttl: Option<Duration>,
    ) -> SessionResult<Option<Timestamp>>;

    /// Takes a claim from its worker: the token is void, and the wait can be claimed at once (C25).
    ///
    /// For a worker that is stuck with a long lease. What it does outside the store goes on.
    ///
    /// # Errors
    /// `NotFound` if there is no such session.
    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome>;

    /// Reads the next `limit` or so of what is stored, to be imported elsewhere (C26).
    ///
    /// It finds what [`scan`](Self::scan) finds, and the remembered message ids.
    ///
    /// # Errors
    /// `InvalidInput` if the cursor is of another store.
    async fn export(&self, after: Option<&ScanCursor>, limit: usize) -> SessionResult<ExportPage>;

    /// Stores an exported record, so that what waited goes on waiting (C26).
    ///
    /// Key, owner, data, revision, deadline, scope and attempt are kept, and so is the order of an
    /// owner's waits. No claim moves. Message ids are added to those that are known already.
    ///
    /// # Errors
    /// `InvalidInput` if the record contradicts itself, passes a limit, or its key is another
    /// owner's (C4); `Conflict` if a live claim holds what is to be replaced (C16).
    async fn import(&self, record: ExportRecord, mode: ImportMode) -> SessionResult<ImportOutcome>;
}
