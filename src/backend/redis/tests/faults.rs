use std::task::{Context, Waker};

use futures_util::future::join_all;
use greentic_session_testkit::{
    Accept, FaultProxy, Flow, RedisServer, own_servers, require, wait_until,
};

use super::*;
use crate::ErrorCode;
use crate::backend::redis::client::lost_attempts::LostAttempts;
use crate::backend::redis::transport::connection::Connection;
use crate::backend::redis::transport::connection::MAX_IN_FLIGHT;

#[test]
fn c17_an_unreachable_server_is_unavailable() {
    require!(own_servers);
    let (_server, proxy) = behind_a_proxy();
    let client = open(&config(&proxy.url()).connect_timeout(SOON));
    for accept in [Accept::Refuse, Accept::BlackHole, Accept::Reset] {
        proxy.accepts(accept);
        let error = count(&client).unwrap_err();
        assert_eq!(error.code, ErrorCode::Unavailable, "{accept:?}");
        let address = proxy.address().to_string();
        assert!(error.message.contains(&address), "{error}");
    }
    proxy.accepts(Accept::Pass);
    assert_eq!(count(&client).unwrap(), (1, false));
}

#[test]
fn c17_an_unknown_host_is_unavailable() {
    let client = open(&config("redis://no-such-host.invalid").connect_timeout(SOON));
    assert_eq!(count(&client).unwrap_err().code, ErrorCode::Unavailable);
}

#[test]
fn c17_a_call_without_an_answer_times_out_and_the_next_call_succeeds() {
    require!(own_servers);
    let (_server, proxy) = behind_a_proxy();
    let client = open(&config(&proxy.url()).response_timeout(SOON));
    assert_eq!(count(&client).unwrap(), (1, false));
    proxy.replies(Flow::Swallow);
    assert_eq!(count(&client).unwrap_err().code, ErrorCode::Timeout);
    proxy.heal();
    // The silent connection stays silent, so it must not be used again.
    assert_eq!(count(&client).unwrap(), (3, false));
}

#[test]
fn connections_are_reopened_after_a_restart() {
    require!(own_servers);
    let server = RedisServer::builder().durable().start();
    let hasty = config(&server.url())
        .connect_timeout(SOON)
        .response_timeout(SOON);
    let client = open(&hasty.connections(3));
    for expected in 1..=3 {
        assert_eq!(count(&client).unwrap(), (expected, false));
    }
    server.kill();
    for _ in 0..4 {
        let error = count(&client).unwrap_err();
        assert!(matches!(
            error.code,
            ErrorCode::Unavailable | ErrorCode::Timeout
        ));
    }
    server.restart();
    for expected in 4..=6 {
        assert_eq!(count(&client).unwrap().0, expected);
    }
}

#[test]
fn c14_a_call_whose_answer_is_lost_is_repeated() {
    require!(own_servers);
    let (_server, proxy) = behind_a_proxy();
    let client = open(&config(&proxy.url()));
    assert_eq!(count(&client).unwrap(), (1, false));
    for flow in [Flow::SwallowThenClose, Flow::Reset, Flow::CutAfter(2)] {
        let (before, _) = count(&client).unwrap();
        proxy.replies_once(flow);
        assert_eq!(count(&client).unwrap(), (before + 2, true), "{flow:?}");
    }
    let (before, _) = count(&client).unwrap();
    proxy.requests_once(Flow::SwallowThenClose);
    assert_eq!(count(&client).unwrap(), (before + 1, true));
}

#[test]
fn c14_a_repeated_read_is_not_reported_as_repeated() {
    require!(own_servers);
    let (_server, proxy) = behind_a_proxy();
    let client = open(&config(&proxy.url()));
    assert_eq!(count(&client).unwrap(), (1, false));
    proxy.replies_once(Flow::SwallowThenClose);
    let mut get = redis::cmd("GET");
    get.arg("counter");
    let reply = wait(client.command(get, b"counter")).unwrap();
    assert_eq!(redis::from_redis_value::<i64>(reply.value).unwrap(), 1);
    assert!(!reply.repeated);
}

