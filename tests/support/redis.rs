//! The Redis store, put to the proofs: a namespace per case, and the time of the server.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use greentic_session::clock::Timestamp;
use greentic_session::{AsyncSessionStore, RedisSessionStore, SessionStore, StoreOptions};

use super::harness::Harness;
use super::redis_support::Space;

/// Makes up for what the clock of the server and the one of `sleep` differ by.
const SPARE: Duration = Duration::from_millis(1);

pub struct Redis {
    store: Arc<RedisSessionStore>,
    space: Space,
    options: StoreOptions,
    opened: Timestamp,
    slept: Mutex<Duration>,
}

impl Harness for Redis {
    fn open(options: StoreOptions) -> Self {
        let space = Space::or_skip("proof").expect("the test has asked for a server");
        Self {
            opened: server_time(&space),
            store: Arc::new(space.store_with(options)),
            space,
            options,
            slept: Mutex::default(),
        }
    }

    fn store(&self) -> Arc<dyn AsyncSessionStore> {
        Arc::clone(&self.store) as _
    }

    fn published(&self) -> Arc<dyn SessionStore> {
        Arc::clone(&self.store) as _
    }

    fn tick() -> Duration {
        Duration::from_millis(200)
    }

    fn now(&self) -> Timestamp {
        server_time(&self.space)
    }

    fn advance(&self, step: Duration) {
        thread::sleep(step + SPARE);
        *self.slept.lock().unwrap() += step;
    }

    // By the server's clock, which deadlines go by: it can be set while a case runs.
    fn drift(&self) -> Duration {
        let slept = u64::try_from(self.slept.lock().unwrap().as_millis()).unwrap();
        let expected = self.opened.as_millis() + slept;
        Duration::from_millis(self.now().as_millis().abs_diff(expected))
    }

    fn reopen(&mut self) {
        self.store = Arc::new(self.space.store_with(self.options));
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
