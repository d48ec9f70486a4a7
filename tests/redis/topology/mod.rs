//! Redis in each topology, as real processes.
#![allow(dead_code)]

pub mod claims;
pub mod load;

use std::time::Duration;

use greentic_session::RedisConfig;
use greentic_session_testkit::{RedisCluster, RedisServer, SentinelGroup, ServerBinary, TlsFiles};

/// The servers behind a store.
pub enum Servers {
    Single(RedisServer),
    Tls(RedisServer),
    Sentinel(SentinelGroup),
    Cluster(RedisCluster),
}

impl Servers {
    pub fn single() -> Self {
        Self::Single(RedisServer::start())
    }

    pub fn valkey() -> Self {
        Self::Single(RedisServer::builder().binary(ServerBinary::Valkey).start())
    }

    /// A server that asks its clients for a certificate.
    pub fn tls() -> Self {
        let server = RedisServer::builder()
            .tls(TlsFiles::one())
            .config("tls-auth-clients", "yes")
            .start();
        Self::Tls(server)
    }

    pub fn sentinel() -> Self {
        Self::Sentinel(SentinelGroup::start(1))
    }

    pub fn cluster() -> Self {
        Self::Cluster(RedisCluster::start())
    }

    pub fn config(&self) -> RedisConfig {
        let url = match self {
            Self::Single(server) => server.url(),
            Self::Tls(server) => server.tls_url(),
            Self::Sentinel(group) => sentinel_url(group),
            Self::Cluster(cluster) => cluster_url(cluster),
        };
        let config = RedisConfig::from_url(&url).unwrap();
        match self {
            Self::Tls(_) => with_certificates(config, TlsFiles::one()),
            // The pointer of a session that expired is removed by the sweep, once it is older than
            // twice the response timeout.
            Self::Cluster(_) => config
                .response_timeout(Duration::from_millis(1500))
                .pointer_sweep(Some(Duration::from_millis(500)))
                .due_coverage(Some(Duration::from_secs(2))),
            _ => config,
        }
    }

    /// The servers that take writes.
    pub fn masters(&self) -> Vec<&RedisServer> {
        match self {
            Self::Single(server) | Self::Tls(server) => vec![server],
            Self::Sentinel(group) => vec![group.master()],
            Self::Cluster(cluster) => {
                let masters = cluster.masters().into_iter();
                masters.map(|index| &cluster.nodes()[index]).collect()
            }
        }
    }

    /// How many keys of the namespace there are.
    pub fn count(&self, namespace: &str) -> usize {
        let pattern = format!("{namespace}:*");
        let masters = self.masters();
        masters.iter().map(|server| count(server, &pattern)).sum()
    }
}

pub fn sentinel_url(group: &SentinelGroup) -> String {
    let sentinels = group.sentinel_addresses().join(",");
    format!("redis-sentinel://{sentinels}/{}", group.master_name())
}

pub fn cluster_url(cluster: &RedisCluster) -> String {
    let seeds: Vec<_> = cluster.nodes().iter().map(RedisServer::address).collect();
    format!("redis-cluster://{}", seeds[..3].join(","))
}

/// The authority, and the server's own certificate as the client's.
pub fn with_certificates(config: RedisConfig, files: TlsFiles) -> RedisConfig {
    config
        .tls_authority(files.authority)
        .tls_identity(files.certificate, files.key)
}

/// What a removed session leaves for a minute, and the lease of the sweep, on a Cluster (C13).
fn is_expected(server: &RedisServer, key: &str) -> bool {
    let is_one = key.contains("}:fence:") || key.ends_with(":sweep");
    is_one && (0..=60_000).contains(&server.command(&["PTTL", key]).int())
}

fn count(server: &RedisServer, pattern: &str) -> usize {
    let mut found = 0;
    let mut cursor = "0".to_owned();
    loop {
        let page = server.command(&["SCAN", &cursor, "MATCH", pattern, "COUNT", "1000"]);
        let [next, keys] = page.array() else {
            panic!("SCAN answers a cursor and keys")
        };
        let keys = keys.texts();
        found += keys.iter().filter(|key| !is_expected(server, key)).count();
        cursor = next.text();
        if cursor == "0" {
            return found;
        }
    }
}