#[test]
fn c17_a_lost_call_that_cannot_be_repeated_is_a_timeout() {
    require!(own_servers);
    let (server, proxy) = behind_a_proxy();
    let client = open(&config(&proxy.url()).response_timeout(SOON));
    assert_eq!(count(&client).unwrap(), (1, false));
    proxy.accepts(Accept::Refuse);
    proxy.replies(Flow::SwallowThenClose);
    assert_eq!(count(&client).unwrap_err().code, ErrorCode::Timeout);
    let value = server.command(&["GET", "counter"]);
    assert_eq!(value, greentic_session_testkit::Reply::Bulk(b"2".to_vec()));
}

#[test]
fn a_connection_lost_while_idle_is_reopened_without_an_error() {
    require!(own_servers);
    let (_server, proxy) = behind_a_proxy();
    let client = open(&config(&proxy.url()));
    assert_eq!(count(&client).unwrap(), (1, false));
    proxy.close_all();
    wait_until("the loss is noticed", NEVER, || client.is_closed());
    assert_eq!(count(&client).unwrap(), (2, false));
}

#[test]
fn an_open_connection_replaces_one_that_cannot_be_opened() {
    require!(own_servers);
    let server = RedisServer::start();
    let proxy = FaultProxy::start(&server.address());
    let client = open(&config(&proxy.url()).connect_timeout(SOON).connections(2));
    assert_eq!(count(&client).unwrap(), (1, false));
    proxy.accepts(Accept::Refuse);
    for expected in 2..=5 {
        assert_eq!(count(&client).unwrap(), (expected, false));
    }
}

/// The connection of a client.
fn connection(config: &RedisConfig) -> (Client, Arc<Connection>) {
    let client = open(config);
    let _count = count(&client).unwrap();
    let connection = client.open_connections().remove(0);
    (client, connection)
}

/// The repeat of a call may go to another node, which only redirects it, and then come back.
#[test]
fn c14_a_lost_attempt_is_closed_when_the_call_comes_back_to_its_server() {
    require!(own_servers);
    let (one, other) = (RedisServer::start(), RedisServer::start());
    let (client, lost) = connection(&config(&one.url()));
    let [(_beside, again), (_redirects, elsewhere)] =
        [&one, &other].map(|server| connection(&config(&server.url())));
    let deadline = tokio::time::Instant::now() + NEVER;
    let mut attempts = LostAttempts::default();
    attempts.add(&lost, deadline);
    let runtime = client.runtime().unwrap();
    wait(runtime.with_timers(async {
        attempts.end(&elsewhere, deadline).await.unwrap();
        assert!(lost.is_usable(), "another server cannot close it");
        let mut failing = Box::pin(attempts.wait());
        let mut idle = Context::from_waker(Waker::noop());
        assert!(failing.as_mut().poll(&mut idle).is_pending());
        drop(failing);
        attempts.end(&again, deadline).await.unwrap();
        attempts.wait().await;
    }));
    wait_until("it is closed", NEVER, || !lost.is_usable());
}

#[test]
fn c14_a_connection_that_does_not_answer_the_close_of_another_is_not_used_again() {
    require!(own_servers);
    let (server, proxy) = behind_a_proxy();
    let (client, lost) = connection(&config(&server.url()));
    let (_beside, again) = connection(&config(&proxy.url()));
    let now = tokio::time::Instant::now();
    let mut attempts = LostAttempts::default();
    attempts.add(&lost, now + NEVER);
    proxy.replies(Flow::Swallow);
    let runtime = client.runtime().unwrap();
    let ended = wait(runtime.with_timers(attempts.end(&again, now + SOON / 8)));
    assert!(ended.is_err());
    assert!(!again.is_usable());
}

fn pretend_silence(client: &Client) {
    for connection in client.open_connections() {
        connection.pretend_silence();
    }
}

/// The clock of a server may be set forward, and a measurement of it becomes wrong.
#[test]
fn c14_a_wrong_measurement_of_the_servers_clock_is_corrected_by_the_refusal() {
    require!(own_servers);
    let server = RedisServer::start();
    let client = open(&config(&server.url()));
    assert_eq!(count(&client).unwrap(), (1, false));
    let scripts_run = || {
        let stats = server.command(&["INFO", "commandstats"]).text();
        let mut lines = stats.lines();
        let evalsha = lines.find(|line| line.starts_with("cmdstat_evalsha:"));
        let calls = evalsha.unwrap().split(['=', ',']).nth(1).unwrap();
        calls.parse::<u64>().unwrap()
    };
    let before = scripts_run();
    for connection in client.open_connections() {
        connection.clock.set(1_700_000_000_000_000);
    }
    assert_eq!(count(&client).unwrap(), (2, false));
    assert_eq!(scripts_run(), before + 2, "one was refused");
    assert_eq!(count(&client).unwrap(), (3, false));
    assert_eq!(scripts_run(), before + 3);
}

