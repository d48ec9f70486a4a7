//! A connection to a server that fails on request, and a second one that does not.

use std::sync::Arc;
use std::time::Duration;

use greentic_session::{FindByUser, RedisConfig, RedisSessionStore, StoreOptions};
use greentic_session_testkit::{FaultProxy, Flow, wait_until};

use super::trial::{Operation, Store, Trial, text_of};
use crate::space::Space;

/// No test takes that long.
pub const NEVER: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Line {
    pub proxy: FaultProxy,
    pub store: Arc<Store>,
    pub beside: Arc<Store>,
    pub space: Space,
    trials: usize,
}

/// What happens to the bytes of one call, once.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Request(Flow),
    Reply(Flow),
}

/// How long a call and its answer are.
pub struct Length {
    pub request: u64,
    pub reply: u64,
}

impl Line {
    /// A connection with this response timeout. Messages are remembered for `window`: longer
    /// than a trial takes, and short enough to wait for.
    pub fn new(space: Space, response_timeout: Duration, window: Duration) -> Self {
        let proxy = FaultProxy::start(&address(space.url()));
        let options = StoreOptions::new()
            .message_window(window)
            .find_by_user(FindByUser::WaitsAndCreated);
        let config = |url: &str| {
            RedisConfig::from_url(url)
                .unwrap()
                .namespace(&*space.namespace)
                .options(options)
                .connections(1)
        };
        let through = config(&proxy.url())
            .connect_timeout(response_timeout)
            .response_timeout(response_timeout);
        let open = |config| Arc::new(Store::new(RedisSessionStore::new(config).unwrap()));
        Self {
            store: open(through),
            beside: open(config(space.url())),
            proxy,
            space,
            trials: 0,
        }
    }

    /// An owner of its own, ready for the call, and an open connection.
    pub fn trial(&mut self, operation: &Operation) -> Trial {
        self.trials += 1;
        let name = format!("user-{}", self.trials);
        let trial = Trial::new(&self.store, &self.beside, name);
        (operation.prepare)(&trial);
        if matches!(operation.name, "remove" | "clear") {
            // Their repeat does not touch a session that may be newer than the first attempt.
            let ready = self.millis();
            wait_until("it is older than the call", PATIENCE, || {
                self.millis() > ready + 100
            });
        }
        self.store.health().unwrap();
        trial
    }

    /// The time of the server in milliseconds.
    fn millis(&self) -> i64 {
        let time = self.space.command(&["TIME"]).texts();
        let [seconds, micros] = [0, 1].map(|part| time[part].parse::<i64>().unwrap());
        seconds * 1000 + micros / 1000
    }

    /// The outcome of the call without a fault: its answer and the state afterwards.
    pub fn undisturbed(&mut self, operation: &Operation) -> (String, String) {
        let trial = self.trial(operation);
        let answer = text_of((operation.call)(&trial));
        let seen = trial.look();
        trial.clean();
        (answer, seen)
    }

    /// Measures a call whose script is loaded.
    pub fn measure(&mut self, operation: &Operation) -> Length {
        let trial = self.trial(operation);
        let (requests, replies) = (self.proxy.request_bytes(), self.proxy.reply_bytes());
        text_of((operation.call)(&trial));
        trial.clean();
        Length {
            request: self.proxy.request_bytes() - requests,
            reply: self.proxy.reply_bytes() - replies,
        }
    }

    pub fn cut(&self, cut: Cut) {
        match cut {
            Cut::Request(flow) => self.proxy.requests_once(flow),
            Cut::Reply(flow) => self.proxy.replies_once(flow),
        }
    }

    /// C13: once the messages are forgotten too, no key is left.
    pub fn assert_empty(&self) {
        wait_until("no key is left", PATIENCE, || self.space.keys().is_empty());
    }
}

pub fn address(url: &str) -> String {
    let address = url.trim_start_matches("redis://").trim_end_matches('/');
    address.to_owned()
}
