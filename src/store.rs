//! The blocking API: the nine methods of greentic-session 1.2.

use std::time::Duration;

use greentic_types::{ReplyScope, SessionData, SessionKey, TenantCtx, UserId};

use crate::error::SessionResult;

/// Stores paused flows and finds the one that a message answers: the blocking API.
///
/// Every method can be called on any thread, also inside an async runtime (C19). In async code
/// prefer [`AsyncSessionStore`](crate::AsyncSessionStore): it does not block the thread, and has
/// more operations. [`Blocking`](crate::Blocking) offers those to blocking callers.
///
/// Each call is atomic, except that a list of many waits is read in pages (C10). A call that ended in
/// `Timeout` can be repeated, except `create_session`: each repeat of it can store another session
/// (C14).
///
/// Besides the errors that a method names, it can return those of the backend: `Unavailable`,
/// `Timeout`, `RateLimited` and `Internal`; see [`error`](crate::error).
///
/// ```
/// use greentic_session::{SessionBackendConfig, SessionData, create_session_store};
/// use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
///
/// # fn main() -> greentic_session::SessionResult<()> {
/// let store = create_session_store(SessionBackendConfig::InMemory)?;
/// let user = UserId::try_from("user-7")?;
/// let ctx = TenantCtx::new(EnvId::try_from("dev")?, TenantId::try_from("tenant-42")?)
///     .with_user(Some(user));
/// let data = SessionData {
///     tenant_ctx: ctx.clone(),
///     flow_id: FlowId::try_from("support.flow")?,
///     pack_id: None,
///     cursor: SessionCursor::new("node.wait_input"),
///     context_json: "{\"ticket\":123}".into(),
/// };
/// let key = store.create_session(&ctx, data.clone())?;
/// assert_eq!(store.get_session(&key)?, Some(data));
/// # Ok(())
/// # }
/// ```
pub trait SessionStore: Send + Sync + 'static {
    /// Stores a new session under a new random key, and returns the key.
    ///
    /// The session becomes the latest of its user, which `find_by_user` returns if none waits (C6),
    /// unless [`StoreOptions::find_by_user`](crate::StoreOptions#structfield.find_by_user) is set
    /// to waits only. It gets the store's default TTL.
    ///
    /// # Errors
    /// - `InvalidInput`: `ctx` and `data` name different owners (C2) or break the id grammar (C1),
    ///   or the data exceeds the size limit (C8).
    fn create_session(&self, ctx: &TenantCtx, data: SessionData) -> SessionResult<SessionKey>;

    /// Reads a session by its key. Returns `None` if it does not exist or has expired (C5, C12).
    ///
    /// # Errors
    /// - `InvalidInput`: the key is empty or too long.
    /// - `Internal`: the stored session cannot be read. It is left unchanged (C17).
    fn get_session(&self, key: &SessionKey) -> SessionResult<Option<SessionData>>;

    /// Replaces the data of a session. Its deadline, wait and look-ups are kept (C7).
    ///
    /// # Errors
    /// Nothing is changed on:
    /// - `NotFound`: there is no such session.
    /// - `InvalidInput`: the data has another owner (C3) or is too large (C8).
    /// - `Conflict`: a live claim holds the session (C16).
    fn update_session(&self, key: &SessionKey, data: SessionData) -> SessionResult<()>;

    /// Removes a session, its wait and its look-ups (C7).
    ///
    /// # Errors
    /// - `NotFound`: there is no such session.
    /// - `Conflict`: a live claim holds the session (C16).
    fn remove_session(&self, key: &SessionKey) -> SessionResult<()>;

    /// Stores a session that waits for an answer on a scope, in one atomic step (C9).
    ///
    /// If the session already waits on another scope, its wait moves. If another session waits on
    /// this scope, it is displaced: it stays readable by its key, but no longer waits.
    ///
    /// The session expires `ttl` from now; `None` means the store's default TTL, and without one
    /// the session has no deadline. Zero means 1 ms (C12).
    ///
    /// # Errors
    /// Nothing is changed on:
    /// - `InvalidInput`: `ctx`, `user_id` and `data` name different owners (C2), the key belongs to
    ///   another owner (C4), or a limit is exceeded.
    /// - `Conflict`: a live claim holds the session or the scope (C16).
    /// - `RateLimited`, with the source [`Quota::Waits`](crate::error::Quota::Waits): the owner has as
    ///   many live waits as it may have (C9).
    fn register_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
        session_key: &SessionKey,
        data: SessionData,
        ttl: Option<Duration>,
    ) -> SessionResult<()>;

    /// Returns the key of the session that waits on a scope (C10).
    ///
    /// # Errors
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1), or the scope
    ///   is too long.
    fn find_wait_by_scope(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>>;

    /// Returns the keys of a user's waiting sessions, in order of registration (C10).
    ///
    /// # Errors
    /// - `InvalidInput`: the context is contradictory or breaks the id grammar (C1).
    fn list_waits_for_user(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
    ) -> SessionResult<Vec<SessionKey>>;

    /// Removes the session that waits on a scope, with its wait. Does nothing if none waits (C11).
    ///
    /// # Errors
    /// - `InvalidInput`: `ctx` and `user_id` name different owners, or the scope is too long.
    /// - `Conflict`: a live claim holds the wait (C16).
    fn clear_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<()>;

    /// Returns the session of a user: the one that waits, or else the one created last (C6).
    ///
    /// If [`FindByUser`](crate::FindByUser) is set to waits only, as in greentic-session 1.2.0, it
    /// returns `None` in the second case.
    ///
    /// # Errors
    /// - `InvalidInput`: more than one session waits (the message contains "multiple waits"), or
    ///   the context is contradictory or breaks the id grammar (C1).
    #[deprecated(note = "use find_wait_by_scope or list_waits_for_user instead")]
    fn find_by_user(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
    ) -> SessionResult<Option<(SessionKey, SessionData)>>;
}
