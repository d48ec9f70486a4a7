use std::thread;

use greentic_session_testkit::{RedisServer, Reply as Answer, servers_or_skip, wait_until};

use super::*;
use crate::ErrorCode;

#[test]
fn a_script_that_the_server_forgot_is_sent_again() {
    if !servers_or_skip("a_script_that_the_server_forgot_is_sent_again") {
        return;
    }
    let server = RedisServer::start();
    let connections = open(&config(&server.url()));
    for expected in 1..=3 {
        assert_eq!(count(&connections).unwrap(), (expected, false));
        assert_eq!(
            server.command(&["SCRIPT", "FLUSH"]),
            Answer::Status("OK".to_owned())
        );
    }
}

#[test]
fn a_server_without_resp3_is_spoken_to_in_resp2() {
    if !servers_or_skip("a_server_without_resp3_is_spoken_to_in_resp2") {
        return;
    }
    for password in [None, Some("hunter2")] {
        let mut builder = RedisServer::builder().config("rename-command", "HELLO \"\"");
        if let Some(password) = password {
            builder = builder.password(password);
        }
        let server = builder.start();
        let connections = open(&config(&format!("{}3", server.url())).connections(2));
        for expected in 1..=4 {
            assert_eq!(count(&connections).unwrap(), (expected, false));
        }
    }
}

#[test]
fn c18_a_refused_password_is_said_and_not_shown() {
    if !servers_or_skip("c18_a_refused_password_is_said_and_not_shown") {
        return;
    }
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
            let connections = open(&config(&url));
            let error = count(&connections).unwrap_err();
            assert_eq!(error.code, ErrorCode::Unavailable);
            assert!(error.message.contains("password"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }
}

#[test]
fn c17_a_database_that_is_not_there_is_unavailable() {
    if !servers_or_skip("c17_a_database_that_is_not_there_is_unavailable") {
        return;
    }
    let server = RedisServer::start();
    let error = count(&open(&config(&format!("{}99", server.url())))).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("database 99"), "{error}");
}

#[test]
fn c17_a_server_that_takes_no_writes_now_is_asked_again() {
    if !servers_or_skip("c17_a_server_that_takes_no_writes_now_is_asked_again") {
        return;
    }
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
fn c17_a_full_server_asks_for_patience() {
    if !servers_or_skip("c17_a_full_server_asks_for_patience") {
        return;
    }
    let server = RedisServer::start();
    let connections = open(&config(&server.url()));
    let _ = server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    assert_eq!(
        count(&connections).unwrap_err().code,
        ErrorCode::RateLimited
    );
    let _ = server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(count(&connections).unwrap(), (1, false));
}

#[test]
fn c17_data_of_another_kind_is_internal() {
    if !servers_or_skip("c17_data_of_another_kind_is_internal") {
        return;
    }
    let server = RedisServer::start();
    let connections = open(&config(&server.url()));
    let _ = server.command(&["RPUSH", "counter", "x"]);
    let error = count(&connections).unwrap_err();
    assert_eq!(error.code, ErrorCode::Internal);
    assert!(error.message.contains("WRONGTYPE"), "{error}");
}

#[test]
fn opening_a_store_contacts_no_server() {
    let connections = open(&config("redis://no-such-host.invalid:1"));
    assert!(connections.are_closed());
    let wrong = config("redis://localhost").connections(0);
    let error = Connections::new(&wrong).err().unwrap();
    assert_eq!(error.code, ErrorCode::InvalidInput);
}
