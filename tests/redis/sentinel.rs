//! Sentinel: failover, durability, and errors without a master.

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use greentic_session::store::SessionStore;
use greentic_session::{
    Blocking, CreateOptions, ErrorCode, OperationId, RedisConfig, RedisSessionStore, SessionKey,
};
use greentic_session_testkit::{
    FaultProxy, Flow, RedisServer, Reply, SentinelGroup, own_servers, require, wait_until,
};

use crate::samples::{ctx, data};
use crate::topology::load::{Load, Outcome};
use crate::topology::sentinel_url;

const LIMIT: Duration = Duration::from_secs(60);
/// How long the writers run before the fault, and after it.
const WARM: Duration = Duration::from_secs(1);

fn refusal(url: &str) -> String {
    let config = RedisConfig::from_url(url).unwrap();
    let config = config.connect_timeout(Duration::from_secs(2));
    let store = RedisSessionStore::new(config).unwrap();
    let error = store.get_session(&SessionKey::new("any")).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable, "{error}");
    error.message
}

#[test]
fn c17_errors_in_a_sentinel_url_are_reported() {
    require!(own_servers);
    let group = SentinelGroup::start(0);
    let sentinels = group.sentinel_addresses().join(",");
    let unknown = refusal(&format!("redis-sentinel://{sentinels}/other"));
    assert!(unknown.contains("knows no master `other`"), "{unknown}");

    let at_a_sentinel = refusal(&group.sentinels()[0].url());
    assert!(
        at_a_sentinel.contains("redis-sentinel://"),
        "{at_a_sentinel}"
    );

    let server = group.master().address();
    let at_a_server = refusal(&format!("redis-sentinel://{server}/main"));
    assert!(at_a_server.contains("is no sentinel"), "{at_a_server}");

    for sentinel in &group.sentinels()[..2] {
        sentinel.kill();
    }
    let store = RedisSessionStore::from_url(sentinel_url(&group)).unwrap();
    assert_eq!(store.get_session(&SessionKey::new("any")).unwrap(), None);
    group.sentinels()[2].kill();
    let gone = refusal(&sentinel_url(&group));
    assert!(gone.contains("cannot reach 127.0.0.1"), "{gone}");
}

#[test]
fn sentinels_and_servers_have_separate_passwords() {
    require!(own_servers);
    let group = SentinelGroup::start(0);
    for (servers, password) in [(group.sentinels(), "theirs"), (group.nodes(), "its")] {
        for server in servers {
            let set = match password {
                "its" => ["CONFIG", "SET", "requirepass", password].to_vec(),
                _ => ["ACL", "SETUSER", "default", "resetpass", ">theirs"].to_vec(),
            };
            let _ = server.command(&set).accepted();
        }
    }
    let config = RedisConfig::from_url(&sentinel_url(&group)).unwrap();
    let ask = |config| {
        let store = RedisSessionStore::new(config).unwrap();
        store.get_session(&SessionKey::new("any"))
    };
    let both = config.clone().password("its").sentinel_password("theirs");
    assert_eq!(ask(both).unwrap(), None);
    for config in [
        config.clone().password("its"),
        config.sentinel_password("theirs"),
    ] {
        let error = ask(config).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unavailable);
        assert!(error.message.contains("password"), "{error}");
    }
}

fn is_master(server: &RedisServer) -> bool {
    let role = server.try_command(&["ROLE"]);
    matches!(role, Ok(Reply::Array(fields)) if fields[0].text() == "master")
}

/// Kills the master under load. Returns the outcome of the calls, and how long after the promotion
/// the first one succeeded.
fn fail_over(config: impl FnOnce(RedisConfig) -> RedisConfig) -> (Outcome, Duration) {
    let group = SentinelGroup::start(1);
    let load = Load::on(config(
        RedisConfig::from_url(&sentinel_url(&group)).unwrap(),
    ));
    sleep(WARM);
    let old = group.kill_master();
    let replica = &group.nodes()[1];
    wait_until("the replica is promoted", LIMIT, || is_master(replica));
    let promoted = Instant::now();
    // The killed node returns as a replica, which min_replicas waits for.
    group.wait_for_failover(old.port());
    old.restart();
    wait_until("one follows the other", LIMIT, || {
        let follows = |node: &RedisServer| {
            // A sentinel closes a server's connections when it changes its role.
            let info = node.try_command(&["INFO", "replication"]);
            info.is_ok_and(|info| info.text().contains("state=online"))
        };
        group.nodes().iter().any(follows)
    });
    sleep(WARM);
    let outcome = load.end();
    let recovery = outcome.recovery(promoted);
    (outcome, recovery)
}

#[test]
fn writes_continue_after_a_failover() {
    require!(own_servers);
    let (outcome, recovery) = fail_over(|config| config);
    println!("Sentinel: {outcome}; all writers back {recovery:?} after the promotion");
    assert!(outcome.acknowledged() > 0);
}

#[test]
fn min_replicas_loses_nothing_in_a_failover() {
    require!(own_servers);
    let second = Duration::from_secs(1);
    let (outcome, recovery) = fail_over(|config| config.min_replicas(1, second));
    println!(
        "Sentinel, min_replicas 1: {outcome}; all writers back {recovery:?} after the promotion"
    );
    assert_eq!(outcome.lost, 0, "{outcome}");
}

/// Also a repeat, which finds its work done and writes nothing.
#[test]
fn c17_a_replica_that_lags_causes_a_timeout() {
    require!(own_servers);
    let master = RedisServer::start();
    let proxy = FaultProxy::start(&master.address());
    let port = proxy.address().port();
    let _replica = RedisServer::builder()
        .config("replicaof", &format!("127.0.0.1 {port}"))
        .start();
    wait_until("the replica is in step", LIMIT, || {
        let info = master.command(&["INFO", "replication"]).text();
        info.contains("state=online")
    });
    let config = RedisConfig::from_url(&master.url()).unwrap();
    let config = config
        .min_replicas(1, Duration::from_secs(2))
        .connections(3);
    let store = Blocking::from(Arc::new(RedisSessionStore::new(config).unwrap()));
    let (ctx, key) = (ctx("anna"), SessionKey::new("run-1"));
    let create = || {
        let options = CreateOptions::new().key(key.clone());
        let operation = OperationId::from_u128(7);
        store.create(&ctx, data(&ctx, "{}"), options.operation(operation))
    };
    proxy.replies(Flow::Swallow);
    for _ in 0..4 {
        let error = create().unwrap_err();
        assert_eq!(error.code, ErrorCode::Timeout);
        assert!(error.message.contains("0 of 1 replicas"), "{error}");
    }
    assert_eq!(store.get(&key).unwrap().unwrap().revision, 1);
}
