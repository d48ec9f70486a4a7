//! Servers that cannot be reached, and calls that share connections without delaying each other.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use greentic_session::{ErrorCode, RedisConfig, RedisSessionStore, SessionStore};
use greentic_session_testkit::{Accept, FaultProxy, Flow, require, wait_until};

use super::line::{Line, NEVER, address};
use super::trial::{OPERATIONS, Store};
use crate::samples::{ctx, data, key, scope, user};
use crate::space::Space;

const SOON: Duration = Duration::from_millis(300);

/// The timeout of calls that must not wait for a connection.
const LATE: Duration = Duration::from_secs(60);

/// A new store: without a connection, open or being opened.
fn hasty(line: &Line) -> Arc<Store> {
    let config = RedisConfig::from_url(&line.proxy.url()).unwrap();
    let config = config
        .namespace(&*line.space.namespace)
        .connect_timeout(SOON)
        .response_timeout(NEVER);
    Arc::new(Store::new(RedisSessionStore::new(config).unwrap()))
}

#[test]
fn c17_every_call_reports_an_unreachable_server() {
    let space = require!(Space::alone);
    thread::scope(|scope| {
        for accept in [Accept::Refuse, Accept::Reset, Accept::BlackHole] {
            let space = space.another("away");
            scope.spawn(move || {
                let mut line = Line::new(space, NEVER, NEVER);
                for operation in &OPERATIONS {
                    let mut trial = line.trial(operation);
                    let before = trial.look();
                    line.proxy.accepts(accept);
                    trial.store = hasty(&line);
                    let error = (operation.call)(&trial).unwrap_err();
                    let case = format!("{} and {accept:?}", operation.name);
                    assert_eq!(error.code, ErrorCode::Unavailable, "{case}: {error}");
                    assert_eq!(trial.look(), before, "{case}: nothing was done");
                    line.proxy.accepts(Accept::Pass);
                    trial.clean();
                }
            });
        }
    });
}

fn register(store: &impl SessionStore, worker: usize) {
    let name = format!("user-{worker}");
    let (ctx, user) = (ctx(&name), user(&name));
    let data = data(&ctx, "{}");
    let parked = store.register_wait(&ctx, &user, &scope("chat"), &key(&name), data, None);
    parked.unwrap();
}

fn store_over(proxy: &FaultProxy, space: &Space) -> RedisSessionStore {
    let config = RedisConfig::from_url(&proxy.url()).unwrap();
    let config = config.namespace(&*space.namespace);
    RedisSessionStore::new(config.connect_timeout(LATE).response_timeout(NEVER)).unwrap()
}

#[test]
fn a_call_does_not_wait_for_other_calls() {
    let space = require!(Space::alone);
    let proxy = FaultProxy::start(&address(space.url()));
    let store = store_over(&proxy, &space);
    // Both connections are open, and the script is loaded.
    register(&store, 0);
    register(&store, 0);
    wait_until("both are open", NEVER, || proxy.connections() == 2);
    let done = || {
        let stats = space.command(&["INFO", "commandstats"]).text();
        let line = stats
            .lines()
            .find(|line| line.starts_with("cmdstat_evalsha:"));
        let calls = line.and_then(|line| line.split_once("calls=")?.1.split_once(','));
        calls.map_or(0, |(calls, _)| calls.parse::<usize>().unwrap())
    };
    let before = done();
    proxy.replies(Flow::Swallow);
    thread::scope(|scope| {
        for worker in 1..=20 {
            let store = &store;
            scope.spawn(move || register(store, worker));
        }
        // No call has an answer yet.
        wait_until("all calls are with the server", NEVER, || {
            done() == before + 20
        });
        proxy.close_all();
        proxy.heal();
    });
}

#[test]
fn a_connection_that_opens_slowly_delays_no_call() {
    let space = require!(Space::alone);
    let proxy = FaultProxy::start(&address(space.url()));
    register(&space.store(), 0); // so that the server knows the script
    let store = store_over(&proxy, &space);
    register(&store, 0);
    assert_eq!(proxy.connections(), 1);
    proxy.accepts(Accept::BlackHole);
    for worker in 0..8 {
        register(&store, worker);
    }
}

#[test]
fn many_calls_share_few_connections() {
    let space = require!(Space::alone);
    let proxy = FaultProxy::start(&address(space.url()));
    let store = store_over(&proxy, &space);
    let start = Barrier::new(43);
    thread::scope(|scope| {
        for worker in 0..43 {
            let (store, start) = (&store, &start);
            scope.spawn(move || {
                start.wait();
                for _ in 0..7 {
                    register(store, worker);
                }
            });
        }
    });
    assert!(proxy.connections() <= 3, "{}", proxy.connections());
}
