//! The async API: all operations of the contract.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use async_trait::async_trait;
use greentic_types::{ReplyScope, SessionData, SessionKey, TenantCtx, UserId};

use crate::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ImportMode, ImportOutcome, MAX_PAGE,
    OwnerSelection, RevokeOutcome, ScanCursor, ScanFilter, ScanPage, Stats, VerifyMode, VerifyPage,
};
#[cfg(feature = "encryption")]
use crate::admin::{ResealMode, ResealPage};
use crate::claim::{ClaimOutcome, ClaimToken, Commit, Committed};
use crate::clock::Timestamp;
use crate::due::{DueOptions, DuePage};
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::inbox::{
    DeliverOptions, DeliverOutcome, Discard, MessageInfo, NextOptions, NextOutcome, Retry,
};
use crate::message::Message;
use crate::message_id::MessageId;
use crate::options::{
    ClaimOptions, CommitOptions, CreateOptions, ParkOptions, RemoveOptions, Ttl, UpdateOptions,
};
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};
use crate::timeout::Timeout;

/// Stores paused flows, finds the one that a message answers, and lets exactly one worker resume
/// it: the async API.
///
/// Every method is atomic, and linearizable for one owner, except lists and operator calls that go in
/// pages or steps (C14). A call that ended in `Timeout` can be
/// repeated, under the conditions of C14; give `create` an [`OperationId`](crate::OperationId) for
/// that. The futures run on any runtime and can be dropped at any time; a dropped call was carried
/// out or not.
///
/// A session key is a capability: who knows it can read and change the session. Where a key comes from
/// outside, or is derived from fields that others can guess, call the form of an operation that ends in
/// `_fenced`, with the caller's context: it acts on the caller's own sessions only (C38). The forms
/// without a context are right for keys that the caller got from the store itself or keeps secret, and
/// for an operator who acts on all tenants.
///
/// Besides the errors that a method names, it can return those of the backend: `Unavailable`,
/// `Timeout`, `RateLimited` and `Internal`; see [`error`](crate::error).
///
/// ```
/// use greentic_session::{
///     AsyncSessionStore, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId, ParkOptions,
///     ReplyScope, SessionData, SessionKey,
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
/// let (scopes, message) = ([scope], MessageId::new("msg-1"));
/// let lease = ClaimOptions::new(Duration::from_secs(30));
/// let claimed = store.claim(&ctx, &user, &scopes, &message, lease.clone()).await?;
/// let ClaimOutcome::Claimed(turn) = claimed else {
///     unreachable!("the wait exists and is not claimed");
/// };
/// // ... resume the flow from turn.session ...
/// store.commit(&turn.token, Commit::Finish, CommitOptions::new()).await?;
///
/// let again = store.claim(&ctx, &user, &scopes, &message, lease).await?;
/// assert_eq!(again, ClaimOutcome::duplicate());
/// # Ok(()) }) }
/// ```
#[async_trait]
pub trait AsyncSessionStore: Send + Sync + 'static {
    /// Stores a new session and makes it the latest of its user (C6).
    ///
    /// # Errors
    /// - `InvalidInput`: `ctx` and `data` name different owners (C2) or break the id grammar (C1),
    ///   a limit is exceeded, or the key belongs to another owner (C4).
    async fn create(
        &self,
        ctx: &TenantCtx,
        data: SessionData,
        options: CreateOptions,
    ) -> SessionResult<CreateOutcome>;

    /// Reads a session by its key. Returns `None` if it does not exist or has expired (C5, C12).
    ///
    /// # Errors
    /// - `InvalidInput`: the key is empty or too long.
    /// - `Internal`: the stored session cannot be read. It is left unchanged (C17).
    async fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>>;

    /// Reads a session by its key, if the caller is its owner (C5, C38).
    ///
    /// Returns `None` also if the session has another owner. A context without a user does not
    /// match a session that has one.
    ///
    /// # Errors
    /// - `InvalidInput`: as for [`get`](Self::get), or the context is contradictory or breaks the
    ///   id grammar (C1).
    /// - `Internal`: as for [`get`](Self::get).
    async fn get_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<Option<Arc<Session>>>;

    /// Replaces the data of a session and returns the new revision. Deadline, wait and look-ups are
    /// kept (C7).
    ///
    /// # Errors
    /// Nothing is changed on:
    /// - `NotFound`: there is no such session.
    /// - `InvalidInput`: the data has another owner (C3) or is too large (C8).
    /// - `Conflict`: the session has another revision than [`UpdateOptions::if_revision`] (C15), or
    ///   a live claim holds it whose token is not in the options (C16).
    async fn update(
        &self,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64>;

    /// As [`update`](Self::update), if the caller is the session's owner (C38). Both are one atomic
    /// step.
    ///
    /// # Errors
    /// Nothing is changed on:
    /// - `NotFound`: there is no such session, or it has another owner than `ctx`.
    /// - `InvalidInput`: as for `update`, the context is contradictory or breaks the id grammar (C1),
    ///   or the store does not implement the method.
    /// - `Conflict`: as for `update`.
    async fn update_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64> {
        let _unused = (ctx, key, data, options);
        Err(not_implemented("update_fenced"))
    }

    /// Removes a session, its wait and its look-ups (C7).
    ///
    /// # Errors
    /// - `NotFound`: there is no such session.
    /// - `Conflict`: the session has another revision than [`RemoveOptions::if_revision`] (C15), or
    ///   a live claim holds it (C16).
    async fn remove(&self, key: &SessionKey, options: RemoveOptions) -> SessionResult<()>;

    /// As [`remove`](Self::remove), if the caller is the session's owner (C38). Both are one atomic
    /// step.
    ///
    /// # Errors
    /// - `NotFound`: there is no such session, or it has another owner than `ctx`.
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1), or the store does
    ///   not implement the method.
    /// - `Conflict`: as for `remove`.
    async fn remove_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        options: RemoveOptions,
    ) -> SessionResult<()> {
        let _unused = (ctx, key, options);
        Err(not_implemented("remove_fenced"))
    }

    /// Stores a session that waits for an answer on a scope, in one atomic step (C9).
    ///
    /// If the session already waits on another scope, its wait moves. If another session waits on
    /// this scope, it is displaced: it stays readable by its key, but no longer waits. With
    /// [`ParkOptions::if_absent`] nothing is changed if a session waits on the scope.
    ///
    /// # Errors
    /// Nothing is changed on:
    /// - `InvalidInput`: `ctx`, `user` and `data` name different owners (C2), the key belongs to
    ///   another owner (C4), or a limit is exceeded.
    /// - `Conflict`: a live claim holds the session or the scope (C16).
    /// - `RateLimited`, with the source [`Quota::Waits`](crate::error::Quota::Waits): the owner has as
    ///   many live waits as it may have (C9).
    async fn park(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        options: ParkOptions,
    ) -> SessionResult<ParkOutcome>;

    /// Returns the key of the session that waits on a scope (C10).
    ///
    /// # Errors
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1), or the scope
    ///   is too long.
    async fn find(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>>;

    /// Returns the keys of a user's waiting sessions, in order of registration (C10).
    ///
    /// A list of many waits is read in pages, each of one instant.
    ///
    /// # Errors
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1).
    async fn waits(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Vec<SessionKey>>;

    /// Returns the session of a user: the one that waits, or else the one created last (C6).
    ///
    /// If [`FindByUser`](crate::FindByUser) is set to waits only, it returns `None` in the second
    /// case.
    ///
    /// # Errors
    /// - `InvalidInput`: more than one session waits (the message contains "multiple waits"), or
    ///   the context is contradictory or breaks the id grammar (C1).
    async fn latest(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Option<Arc<Session>>>;

    /// Removes the session that waits on a scope, with its wait (C11).
    ///
    /// # Errors
    /// - `InvalidInput`: `ctx` and `user` name different owners, or the scope is too long.
    /// - `Conflict`: a live claim holds the wait (C16).
    async fn clear(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<ClearOutcome>;

    /// Claims a wait, or the start of a flow, for one worker and one message (C16, C27).
    ///
    /// `scopes` are 1 to 4, in the order in which the message is to be tried: the first on which a
    /// session waits, or a flow is started, takes it. If there is none,
    /// [`ClaimOptions::start`](crate::ClaimOptions::start) starts a flow on the last scope: the turn
    /// then has no session. All is done in one atomic step.
    ///
    /// Until the lease ends, every write to the wait without the token is a `Conflict`. After its
    /// end the wait, or the start, can be claimed again.
    ///
    /// # Errors
    /// - `InvalidInput`: `ctx` and `user` name different owners, there is no scope or more than
    ///   four, a limit is exceeded, or the key of the session to be belongs to another owner.
    /// - `Conflict`: a session with the key of the session to be exists
    ///   ([`Conflict::KeyTaken`](crate::Conflict::KeyTaken)).
    /// - `RateLimited`: the start would exceed
    ///   [`StoreOptions::max_waits`](crate::StoreOptions::max_waits) (C9).
    async fn claim(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
        options: ClaimOptions,
    ) -> SessionResult<ClaimOutcome>;

    /// Sets the end of a claim's lease to `lease` from now, and returns it (C16).
    ///
    /// An ended lease can be renewed too, if no other caller has claimed or changed the wait.
    ///
    /// # Errors
    /// - `Conflict`: the claim was lost.
    /// - `InvalidInput`: the lease exceeds [`MAX_LEASE`](crate::options::MAX_LEASE).
    async fn renew(&self, token: &ClaimToken, lease: Duration) -> SessionResult<Timestamp>;

    /// Gives a claim back. The wait can be claimed again at once, also for the same message (C16).
    ///
    /// # Errors
    /// - `Conflict`: the claim was lost.
    async fn release(&self, token: &ClaimToken) -> SessionResult<()>;

    /// Gives a claim back without waiting for the answer, for a turn whose future is dropped (C16).
    ///
    /// It returns at once, reports no error, and can be called where no runtime runs, for example in
    /// `Drop`. The memory store has released the claim when it returns. The durable store's writer and
    /// the Redis store's I/O threads release it soon after. If they cannot, because the queue is full,
    /// the server is not reached or the process ends, the claim ends with its lease.
    ///
    /// The default starts [`release`](Self::release) and gives it up if it has to wait. A store whose
    /// `release` waits overrides it.
    fn release_dropped(&self, token: &ClaimToken) {
        let mut release = self.release(token);
        let mut context = Context::from_waker(Waker::noop());
        let _released = release.as_mut().poll(&mut context);
    }

    /// Ends a claim: parks the session again or removes it, and remembers the message id, in one
    /// atomic step (C16).
    ///
    /// The commit of a start makes the session, and never overwrites one (C27).
    ///
    /// A claim whose lease has ended still commits, if no other caller has claimed or changed the
    /// wait. A reply ([`CommitOptions::reply`]) is kept in the same step, for redeliveries of the
    /// message.
    ///
    /// # Errors
    /// Nothing is changed on these, except that the claim ends if another claim has committed the
    /// message:
    /// - `Conflict`: the claim was lost, another live claim holds the next scope, or the key of the
    ///   session to be was taken meanwhile ([`Conflict::KeyTaken`](crate::Conflict::KeyTaken)).
    /// - `InvalidInput`: the next data has another owner (C3), data or reply exceed a limit, or
    ///   another owner has taken the key of the session to be.
    async fn commit(
        &self,
        token: &ClaimToken,
        commit: Commit,
        options: CommitOptions,
    ) -> SessionResult<Committed>;

    /// Keeps a message in the queue of a conversation, and hands out a turn if the scope is free, in one
    /// atomic step (C28).
    ///
    /// `scopes` are 1 to 4, in the order in which the message is to be tried, as for
    /// [`claim`](Self::claim). The queue is that of the first on which a session waits or a turn is live;
    /// if there is none, [`DeliverOptions::when_none`] applies to the last.
    ///
    /// If [`DeliverOutcome::is_kept`] is true, the channel can be told that the message has arrived.
    /// Otherwise the store has kept nothing. A turn has the messages at the front of the queue, and its
    /// commit answers all of them. What is not handed out here is handed out by a commit with
    /// [`CommitOptions::then_next`], by [`next`](Self::next), or by [`claim_due`](Self::claim_due).
    ///
    /// ```
    /// use greentic_session::{
    ///     AsyncSessionStore, Commit, CommitOptions, DeliverOptions, DeliverOutcome, InboxOptions,
    ///     Message, MessageId, ReplyScope, StoreOptions,
    /// };
    /// # use greentic_session::inmemory::InMemorySessionStore;
    /// # use greentic_types::{EnvId, TenantCtx, TenantId, UserId};
    /// # use std::time::Duration;
    /// # fn main() -> greentic_session::SessionResult<()> { pollster::block_on(async {
    /// # let user = UserId::try_from("user-7")?;
    /// # let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?)
    /// #     .with_user(Some(user.clone()));
    /// let options = StoreOptions::new().inbox(InboxOptions::new());
    /// let store = InMemorySessionStore::with_options(options);
    /// let chat = [ReplyScope {
    ///     conversation: "chat-1".into(), thread: None, reply_to: None, correlation: None,
    /// }];
    /// let lease = Duration::from_secs(30);
    /// let mut turns = Vec::new();
    /// for (id, text) in [("m-1", "hello"), ("m-2", "are you there?")] {
    ///     let message = Message::new(MessageId::new(id), text.as_bytes());
    ///     let options = DeliverOptions::new(lease);
    ///     match store.deliver(&ctx, &user, &chat, message, options).await? {
    ///         DeliverOutcome::Turn(turn) => turns.push(turn),
    ///         kept => assert!(kept.is_kept()),
    ///     }
    /// }
    /// // The first message is worked on. Its commit takes the second one.
    /// let take_next = CommitOptions::new().then_next(lease);
    /// let committed = store.commit(&turns[0].token, Commit::Finish, take_next).await?;
    /// let next = committed.next.expect("the second message waits");
    /// assert_eq!(&*next.messages[0].body, b"are you there?");
    /// # Ok(()) }) }
    /// ```
    ///
    /// # Errors
    /// The message is not kept on:
    /// - `InvalidInput`: the queues are off (`StoreOptions::inbox`), or the backend keeps none; the body,
    ///   the batch, the lease or the TTL exceeds a limit; what makes [`claim`](Self::claim) refuse its
    ///   arguments; the store does not implement the method.
    /// - `Conflict`, `RateLimited`: the start of a flow is refused, as by [`claim`](Self::claim).
    async fn deliver(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: Message,
        options: DeliverOptions,
    ) -> SessionResult<DeliverOutcome> {
        let _unused = (ctx, user, scopes, message, options);
        Err(not_implemented("deliver"))
    }

    /// Takes the next turn of a queue, if its scope is free (C29).
    ///
    /// # Errors
    /// - `InvalidInput`: `ctx` and `user` name different owners, a limit is exceeded, or the store does
    ///   not implement the method.
    async fn next(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        options: NextOptions,
    ) -> SessionResult<NextOutcome> {
        let _unused = (ctx, user, scope, options);
        Err(not_implemented("next"))
    }

    /// Lists the messages of a queue in their order, and the dead letters after them. No body is read
    /// (C31).
    ///
    /// # Errors
    /// - `InvalidInput`: as for [`next`](Self::next).
    async fn messages(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Vec<MessageInfo>> {
        let _unused = (ctx, user, scope);
        Err(not_implemented("messages"))
    }

    /// Drops messages of a queue, and returns how many. One in flight is never dropped (C31).
    ///
    /// # Errors
    /// - `InvalidInput`: as for [`next`](Self::next).
    async fn discard(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Discard,
    ) -> SessionResult<u32> {
        let _unused = (ctx, user, scope, which);
        Err(not_implemented("discard"))
    }

    /// Puts dead letters at the back of their queue, as far as its bounds permit, and returns how many
    /// (C31).
    ///
    /// # Errors
    /// - `InvalidInput`: as for [`next`](Self::next).
    async fn retry(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Retry,
    ) -> SessionResult<u32> {
        let _unused = (ctx, user, scope, which);
        Err(not_implemented("retry"))
    }

    /// Hands out turns of waits whose timeout has come, and of queues whose messages wait for a worker, each
    /// to one worker (C30, C33).
    ///
    /// Nothing is handed out before its instant. A turn counts as any other. With
    /// [`Reason::Timeout`](crate::Reason::Timeout), resume the flow knowing that no answer came; with
    /// [`Reason::Revived`](crate::Reason::Revived), handle [`Turn::messages`](crate::Turn::messages); then commit. What is not committed
    /// stays due: at once after a release, and a pause after the end of the lease otherwise. The pause is 1
    /// second, doubled with each further lease that ended, and at most 10 minutes.
    ///
    /// Each call does a bounded amount of work. [`DuePage::more`] says to ask again at once, and
    /// [`DuePage::next`] when to ask again else. Any number of processes can ask; none needs to have been
    /// up at the instant. [`run_due`](crate::run_due) is the loop around this call.
    ///
    /// If the answer of a call is lost, its turns are due again a pause after their leases. A future that is
    /// dropped releases the turns that it was given, as that of [`claim`](Self::claim) does.
    ///
    /// # Errors
    /// - `InvalidInput`: the limit is 0 or more than [`MAX_DUE`](crate::options::MAX_DUE), the lease
    ///   exceeds [`MAX_LEASE`](crate::options::MAX_LEASE), or the store does not implement the method.
    async fn claim_due(&self, options: &DueOptions) -> SessionResult<DuePage> {
        let _unused = options;
        Err(not_implemented("claim_due"))
    }

    /// Sets, moves or takes away the timeout of a wait, in one atomic step, and returns its instant (C32).
    ///
    /// The time counts from now; zero acts as 1 ms. Data, revision, deadline and the
    /// position in the list are kept. Leases that ended are forgotten, so that no pause delays the turn.
    ///
    /// # Errors
    /// Nothing is changed on:
    /// - `NotFound`: there is no such session.
    /// - `InvalidInput`: the timeout is not before the deadline of the session, or the store does not
    ///   implement the method.
    /// - `Conflict`: a live claim holds the wait (C16), or the session does not wait, or its wait is closed
    ///   ([`Conflict::NotWaiting`](crate::Conflict::NotWaiting)).
    async fn set_timeout(
        &self,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        let _unused = (key, timeout);
        Err(not_implemented("set_timeout"))
    }

    /// As [`set_timeout`](Self::set_timeout), if the caller is the session's owner (C38). Both are one
    /// atomic step.
    ///
    /// # Errors
    /// Nothing is changed on:
    /// - `NotFound`: there is no such session, or it has another owner than `ctx`.
    /// - `InvalidInput`: as for `set_timeout`, or the context is contradictory or breaks the id grammar
    ///   (C1).
    /// - `Conflict`: as for `set_timeout`.
    async fn set_timeout_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        let _unused = (ctx, key, timeout);
        Err(not_implemented("set_timeout_fenced"))
    }

    /// Checks the backend: its round trip, its version, and settings that endanger data.
    ///
    /// # Errors
    /// - `Unavailable` or `Timeout`: the backend does not answer.
    async fn health(&self) -> SessionResult<Health>;

    /// Reads about `limit` of the stored entries and returns the sessions that match a filter,
    /// without their payloads (C21).
    ///
    /// A session that exists from the first page to the last is on exactly one page. On Redis it
    /// can be on more than one, while the server resizes its tables. Other calls are not blocked.
    /// `limit` is at most [`MAX_PAGE`].
    ///
    /// # Errors
    /// - `InvalidInput`: the cursor is of another store, or the filter has an id that no session
    ///   can have.
    /// - `Conflict`: the servers changed since the walk began
    ///   ([`Conflict::StaleCursor`](crate::Conflict::StaleCursor)).
    async fn scan(
        &self,
        filter: &ScanFilter,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ScanPage>;

    /// Counts the sessions that match a filter, by a complete scan (C21).
    ///
    /// # Errors
    /// As for [`scan`](Self::scan).
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

    /// Reads about `limit` of the stored entries and erases those of the selected owners: sessions,
    /// waits, start claims, look-ups and remembered message ids (C22).
    ///
    /// Each owner is erased in bounded steps: sessions first, message ids last. Claims do not prevent it;
    /// the token of a session that is gone is invalid.
    /// Data that is stored during the walk may remain: to be certain, walk again until nothing is
    /// found.
    ///
    /// # Errors
    /// - `InvalidInput`: the cursor is of another store, or the selection has an id that no owner
    ///   can have.
    /// - `Conflict`: as for [`scan`](Self::scan).
    async fn erase(
        &self,
        selection: &OwnerSelection,
        mode: EraseMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ErasePage>;

    /// Compares about `limit` sessions and index entries with each other, and repairs
    /// contradictions if `mode` says so (C23).
    ///
    /// # Errors
    /// - `InvalidInput`: the cursor is of another store.
    /// - `Conflict`: as for [`scan`](Self::scan).
    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage>;

    /// Sets the deadline of a session to `ttl` from now, and returns it (C24).
    ///
    /// The deadlines of its wait and look-ups change in the same atomic step; data, revision, wait
    /// and claim are kept, and so is the TTL that [`Ttl::Keep`] means.
    ///
    /// # Errors
    /// - `NotFound`: there is no such session.
    async fn extend(&self, key: &SessionKey, ttl: Ttl) -> SessionResult<Option<Timestamp>>;

    /// As [`extend`](Self::extend), if the caller is the session's owner (C38). Both are one atomic
    /// step.
    ///
    /// # Errors
    /// - `NotFound`: there is no such session, or it has another owner than `ctx`.
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1), or the store does
    ///   not implement the method.
    async fn extend_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        ttl: Ttl,
    ) -> SessionResult<Option<Timestamp>> {
        let _unused = (ctx, key, ttl);
        Err(not_implemented("extend_fenced"))
    }

    /// Ends the claim of another worker: its token becomes invalid, and the wait can be claimed at
    /// once (C25).
    ///
    /// For a worker that hangs with a long lease. The store cannot stop what the worker does
    /// elsewhere.
    ///
    /// # Errors
    /// - `NotFound`: there is no such session.
    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome>;

    /// As [`revoke`](Self::revoke), if the caller is the session's owner (C38). Both are one atomic
    /// step.
    ///
    /// # Errors
    /// - `NotFound`: there is no such session, or it has another owner than `ctx`.
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1), or the store does
    ///   not implement the method.
    async fn revoke_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<RevokeOutcome> {
        let _unused = (ctx, key);
        Err(not_implemented("revoke_fenced"))
    }

    /// Reads about `limit` of the stored entries, to import them into another store (C26).
    ///
    /// It returns the sessions that [`scan`](Self::scan) finds, with their payloads, and the
    /// remembered message ids.
    ///
    /// # Errors
    /// - `InvalidInput`: the cursor is of another store.
    /// - `Conflict`: as for [`scan`](Self::scan).
    async fn export(&self, after: Option<&ScanCursor>, limit: usize) -> SessionResult<ExportPage>;

    /// Counts about `limit` of the stored sessions and replies by the key that they are sealed with, and
    /// seals them anew if `mode` says so (C37).
    ///
    /// Each is replaced only if it is still as it was read. Revision, deadline, wait and claim are kept,
    /// and a worker that has a claim notices nothing. Every write seals with the current key anyway.
    ///
    /// # Errors
    /// - `InvalidInput`: the store was opened without encryption, the cursor is of another store, or
    ///   data is to be stored in clear that the store would refuse.
    /// - `Unavailable`: the vault does not answer.
    /// - `Conflict`: as for [`scan`](Self::scan).
    #[cfg(feature = "encryption")]
    async fn reseal(
        &self,
        mode: ResealMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ResealPage> {
        let _unused = (mode, after, limit);
        Err(not_implemented("reseal"))
    }

    /// Stores an exported record (C26).
    ///
    /// Key, owner, data, revision, deadline, scope, attempt and the order of an owner's waits are
    /// kept. Claims are not imported. Message ids are added to those already remembered, in atomic
    /// steps; of more than the store remembers, the oldest are left out.
    ///
    /// # Errors
    /// Nothing is changed on:
    /// - `InvalidInput`: the record is contradictory or exceeds a limit, or its key belongs to
    ///   another owner (C4).
    /// - `Conflict`: a live claim holds what would be replaced (C16).
    async fn import(&self, record: ExportRecord, mode: ImportMode) -> SessionResult<ImportOutcome>;
}

fn not_implemented(operation: &str) -> GreenticError {
    invalid_input(format!("this store does not implement {operation}"))
}