/// A firewall may forget connections that are idle, without telling either end.
#[test]
fn c14_an_idle_connection_that_died_costs_no_timeout() {
    require!(own_servers);
    let (_server, proxy) = behind_a_proxy();
    let client = open(
        &config(&proxy.url())
            .response_timeout(SOON * 4)
            .connections(2),
    );
    assert_eq!(count(&client).unwrap(), (1, false));
    assert_eq!(count(&client).unwrap(), (2, false));
    pretend_silence(&client);
    proxy.requests_once(Flow::Swallow);
    assert_eq!(count(&client).unwrap(), (3, false));
}

/// An idle connection that is well is used again.
#[test]
fn an_idle_connection_is_checked_once() {
    require!(own_servers);
    let (_server, proxy) = behind_a_proxy();
    let client = open(&config(&proxy.url()));
    assert_eq!(count(&client).unwrap(), (1, false));
    let bytes = |client: &Client| {
        let before = proxy.reply_bytes();
        let _count = count(client).unwrap();
        proxy.reply_bytes() - before
    };
    let usual = bytes(&client);
    pretend_silence(&client);
    assert!(bytes(&client) > usual, "it was not checked");
    assert_eq!(bytes(&client), usual);
    assert_eq!(proxy.connections(), 1);
}

#[test]
fn calls_that_find_a_connection_idle_share_its_check() {
    require!(own_servers);
    let server = RedisServer::start();
    let client = open(&config(&server.url()));
    let times = || {
        let stats = server.command(&["INFO", "commandstats"]).text();
        let line = stats.lines().find(|line| line.starts_with("cmdstat_time:"));
        let calls = line.unwrap().split(['=', ',']).nth(1).unwrap();
        calls.parse::<u64>().unwrap()
    };
    let read = || {
        let mut get = redis::cmd("GET");
        get.arg("counter");
        client.command(get, b"counter")
    };
    assert!(wait(read()).is_ok());
    let before = times();
    pretend_silence(&client);
    let answers = wait(join_all((0..20).map(|_| read())));
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(times(), before + 1);
}

#[test]
fn c14_a_dropped_call_that_was_not_sent_is_not_sent() {
    require!(own_servers);
    let (server, proxy) = behind_a_proxy();
    let client = open(&config(&proxy.url()));
    assert_eq!(count(&client).unwrap(), (1, false));
    proxy.requests_once(Flow::Hold(&[]));
    let mut idle = Context::from_waker(Waker::noop());
    let sent = MAX_IN_FLIGHT;
    let mut calls: Vec<_> = (0..sent + 1000)
        .map(|_| Box::pin(client.run(call(&COUNT, ""))))
        .collect();
    for call in &mut calls {
        assert!(call.as_mut().poll(&mut idle).is_pending());
    }
    drop(calls);
    proxy.release();
    let done = i64::try_from(sent).unwrap() + 2;
    assert_eq!(count(&client).unwrap(), (done, false));
    drop(server);
}

#[test]
fn a_user_without_a_password_logs_in() {
    require!(own_servers);
    let server = RedisServer::start();
    let user = ["ACL", "SETUSER", "limited", "on", "nopass", "~*", "+@all"];
    let _ = server.command(&user).accepted();
    let as_user = |name: &str| {
        let url = server
            .url()
            .replace("redis://", &format!("redis://{name}@"));
        let client = open(&config(&url));
        let mut command = redis::cmd("ACL");
        command.arg("WHOAMI");
        let reply = wait(client.command(command, b""))?;
        Ok::<String, crate::GreenticError>(redis::from_redis_value(reply.value).unwrap())
    };
    assert_eq!(as_user("limited").unwrap(), "limited");
    assert_eq!(as_user("nobody").unwrap_err().code, ErrorCode::Unavailable);
}
