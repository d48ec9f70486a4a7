//! A fresh store for one case, and the answers of calls as the document writes them.

use std::time::Duration;

use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::store::SessionStore;
use greentic_session::{ErrorCode, FindByUser, SessionData, SessionResult, StoreOptions};
use greentic_types::{SessionKey, TenantCtx, UserId};

use crate::published_store::PublishedStore;
use crate::samples::{data, key, scope};
use crate::space::Space;

/// A store without sessions.
pub struct Play {
    pub store: Box<dyn SessionStore>,
    /// Where its keys are, if it is on Redis.
    pub space: Option<Space>,
    pub is_published: bool,
}

impl Play {
    pub fn published_memory() -> Self {
        let store = published::inmemory::InMemorySessionStore::new();
        Self {
            store: Box::new(PublishedStore(Box::new(store))),
            space: None,
            is_published: true,
        }
    }

    pub fn published_redis(space: &Space) -> Self {
        let space = space.another("published");
        let config = published::SessionBackendConfig::RedisUrlWithNamespace {
            url: space.url().to_owned(),
            namespace: space.namespace.clone(),
        };
        let store = published::create_session_store(config).unwrap();
        Self {
            store: Box::new(PublishedStore(store)),
            space: Some(space),
            is_published: true,
        }
    }

    pub fn memory(found: FindByUser) -> Self {
        let options = StoreOptions::new().find_by_user(found);
        Self {
            store: Box::new(InMemorySessionStore::with_options(options)),
            space: None,
            is_published: false,
        }
    }

    pub fn redis(space: &Space, found: FindByUser) -> Self {
        let space = space.another("now");
        let options = StoreOptions::new().find_by_user(found);
        Self {
            store: Box::new(space.store_with(options)),
            space: Some(space),
            is_published: false,
        }
    }

    /// Registers a wait without a deadline for the context's user.
    pub fn park(&self, ctx: &TenantCtx, chat: &str, name: &str) -> &'static str {
        self.park_for(ctx, chat, name, None)
    }

    pub fn park_for(
        &self,
        ctx: &TenantCtx,
        chat: &str,
        name: &str,
        ttl: Option<Duration>,
    ) -> &'static str {
        let data = data(ctx, "{}");
        self.park_data(ctx, chat, name, data, ttl)
    }

    pub fn park_data(
        &self,
        ctx: &TenantCtx,
        chat: &str,
        name: &str,
        data: SessionData,
        ttl: Option<Duration>,
    ) -> &'static str {
        let user = user_of(ctx);
        let parked = self
            .store
            .register_wait(ctx, &user, &scope(chat), &key(name), data, ttl);
        done(parked)
    }

    pub fn find(&self, ctx: &TenantCtx, user: &UserId, chat: &str) -> &'static str {
        found(self.store.find_wait_by_scope(ctx, user, &scope(chat)))
    }

    pub fn get(&self, key: &SessionKey) -> &'static str {
        found(self.store.get_session(key))
    }

    /// Waits until a session is gone, without a read of it through a memory store of 1.2.0.
    pub fn wait_until_gone(&self, name: &str) {
        if self.is_published && self.space.is_none() {
            return; // With a TTL of zero it is gone at once.
        }
        let limit = Duration::from_secs(60);
        greentic_session_testkit::wait_until("the session is gone", limit, || {
            self.get(&key(name)) == "none"
        });
    }
}

pub fn user_of(ctx: &TenantCtx) -> UserId {
    ctx.user_id.clone().unwrap()
}

/// The answer of a call without a result.
pub fn done<T>(result: SessionResult<T>) -> &'static str {
    result.map_or_else(|error| code(&error.code), |_| "done")
}

/// The answer of a call that finds something.
pub fn found<T>(result: SessionResult<Option<T>>) -> &'static str {
    match result {
        Ok(Some(_)) => "found",
        Ok(None) => "none",
        Err(error) => code(&error.code),
    }
}

fn code(code: &ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidInput => "InvalidInput",
        ErrorCode::NotFound => "NotFound",
        ErrorCode::Unavailable => "Unavailable",
        ErrorCode::Internal => "Internal",
        other => panic!("{other:?}"),
    }
}
