//! A lazily opened, self-reconnecting connection.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::backoff::pause;
use super::connection::Connection;
use super::connector::Connector;
use super::error::Failure;
use super::runtime::Runtime;
use crate::backend::redis::config::RedisConfig;
use crate::observe::{Fact, Watch};

/// How long a call waits for a connection, and how many failures to open one it tolerates.
#[derive(Clone, Copy)]
pub struct ConnectBudget {
    pub deadline: Instant,
    pub retry: RetryMode,
}

/// The reaction to a failed attempt to open a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum RetryMode {
    /// Give up: the caller may have another server to go to.
    Never,
    /// Try again until connections could not be opened for the connect timeout.
    DuringShortOutage,
    /// Try again until the deadline.
    UntilDeadline,
}

impl ConnectBudget {
    /// A budget for one attempt.
    pub const fn one_attempt(deadline: Instant) -> Self {
        Self {
            deadline,
            retry: RetryMode::Never,
        }
    }
}

/// A connection that is opened when a call needs it, and again after it was lost.
///
/// At most one attempt to open it runs at a time. It is a task of its own, so a caller that is no
/// longer polled does not delay the others.
#[derive(Clone)]
pub struct ReconnectingConnection {
    connector: Arc<Connector>,
    connect_timeout: Duration,
    observer: Watch,
    state: Arc<Mutex<State>>,
}

enum State {
    Open(Arc<Connection>),
    Opening(watch::Receiver<Option<Attempt>>),
    Closed(Option<Outage>),
}

/// A series of failed attempts.
#[derive(Clone, Copy)]
struct Outage {
    failures: u32,
    since: Instant,
    /// No attempt begins before that.
    pause_until: Instant,
}

/// An attempt that has ended.
#[derive(Clone)]
struct Attempt {
    began: Instant,
    /// The duration of the outage so far, and the failure of this attempt.
    failure: Option<(Duration, Failure)>,
}

impl ReconnectingConnection {
    pub fn new(connector: Arc<Connector>, config: &RedisConfig) -> Self {
        Self {
            connector,
            connect_timeout: config.connect_timeout,
            observer: config.watch.clone(),
            state: Arc::new(Mutex::new(State::Closed(None))),
        }
    }

    /// The connection, if it is open.
    pub fn if_open(&self) -> Option<Arc<Connection>> {
        match &*self.state.lock() {
            State::Open(connection) if connection.is_usable() => Some(Arc::clone(connection)),
            _ => None,
        }
    }

    /// The connection, if it is open. Otherwise starts to open it in the background.
    pub fn if_open_or_start(&self, runtime: &Runtime) -> Option<Arc<Connection>> {
        self.open_or_start(runtime).ok()
    }

    /// The connection; opens it if it is not open.
    ///
    /// At least one attempt that begins after this call is waited for. The budget decides about
    /// further ones.
    pub async fn get(
        &self,
        runtime: &Runtime,
        budget: ConnectBudget,
    ) -> Result<Arc<Connection>, Failure> {
        let called = Instant::now();
        let mut last_failure = None;
        loop {
            let mut opening = match self.open_or_start(runtime) {
                Ok(connection) => return Ok(connection),
                Err(opening) => opening,
            };
            let ended = timeout_at(budget.deadline, opening.wait_for(Option::is_some)).await;
            let Ok(ended) = ended else {
                let late = || self.connector.unreachable("no connection in time");
                return Err(last_failure.unwrap_or_else(late));
            };
            // The task of the attempt may have died; the next round starts another.
            let Some(attempt) = ended.ok().and_then(|attempt| attempt.clone()) else {
                continue;
            };
            let Some((outage, failure)) = attempt.failure else {
                continue;
            };
            let gives_up = match budget.retry {
                RetryMode::Never => true,
                RetryMode::DuringShortOutage => {
                    failure.is_lasting() || outage >= self.connect_timeout
                }
                RetryMode::UntilDeadline => false,
            };
            if attempt.began >= called && gives_up {
                return Err(failure);
            }
            last_failure = Some(failure);
        }
    }

    /// The open connection, or else the attempt to wait for; starts one if none runs.
    fn open_or_start(
        &self,
        runtime: &Runtime,
    ) -> Result<Arc<Connection>, watch::Receiver<Option<Attempt>>> {
        let mut state = self.state.lock();
        let outage = match &*state {
            State::Open(connection) if connection.is_usable() => return Ok(Arc::clone(connection)),
            State::Opening(attempt) if attempt.has_changed().is_ok() => {
                return Err(attempt.clone());
            }
            State::Open(_) | State::Opening(_) => None,
            State::Closed(outage) => *outage,
        };
        let is_first = matches!(&*state, State::Closed(None));
        let (sender, receiver) = watch::channel(None);
        *state = State::Opening(receiver.clone());
        let this = self.clone();
        runtime.spawn(async move {
            let attempt = this.attempt(outage).await;
            if attempt.failure.is_none() && !is_first {
                this.observer.fact("redis", Fact::Reconnected, 1);
            }
            sender.send_replace(Some(attempt));
        });
        Err(receiver)
    }

    async fn attempt(&self, outage: Option<Outage>) -> Attempt {
        if let Some(outage) = outage {
            sleep_until(outage.pause_until).await;
        }
        let began = Instant::now();
        // Shorter than the budget of the call that waits for it, so that the call gets the reason.
        let limit = self.connect_timeout.mul_f32(0.9);
        let (state, failure) = match self.connector.connect(limit).await {
            Ok(connection) => (State::Open(Arc::new(connection)), None),
            Err(failure) => {
                let outage = self.after_failure(outage, began);
                let duration = outage.since.elapsed();
                (State::Closed(Some(outage)), Some((duration, failure)))
            }
        };
        *self.state.lock() = state;
        Attempt { began, failure }
    }

    /// The pause is shorter than the budget of a call, so each call sees an attempt.
    fn after_failure(&self, earlier: Option<Outage>, began: Instant) -> Outage {
        let failures = earlier
            .map_or(0, |outage| outage.failures)
            .saturating_add(1);
        Outage {
            failures,
            since: earlier.map_or(began, |outage| outage.since),
            pause_until: Instant::now() + pause(failures).min(self.connect_timeout / 2),
        }
    }
}
