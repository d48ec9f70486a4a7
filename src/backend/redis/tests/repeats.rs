//! Calls that the store repeats after another caller has written in between (C14).

use std::thread;

use greentic_session_testkit::{
    Accept, FaultProxy, Flow, RedisServer, Reply as Answer, own_servers, require, wait_until,
};

use super::pointers::{data, of_ada, scope};
use super::*;
use crate::backend::redis::script::arguments::ALL;
use crate::backend::redis::script::assembly::assemble;
use crate::message_id::MessageId;
use crate::options::ClaimOptions;
use crate::{
    AsyncSessionStore, ClearOutcome, ErrorCode, ParkOptions, RedisSessionStore, RemoveOptions,
    SessionKey, UpdateOptions,
};

const KEY: &str = "run-1";
const META: &str = "greentic:session:meta:run-1";
const LEASE: Duration = Duration::from_secs(3600);

/// A server, a store behind a proxy, and one beside it.
struct Stage {
    server: RedisServer,
    proxy: FaultProxy,
    store: RedisSessionStore,
    beside: RedisSessionStore,
}

fn park(store: &RedisSessionStore) -> SessionResult<()> {
    let ((ctx, ada), key, scope) = (of_ada(), SessionKey::new(KEY), scope());
    let parked = store.park(&ctx, &ada, &scope, &key, data(&ctx), ParkOptions::new());
    wait(parked).map(drop)
}

fn update(store: &RedisSessionStore) -> SessionResult<()> {
    let (key, data) = (SessionKey::new(KEY), data(&of_ada().0));
    let updated = store.update(&key, data, UpdateOptions::new());
    wait(updated).map(drop)
}

fn claim(store: &RedisSessionStore) {
    let (ctx, ada) = of_ada();
    let (scopes, message) = ([scope()], MessageId::new("message"));
    let options = ClaimOptions::new(LEASE);
    let _claimed = wait(store.claim(&ctx, &ada, &scopes, &message, options)).unwrap();
}

fn remove(store: &RedisSessionStore, options: RemoveOptions) -> SessionResult<()> {
    wait(store.remove(&SessionKey::new(KEY), options))
}

fn clear(store: &RedisSessionStore) -> SessionResult<ClearOutcome> {
    let (ctx, ada) = of_ada();
    wait(store.clear(&ctx, &ada, &scope()))
}

impl Stage {
    /// A session waits since before all that follows.
    fn new() -> Self {
        let (server, proxy) = behind_a_proxy();
        let store = |url: &str| RedisSessionStore::new(config(url)).unwrap();
        let (store, beside) = (store(&proxy.url()), store(&server.url()));
        let stage = Self {
            server,
            proxy,
            store,
            beside,
        };
        for script in ALL {
            let text = assemble(script.file, script.writes);
            let _ = stage.server.command(&["SCRIPT", "LOAD", &text]);
        }
        park(&stage.beside).unwrap();
        let before = stage.millis();
        wait_until("it is older than the call", NEVER, || {
            stage.millis() > before + 200
        });
        let _health = wait(stage.store.health()).unwrap();
        stage
    }

    fn millis(&self) -> i64 {
        let time = self.server.command(&["TIME"]).texts();
        let [seconds, micros] = [0, 1].map(|part| time[part].parse::<i64>().unwrap());
        seconds * 1000 + micros / 1000
    }

    fn record(&self) -> Answer {
        self.server.command(&["GET", META])
    }

    /// Makes a call whose answer is lost, and that is repeated after `meanwhile`.
    fn repeated<T: Send>(
        &self,
        call: impl FnOnce(&RedisSessionStore) -> T + Send,
        meanwhile: impl FnOnce(&RedisSessionStore),
    ) -> T {
        let before = self.record();
        self.proxy.accepts(Accept::BlackHole);
        self.proxy.replies_once(Flow::SwallowThenClose);
        thread::scope(|threads| {
            let call = threads.spawn(|| call(&self.store));
            wait_until("the first attempt is done", NEVER, || {
                self.record() != before
            });
            meanwhile(&self.beside);
            self.proxy.heal();
            self.proxy.close_all();
            call.join().unwrap()
        })
    }

    /// A repeated call that cannot know whether it was done; what was written meanwhile stays.
    fn is_unknown<T: Send>(
        name: &str,
        call: impl FnOnce(&RedisSessionStore) -> SessionResult<T> + Send,
        meanwhile: impl FnOnce(&RedisSessionStore),
    ) {
        let stage = Self::new();
        let answer = stage.repeated(call, |store| meanwhile(store));
        let code = answer.err().map(|error| error.code);
        assert_eq!(code, Some(ErrorCode::Timeout), "{name}");
        assert!(matches!(stage.record(), Answer::Bulk(_)), "{name}");
    }
}

#[test]
fn c14_a_repeat_removes_no_newer_session() {
    require!(own_servers);
    let if_first = RemoveOptions::new().if_revision(1);
    let parks = |store: &RedisSessionStore| park(store).unwrap();
    Stage::is_unknown("remove", |store| remove(store, RemoveOptions::new()), parks);
    Stage::is_unknown("remove if", |store| remove(store, if_first), parks);
    Stage::is_unknown("clear", clear, parks);
}

#[test]
fn c14_a_repeat_that_is_refused_may_have_been_done() {
    require!(own_servers);
    let if_first = RemoveOptions::new().if_revision(1);
    Stage::is_unknown(
        "another revision",
        |store| remove(store, if_first),
        |store| {
            park(store).unwrap();
            update(store).unwrap();
        },
    );
    Stage::is_unknown(
        "remove, and a claim",
        |store| remove(store, RemoveOptions::new()),
        |store| {
            park(store).unwrap();
            claim(store);
        },
    );
    for (name, call) in [
        ("update, and a claim", update as fn(&_) -> _),
        ("park, and a claim", park),
    ] {
        Stage::is_unknown(name, call, |store| {
            update(store).unwrap();
            claim(store);
        });
    }
}

#[test]
fn c14_a_repeat_whose_first_attempt_was_not_done_is_done() {
    require!(own_servers);
    let stage = Stage::new();
    stage.proxy.requests_once(Flow::SwallowThenClose);
    remove(&stage.store, RemoveOptions::new()).unwrap();
    assert_eq!(stage.record(), Answer::Nil);

    let stage = Stage::new();
    stage.proxy.requests_once(Flow::SwallowThenClose);
    let cleared = ClearOutcome::Cleared(SessionKey::new(KEY));
    assert_eq!(clear(&stage.store).unwrap(), cleared);
}
