//! The conformance suite on a custom store: a decorator that counts calls, with the blocking API
//! only. Run it with `--features conformance`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]
#![allow(deprecated, reason = "find_by_user is one of the nine")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use greentic_session::conformance::{Need, Subject, run};
use greentic_session::{
    ReplyScope, SessionBackendConfig, SessionData, SessionKey, SessionResult, SessionStore,
    create_session_store,
};
use greentic_types::{TenantCtx, UserId};

fn main() -> SessionResult<()> {
    let store = Arc::new(Counting {
        inner: create_session_store(SessionBackendConfig::InMemory)?,
        calls: AtomicUsize::new(0),
    });
    let subject = Subject::blocking_api(Arc::clone(&store) as _)
        .without(Need::AllOperations, "it has the blocking API only")
        .without(Need::Clock, "it uses the system clock")
        .without(Need::Options, "it takes no options")
        .without(Need::Reopen, "it does not persist data");
    let report = run(&subject);
    println!("{report}\n{} calls", store.calls.load(Ordering::Relaxed));
    report.assert_complete();
    Ok(())
}

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
