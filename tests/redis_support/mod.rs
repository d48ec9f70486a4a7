//! A namespace of its own on a test's Redis, and samples.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use greentic_session::{
    RedisConfig, RedisSessionStore, ReplyScope, SessionData, SessionKey, StoreOptions,
};
use greentic_session_testkit::{RedisServer, Reply, TestRedis, redis_or_skip, servers_or_skip};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

/// A namespace that no other test uses; its keys go when it is dropped.
pub struct Space {
    redis: Arc<TestRedis>,
    pub namespace: String,
    /// A space under another one: its keys go with that one's.
    inner: bool,
}

impl Space {
    /// None if there is no Redis for the test `name`, which has been said.
    pub fn or_skip(name: &str) -> Option<Self> {
        Some(Self::on(Arc::new(redis_or_skip(name)?), name))
    }

    /// On a server that the test has for itself; None if the test is to be skipped, which has been
    /// said.
    pub fn alone_or_skip(name: &str) -> Option<Self> {
        let redis = || TestRedis::from(RedisServer::start());
        servers_or_skip(name).then(|| Self::on(Arc::new(redis()), name))
    }

    pub fn on(redis: Arc<TestRedis>, name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let namespace = format!("test:{name}-{}-{}-{count}", process::id(), now.as_micros());
        Self {
            redis,
            namespace,
            inner: false,
        }
    }

    /// Another namespace on the same server.
    pub fn another(&self, name: &str) -> Self {
        Self::on(Arc::clone(&self.redis), name)
    }

    /// The namespace of this name under this one.
    pub fn named(&self, name: &str) -> Self {
        Self {
            redis: Arc::clone(&self.redis),
            namespace: self.name(name),
            inner: true,
        }
    }

    pub fn url(&self) -> &str {
        self.redis.url()
    }

    pub fn store(&self) -> RedisSessionStore {
        self.store_with(StoreOptions::new())
    }

    pub fn store_with(&self, options: StoreOptions) -> RedisSessionStore {
        let config = RedisConfig::from_url(self.url()).unwrap();
        let config = config.namespace(&*self.namespace).options(options);
        RedisSessionStore::new(config).unwrap()
    }

    pub fn name(&self, rest: &str) -> String {
        format!("{}:{rest}", self.namespace)
    }

    pub fn command(&self, arguments: &[&str]) -> Reply {
        self.redis.command(arguments)
    }

    /// All keys of the namespace, sorted.
    pub fn keys(&self) -> Vec<String> {
        let pattern = self.name("*");
        let mut keys = Vec::new();
        let mut cursor = "0".to_owned();
        loop {
            let page = self.command(&["SCAN", &cursor, "MATCH", &pattern, "COUNT", "1000"]);
            let [next, found] = page.array() else {
                panic!("SCAN answers a cursor and keys")
            };
            keys.extend(found.texts());
            cursor = next.text();
            if cursor == "0" {
                keys.sort();
                keys.dedup();
                return keys;
            }
        }
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        if self.inner {
            return;
        }
        for key in self.keys() {
            let _ = self.command(&["DEL", &key]);
        }
    }
}

pub fn user(name: &str) -> UserId {
    UserId::try_from(name).unwrap()
}

/// A context of the tenant `acme`, in no team.
pub fn ctx(name: &str) -> TenantCtx {
    ctx_without_user().with_user(Some(user(name)))
}

pub fn ctx_without_user() -> TenantCtx {
    let env = EnvId::try_from("dev").unwrap();
    TenantCtx::new(env, TenantId::try_from("acme").unwrap())
}

pub fn data(ctx: &TenantCtx, state: &str) -> SessionData {
    SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait_input"),
        context_json: state.into(),
    }
}

pub fn scope(conversation: &str) -> ReplyScope {
    ReplyScope {
        conversation: conversation.into(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

pub fn key(name: &str) -> SessionKey {
    SessionKey::new(name)
}
