//! The Redis store against the reference model, under concurrent calls (C14, C16), and under torture. A
//! namespace per case, and the time of the server.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use greentic_session::clock::Timestamp;
use greentic_session::{
    AsyncSessionStore, RedisConfig, RedisSessionStore, SessionStore, StoreOptions,
};
use greentic_session_testkit::{FaultProxy, Flow, require};

use super::check::{Plan, check_as};
use super::exactly_once::{Disturb, Open, torture, torture_starts, torture_timeouts};
use super::history::{Play, check_play};
use crate::harness::Harness;
use crate::sealed::encryption;
use crate::space::Space;

/// Covers the difference between the server's clock and the one of `sleep`.
const SPARE: Duration = Duration::from_millis(1);

pub type Redis = RedisWith<false>;

/// A store on a server, which is sealed or not.
pub struct RedisWith<const SEALED: bool> {
    store: Arc<RedisSessionStore>,
    space: Space,
    options: StoreOptions,
    opened: Timestamp,
    slept: Mutex<Duration>,
}

impl<const SEALED: bool> RedisWith<SEALED> {
    fn store_in(space: &Space, options: StoreOptions) -> Arc<RedisSessionStore> {
        let config = RedisConfig::from_url(space.url()).unwrap();
        let mut config = config.namespace(&*space.namespace).options(options);
        config.encryption = SEALED.then(encryption);
        Arc::new(RedisSessionStore::new(config).unwrap())
    }
}

impl<const SEALED: bool> Harness for RedisWith<SEALED> {
    fn open(options: StoreOptions) -> Self {
        let space = Space::shared("model").expect("the test has asked for a server");
        Self {
            opened: server_time(&space),
            store: Self::store_in(&space, options),
            space,
            options,
            slept: Mutex::default(),
        }
    }

    fn store(&self) -> Arc<dyn AsyncSessionStore> {
        Arc::clone(&self.store) as _
    }

    fn sync_store(&self) -> Arc<dyn SessionStore> {
        Arc::clone(&self.store) as _
    }

    /// A second is a whole number of ticks, also of ticks that are twice as long: pauses end with a
    /// tick (C33).
    fn tick() -> Duration {
        Duration::from_millis(250)
    }

    fn now(&self) -> Timestamp {
        server_time(&self.space)
    }

    fn advance(&self, step: Duration) {
        thread::sleep(step + SPARE);
        *self.slept.lock().unwrap() += step;
    }

    // Measured with the server's clock, which decides deadlines: it can be set while a case runs.
    fn drift(&self) -> Duration {
        let slept = u64::try_from(self.slept.lock().unwrap().as_millis()).unwrap();
        let expected = self.opened.as_millis() + slept;
        Duration::from_millis(self.now().as_millis().abs_diff(expected))
    }

    fn reopen(&mut self) {
        self.store = Self::store_in(&self.space, self.options);
    }

    fn leftovers(&self) -> usize {
        self.space.keys().len()
    }
}

fn server_time(space: &Space) -> Timestamp {
    let time = space.command(&["TIME"]).texts();
    let [seconds, micros] = [0, 1].map(|index| time[index].parse::<u64>().unwrap());
    Timestamp::from_millis(seconds * 1_000 + micros / 1_000)
}

const REGRESSIONS: &str = "tests/regressions/redis_model.txt";

#[test]
fn c35_redis_behaves_as_the_model_with_encryption() {
    let _server = require!(Space::shared);
    check_as::<RedisWith<true>>(&Plan {
        cases: 50,
        threads: 2,
        time: false,
        observe_every: 8,
        regressions: REGRESSIONS,
    });
}

#[test]
fn redis_behaves_as_the_model() {
    let _server = require!(Space::shared);
    check_as::<Redis>(&Plan {
        cases: 150,
        threads: 2,
        time: false,
        observe_every: 8,
        regressions: REGRESSIONS,
    });
}

/// Real time: the cases mostly sleep, so many of them do so side by side.
#[test]
fn redis_behaves_as_the_model_while_time_passes() {
    let _server = require!(Space::shared);
    check_as::<Redis>(&Plan {
        cases: 80,
        threads: 40,
        time: true,
        observe_every: 16,
        regressions: REGRESSIONS,
    });
}

#[test]
fn c14_concurrent_calls_are_linearizable() {
    let _server = require!(Space::shared);
    check_play::<Redis>(Play::Any, 500, 7, false);
}

#[test]
fn c16_concurrent_claims_are_linearizable() {
    let _server = require!(Space::shared);
    check_play::<Redis>(Play::Contest, 800, 8, false);
}

#[test]
fn c27_concurrent_starts_are_linearizable() {
    let _server = require!(Space::shared);
    check_play::<Redis>(Play::Starts, 500, 9, false);
}

#[test]
fn c33_concurrent_claims_of_what_is_due_are_linearizable() {
    let _server = require!(Space::shared);
    check_play::<Redis>(Play::Due, 500, 10, false);
}

/// Every worker has a store of its own, and their connections break.
#[test]
fn c16_each_message_counts_once_on_redis_while_connections_break() {
    while_connections_break(&|lease, open, disturb| {
        torture(lease, open, &thread::sleep, disturb);
    });
}

#[test]
fn c27_each_first_message_starts_one_flow_on_redis_while_connections_break() {
    while_connections_break(&|lease, open, disturb| {
        torture_starts(lease, open, &thread::sleep, disturb);
    });
}

#[test]
fn c32_each_timeout_counts_once_on_redis_while_connections_break() {
    while_connections_break(&|lease, open, disturb| {
        torture_timeouts(lease, open, &thread::sleep, disturb);
    });
}

fn while_connections_break(torture: &dyn Fn(Duration, Open<'_>, Disturb<'_>)) {
    let space = require!(Space::alone);
    let proxy = FaultProxy::start(space.url().trim_matches(|c| !char::is_numeric(c)));
    let open = || {
        let config = RedisConfig::from_url(&proxy.url()).unwrap();
        let config = config.namespace(&*space.namespace);
        Arc::new(RedisSessionStore::new(config).unwrap()) as Arc<dyn AsyncSessionStore>
    };
    let last = Mutex::new(0);
    let disturb = |commits: usize| {
        let mut last = last.lock().unwrap();
        if commits < *last + 10 {
            return;
        }
        *last = commits;
        match commits % 5 {
            0 => proxy.close_all(),
            1 => proxy.requests_once(Flow::SwallowThenClose),
            2 => proxy.replies_once(Flow::SwallowThenClose),
            3 => proxy.replies_once(Flow::CutAfter(20)),
            _ => proxy.replies_once(Flow::Reset),
        }
    };
    torture(Duration::from_millis(60), &open, &disturb);
    println!("{} connections were cut", proxy.faults());
    assert!(proxy.faults() > 0, "no connection broke");
}
