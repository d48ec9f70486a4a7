//! Servers: start, crash and recovery.

use std::panic::catch_unwind;
use std::process::Command;
use std::thread;

use greentic_session_testkit::{
    Endpoint, RedisServer, Reply, RespClient, TlsFiles, any_redis, own_servers, require,
};

fn is_ok(reply: &Reply) -> bool {
    *reply == Reply::Status("OK".to_owned())
}

#[test]
fn answers_every_kind_of_reply() {
    let redis = require!(any_redis);
    let key = format!("testkit:{}:kinds", std::process::id());
    assert!(is_ok(&redis.command(&["SET", &key, "a\r\nb"])));
    assert_eq!(
        redis.command(&["GET", &key]),
        Reply::Bulk(b"a\r\nb".to_vec())
    );
    assert!(redis.command(&["HGETALL", &key]).is_error());
    assert_eq!(redis.command(&["PTTL", &key]).int(), -1);
    assert_eq!(redis.command(&["MGET", &key]).texts(), ["a\r\nb"]);
    assert_eq!(redis.command(&["DEL", &key]).int(), 1);
    assert_eq!(redis.command(&["GET", &key]), Reply::Nil);
}

#[test]
fn the_shared_server_is_one() {
    let (one, two) = (require!(any_redis), require!(any_redis));
    assert_eq!(one.url(), two.url());
}

#[test]
fn a_durable_server_keeps_its_data_over_a_crash() {
    require!(own_servers);
    let server = RedisServer::builder().durable().start();
    let (port, pid) = (server.port(), server.pid());
    assert!(is_ok(&server.command(&["SET", "key", "value"])));
    server.kill();
    assert!(!server.is_running());
    assert!(server.try_command(&["PING"]).is_err());
    server.restart();
    assert_eq!(server.port(), port);
    assert_ne!(server.pid(), pid);
    assert_eq!(server.command(&["GET", "key"]).text(), "value");
}

#[test]
fn any_other_server_loses_its_data() {
    require!(own_servers);
    let server = RedisServer::start();
    assert!(is_ok(&server.command(&["SET", "key", "value"])));
    server.restart();
    assert_eq!(server.command(&["DBSIZE"]).int(), 0);
    assert!(server.log().contains("Ready to accept connections"));
}

#[test]
fn options_reach_the_server() {
    require!(own_servers);
    let server = RedisServer::builder()
        .password("secret")
        .config("maxmemory-policy", "allkeys-lru")
        .config("user", "alice on >wonder ~* +@all")
        .start();
    let policy = server.command(&["CONFIG", "GET", "maxmemory-policy"]);
    assert_eq!(policy.texts(), ["maxmemory-policy", "allkeys-lru"]);
    let url = format!("redis://alice:wonder@{}/3", server.address());
    let alice = Endpoint::parse(&url).unwrap();
    let mut client = RespClient::connect(&alice).unwrap();
    let name = client.command(&["ACL", "WHOAMI"]).unwrap();
    assert_eq!(name.text(), "alice");
    let endpoint = Endpoint::local(server.port());
    let mut client = RespClient::connect(&endpoint).unwrap();
    assert!(client.command(&["DBSIZE"]).unwrap().is_error());
    assert!(Endpoint::parse(&server.url()).is_some());
}

#[test]
fn a_wrong_option_is_a_failure() {
    require!(own_servers);
    let wrong = || RedisServer::builder().config("no-such-option", "1").start();
    let panic = catch_unwind(wrong).err().unwrap();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("no-such-option"), "{message}");
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    require!(own_servers);
    let server = thread::spawn(RedisServer::start).join().unwrap();
    assert_eq!(server.command(&["DBSIZE"]).int(), 0);
    assert!(server.is_running());
}

#[test]
fn a_dropped_server_leaves_nothing() {
    require!(own_servers);
    let server = RedisServer::start();
    let directory = server.directory().to_owned();
    let pid = server.pid().unwrap().to_string();
    drop(server);
    assert!(!directory.exists());
    let alive = Command::new("sh")
        .args(["-c", "kill -0 \"$0\" 2>&-", &pid])
        .status();
    assert!(!alive.unwrap().success());
}

#[test]
fn urls_are_parsed() {
    let read = |url| Endpoint::parse(url);
    let plain = read("redis://localhost").unwrap();
    assert_eq!((plain.host.as_str(), plain.port), ("localhost", 6379));
    let full = read("redis://al%40ice:p%3Aw@[::1]:7000/2?protocol=resp3").unwrap();
    assert_eq!((full.host.as_str(), full.port), ("::1", 7000));
    assert_eq!(full.username.as_deref(), Some("al@ice"));
    assert_eq!(full.password.as_deref(), Some("p:w"));
    assert_eq!(full.database, 2);
    assert!(read("rediss://localhost").is_none());
    assert!(read("redis://localhost/x").is_none());
}

#[test]
fn a_server_with_tls_uses_the_certificates() {
    require!(own_servers);
    let server = RedisServer::builder().tls(TlsFiles::one()).start();
    let port = server.command(&["CONFIG", "GET", "tls-port"]).texts()[1].clone();
    assert_eq!(server.tls_url(), format!("rediss://localhost:{port}/"));
}
