//! A namespace for one test on a Redis server.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use greentic_session::{RedisConfig, RedisSessionStore, StoreOptions};
use greentic_session_testkit::{RedisServer, Reply, TestRedis, any_redis, own_servers};

/// A namespace that no other test uses; its keys are removed when it is dropped.
pub struct Space {
    redis: Arc<TestRedis>,
    pub namespace: String,
    /// A namespace inside another one, which removes its keys.
    inner: bool,
}

impl Space {
    /// On any Redis. None if the test `name` is to be skipped, which has been reported.
    pub fn shared(name: &str) -> Option<Self> {
        Some(Self::on(Arc::new(any_redis(name)?), name))
    }

    /// On a server that the test has for itself. None if it is to be skipped, which has been
    /// reported.
    pub fn alone(name: &str) -> Option<Self> {
        own_servers(name)?;
        Some(Self::on(Arc::new(RedisServer::start().into()), name))
    }

    pub fn on(redis: Arc<TestRedis>, name: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = name.rsplit("::").next().unwrap();
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
