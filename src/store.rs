//! The blocking face: the nine methods of greentic-session 1.2.

use std::time::Duration;

use greentic_types::{ReplyScope, SessionData, SessionKey, TenantCtx, UserId};

use crate::error::SessionResult;

/// Stores paused flows and finds the one that a message answers; blocking.
///
/// All methods may be called from anywhere: from a thread without a runtime, from inside any async
/// runtime, from a blocking pool (C19). In async code prefer
/// [`AsyncSessionStore`](crate::AsyncSessionStore), which blocks no worker and can do more; to get
/// the same in blocking form, see [`Blocking`](crate::Blocking).
///
/// Each call is atomic, and safe to repeat when its outcome is unknown (C14).
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
    /// Stores a new session under a fresh key that cannot be guessed, and returns the key.
    ///
    /// `find_by_user` finds it from now on, unless the store sees waits only
    /// ([`StoreOptions::find_by_user`](crate::StoreOptions#structfield.find_by_user)). It gets the store's
    /// default TTL.
    ///
    /// # Errors
    /// `InvalidInput` if `ctx` and `data` disagree (C2), break the id grammar (C1), or the data is
    /// over the size limit (C8); else as in [`error`](crate::error).
    fn create_session(&self, ctx: &TenantCtx, data: SessionData) -> SessionResult<SessionKey>;

    /// Reads a session; none if there is none or its deadline has come (C12).
    ///
    /// # Errors
    /// `Internal` if what is stored cannot be read; it is left as it is. Else as in
    /// [`error`](crate::error).
    fn get_session(&self, key: &SessionKey) -> SessionResult<Option<SessionData>>;

    /// Replaces the data of a session; its deadline, wait and look-ups stay (C7).
    ///
    /// # Errors
    /// `NotFound` if there is no such session; `InvalidInput` if the data is another owner's (C3) or
    /// too large (C8); `Conflict` while a claim is live (C16). Nothing is changed then.
    fn update_session(&self, key: &SessionKey, data: SessionData) -> SessionResult<()>;

    /// Removes a session with its wait and look-ups (C7).
    ///
    /// # Errors
    /// `NotFound` if there is no such session; `Conflict` while a claim is live (C16).
    fn remove_session(&self, key: &SessionKey) -> SessionResult<()>;

    /// Stores a session and routes the scope to it, in one atomic step (C9).
    ///
    /// The same session under another scope moves. Another session on the same scope is displaced:
    /// it stays readable by its key, but waits no more. A `ttl` of none means the store's default
    /// TTL, else none; zero acts as 1 ms (C12).
    ///
    /// # Errors
    /// `InvalidInput` if `ctx`, `user_id` and `data` do not name one owner (C2), the key belongs to
    /// another owner (C4), or a limit is passed; `Conflict` if a live claim holds the session or
    /// the scope (C16). Nothing is changed then.
    fn register_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
        session_key: &SessionKey,
        data: SessionData,
        ttl: Option<Duration>,
    ) -> SessionResult<()>;

    /// Finds the session that waits on a scope (C10).
    ///
    /// # Errors
    /// `InvalidInput` if the context contradicts itself or breaks the id grammar (C1).
    fn find_wait_by_scope(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>>;

    /// Lists the sessions of a user that wait, in order of registration (C10).
    ///
    /// # Errors
    /// `InvalidInput` if the context contradicts itself or breaks the id grammar (C1).
    fn list_waits_for_user(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
    ) -> SessionResult<Vec<SessionKey>>;

    /// Removes the wait on a scope and its session; does nothing where none waits (C11).
    ///
    /// # Errors
    /// `InvalidInput` if `ctx` and `user_id` do not name one owner; `Conflict` while a claim is
    /// live (C16).
    fn clear_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<()>;

    /// Finds the session of a user: the one that waits, else the latest that was created (C6).
    ///
    /// A store that sees waits only, as greentic-session 1.2.0 does, answers none in the second case:
    /// see [`FindByUser`](crate::FindByUser).
    ///
    /// # Errors
    /// `InvalidInput` that says "multiple waits" if more than one session waits.
    #[deprecated(note = "use find_wait_by_scope or list_waits_for_user instead")]
    fn find_by_user(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
    ) -> SessionResult<Option<(SessionKey, SessionData)>>;
}
