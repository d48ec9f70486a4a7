//! The blocking surface of greentic-session 1.2: a decorator that implements its nine methods, and
//! nothing else, compiles and works.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greentic_session::{
    ReplyScope, SessionBackendConfig, SessionData, SessionKey, SessionResult, create_session_store,
    store::SessionStore,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

struct Counting {
    inner: Box<dyn SessionStore>,
    calls: AtomicUsize,
}

impl Counting {
    fn counted(&self) -> &dyn SessionStore {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.inner.as_ref()
    }
}

impl SessionStore for Counting {
    fn create_session(&self, ctx: &TenantCtx, data: SessionData) -> SessionResult<SessionKey> {
        self.counted().create_session(ctx, data)
    }

    fn get_session(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        self.counted().get_session(key)
    }

    fn update_session(&self, key: &SessionKey, data: SessionData) -> SessionResult<()> {
        self.counted().update_session(key, data)
    }

    fn remove_session(&self, key: &SessionKey) -> SessionResult<()> {
        self.counted().remove_session(key)
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
        self.counted()
            .register_wait(ctx, user_id, scope, session_key, data, ttl)
    }

    fn find_wait_by_scope(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        self.counted().find_wait_by_scope(ctx, user_id, scope)
    }

    fn list_waits_for_user(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
    ) -> SessionResult<Vec<SessionKey>> {
        self.counted().list_waits_for_user(ctx, user_id)
    }

    fn clear_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<()> {
        self.counted().clear_wait(ctx, user_id, scope)
    }

    fn find_by_user(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
    ) -> SessionResult<Option<(SessionKey, SessionData)>> {
        self.counted().find_by_user(ctx, user)
    }
}

#[test]
fn a_decorator_of_the_nine_methods_works() {
    let store = Counting {
        inner: create_session_store(SessionBackendConfig::InMemory).unwrap(),
        calls: AtomicUsize::new(0),
    };
    let user = UserId::try_from("user-7").unwrap();
    let ctx = TenantCtx::new(
        EnvId::try_from("dev").unwrap(),
        TenantId::try_from("tenant-42").unwrap(),
    )
    .with_user(Some(user.clone()));
    let data = SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait_input"),
        context_json: "{}".into(),
    };
    let scope = ReplyScope {
        conversation: "chat-1".into(),
        thread: None,
        reply_to: None,
        correlation: None,
    };
    let key = SessionKey::new("run-1");

    let created = store.create_session(&ctx, data.clone()).unwrap();
    let found = store.find_by_user(&ctx, &user).unwrap();
    let expected = (!cfg!(feature = "compat-1-2")).then_some(&created);
    assert_eq!(found.as_ref().map(|(key, _)| key), expected);
    store
        .register_wait(&ctx, &user, &scope, &key, data.clone(), None)
        .unwrap();
    let found = store.find_wait_by_scope(&ctx, &user, &scope).unwrap();
    assert_eq!(found.as_ref(), Some(&key));
    assert_eq!(
        store.list_waits_for_user(&ctx, &user).unwrap(),
        std::slice::from_ref(&key)
    );
    store.update_session(&key, data.clone()).unwrap();
    assert_eq!(store.get_session(&key).unwrap(), Some(data));
    store.clear_wait(&ctx, &user, &scope).unwrap();
    assert_eq!(store.get_session(&key).unwrap(), None);
    store.remove_session(&created).unwrap();
    assert_eq!(store.calls.into_inner(), 10);
}
