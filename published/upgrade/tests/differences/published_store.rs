//! A store of 1.2.0 as a store of this version: both have the same nine methods.

use std::time::Duration;

use greentic_session::{ReplyScope, SessionData, SessionKey, SessionResult, store::SessionStore};
use greentic_types::{TenantCtx, UserId};

pub struct PublishedStore(pub Box<dyn published::store::SessionStore>);

impl SessionStore for PublishedStore {
    fn create_session(&self, ctx: &TenantCtx, data: SessionData) -> SessionResult<SessionKey> {
        self.0.create_session(ctx, data)
    }

    fn get_session(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        self.0.get_session(key)
    }

    fn update_session(&self, key: &SessionKey, data: SessionData) -> SessionResult<()> {
        self.0.update_session(key, data)
    }

    fn remove_session(&self, key: &SessionKey) -> SessionResult<()> {
        self.0.remove_session(key)
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
        self.0
            .register_wait(ctx, user_id, scope, session_key, data, ttl)
    }

    fn find_wait_by_scope(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        self.0.find_wait_by_scope(ctx, user_id, scope)
    }

    fn list_waits_for_user(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
    ) -> SessionResult<Vec<SessionKey>> {
        self.0.list_waits_for_user(ctx, user_id)
    }

    fn clear_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<()> {
        self.0.clear_wait(ctx, user_id, scope)
    }

    fn find_by_user(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
    ) -> SessionResult<Option<(SessionKey, SessionData)>> {
        self.0.find_by_user(ctx, user)
    }
}
