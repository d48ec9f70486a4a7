use std::thread;

use greentic_session_testkit::{RedisServer, Reply as Answer, own_servers, require, wait_until};

use super::*;
use crate::ErrorCode;

#[test]
fn a_script_missing_in_the_cache_is_sent_again() {
    require!(own_servers);
    let server = RedisServer::start();
    let client = open(&config(&server.url()));
    for expected in 1..=3 {
        assert_eq!(count(&client).unwrap(), (expected, false));
        assert_eq!(
            server.command(&["SCRIPT", "FLUSH"]),
            Answer::Status("OK".to_owned())
        );
    }
}

#[test]
fn a_server_without_resp3_is_used_with_resp2() {
    require!(own_servers);
    for password in [None, Some("hunter2")] {
        let mut builder = RedisServer::builder().config("rename-command", "HELLO \"\"");
        if let Some(password) = password {
            builder = builder.password(password);
        }
        let server = builder.start();
        let client = open(&config(&format!("{}3", server.url())).connections(2));
        for expected in 1..=4 {
            assert_eq!(count(&client).unwrap(), (expected, false));
        }
    }
}

#[test]
fn c18_the_error_of_a_wrong_password_does_not_contain_it() {
    require!(own_servers);
    let old = ("rename-command", "HELLO \"\"");
    for server in [
        RedisServer::builder().password("right").start(),
        RedisServer::builder()
            .config(old.0, old.1)
            .password("right")
            .start(),
    ] {
        let wrong = format!("redis://:hunter2@{}", server.address());
        for url in [wrong, format!("redis://{}", server.address())] {
            let client = open(&config(&url));
            let error = count(&client).unwrap_err();
            assert_eq!(error.code, ErrorCode::Unavailable);
            assert!(error.message.contains("password"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}

#[test]
fn c17_a_missing_database_is_unavailable() {
    require!(own_servers);
    let server = RedisServer::start();
    let error = count(&open(&config(&format!("{}99", server.url())))).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("database 99"), "{error}");
}

#[test]
fn c17_a_call_refused_by_a_replica_is_retried() {
    require!(own_servers);
    let server = RedisServer::start();
    let make_replica = || server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    let _ = make_replica();

    let hasty = open(&config(&server.url()).connect_timeout(SOON));
    let error = count(&hasty).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("READONLY"), "{error}");

    let patient = open(&config(&server.url()));
    let _ = server.command(&["CONFIG", "RESETSTAT"]);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| count(&patient));
        wait_until("the call is refused", NEVER, || refused_calls(&server));
        let _ = server.command(&["REPLICAOF", "NO", "ONE"]);
        assert_eq!(waiting.join().unwrap().unwrap(), (1, false));
    });
    assert_eq!(count(&hasty).unwrap(), (2, false));
}

fn refused_calls(server: &RedisServer) -> bool {
    let Answer::Bulk(stats) = server.command(&["INFO", "errorstats"]) else {
        return false;
    };
    String::from_utf8_lossy(&stats).contains("READONLY")
}

#[test]
fn c17_a_server_out_of_memory_is_rate_limited() {
    require!(own_servers);
    let server = RedisServer::start();
    let client = open(&config(&server.url()));
    let _ = server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(count(&client).unwrap_err().code, ErrorCode::RateLimited);
    let _ = server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(count(&client).unwrap(), (1, false));
}

#[test]
fn c17_a_refusal_to_wait_for_replicas_names_the_command() {
    require!(own_servers);
    let server = RedisServer::start();
    let user = ["ACL", "SETUSER", "limited", "on", "nopass", "~*", "+@all"];
    let _ = server.command(&[&user[..], &["-wait"]].concat()).accepted();
    let url = server.url().replace("redis://", "redis://limited@");
    let client = open(&config(&url).min_replicas(1, SOON));
    let error = count(&client).unwrap_err();
    assert_eq!(error.code, ErrorCode::Timeout, "it was done");
    assert!(error.message.contains("grant +wait"), "{error}");
}

#[test]
fn c17_a_key_of_another_type_is_internal() {
    require!(own_servers);
    let server = RedisServer::start();
    let client = open(&config(&server.url()));
    let _ = server.command(&["RPUSH", "counter", "x"]);
    let error = count(&client).unwrap_err();
    assert_eq!(error.code, ErrorCode::Internal);
    assert!(error.message.contains("WRONGTYPE"), "{error}");
}

#[test]
fn creating_a_client_contacts_no_server() {
    let client = open(&config("redis://no-such-host.invalid:1"));
    assert!(client.is_closed());
    let wrong = config("redis://localhost").connections(0);
    let error = Client::new(&wrong).err().unwrap();
    assert_eq!(error.code, ErrorCode::InvalidInput);
}
