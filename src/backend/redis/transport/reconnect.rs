//! A place for one connection that opens itself when it is needed.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::backoff::pause;
use super::connection::Link;
use super::connector::Topology;
use super::error::Failure;
use super::runtime::Runtime;

/// How long a call waits for a connection.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub until: Instant,
    pub persistence: Persistence,
}

/// How a call takes a failure to open a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// The first one is enough: there may be another way.
    Once,
    /// Go on while the server has not been away for longer than the connect timeout.
    WhileBrief,
    /// Go on until the time is up.
    Always,
}

impl Patience {
    pub const fn once(until: Instant) -> Self {
        Self {
            until,
            persistence: Persistence::Once,
        }
    }
}

/// A place for one connection.
///
/// At most one attempt to open it is under way, as a task of its own: no caller who stops polling
/// can hold up the others.
#[derive(Clone)]
pub(crate) struct Slot {
    topology: Arc<Topology>,
    connect_timeout: Duration,
    state: Arc<Mutex<State>>,
}

enum State {
    Open(Arc<Link>),
    Opening(watch::Receiver<Option<Attempt>>),
    Closed(Option<Outage>),
}

/// Failures to open a connection since one was last open.
#[derive(Clone, Copy)]
struct Outage {
    failures: u32,
    since: Instant,
    /// No attempt begins before.
    pause_until: Instant,
}

/// An attempt that has ended.
#[derive(Clone)]
struct Attempt {
    began: Instant,
    /// How long connections could not be opened, and why this one could not.
    failure: Option<(Duration, Failure)>,
}

impl Slot {
    pub fn new(topology: Arc<Topology>, connect_timeout: Duration) -> Self {
        Self {
            topology,
            connect_timeout,
            state: Arc::new(Mutex::new(State::Closed(None))),
        }
    }

    /// Another place for a connection to the same server.
    pub fn another(&self) -> Self {
        Self::new(Arc::clone(&self.topology), self.connect_timeout)
    }

    /// The connection, if it is open.
    pub fn open(&self) -> Option<Arc<Link>> {
        match &*self.state.lock() {
            State::Open(link) if !link.is_retired() => Some(Arc::clone(link)),
            _ => None,
        }
    }

    /// The connection, if it is open; if not, it will be, without anybody waiting for it.
    pub fn open_soon(&self, runtime: &Runtime) -> Option<Arc<Link>> {
        self.enter(runtime).ok()
    }

    /// The connection; opens it if it is not open.
    ///
    /// At least one attempt is made that begins after this call. Further ones follow only while the
    /// server has not been away for longer than the connect timeout.
    pub async fn link(&self, runtime: &Runtime, patience: Patience) -> Result<Arc<Link>, Failure> {
        let called = Instant::now();
        let mut last = None;
        loop {
            let mut opening = match self.enter(runtime) {
                Ok(link) => return Ok(link),
                Err(opening) => opening,
            };
            let ended = timeout_at(patience.until, opening.wait_for(Option::is_some)).await;
            let Ok(ended) = ended else {
                let late = || self.topology.unreachable("no connection in time");
                return Err(last.unwrap_or_else(late));
            };
            // A sender that is gone took its attempt along; the next round starts another.
            let Some(attempt) = ended.ok().and_then(|attempt| attempt.clone()) else {
                continue;
            };
            let Some((away, failure)) = attempt.failure else {
                continue;
            };
            let is_enough = match patience.persistence {
                Persistence::Once => true,
                Persistence::WhileBrief => failure.is_lasting() || away >= self.connect_timeout,
                Persistence::Always => false,
            };
            if attempt.began >= called && is_enough {
                return Err(failure);
            }
            last = Some(failure);
        }
    }

    /// The open connection, or else the attempt to wait for, which is started if there is none.
    fn enter(&self, runtime: &Runtime) -> Result<Arc<Link>, watch::Receiver<Option<Attempt>>> {
        let mut state = self.state.lock();
        let outage = match &*state {
            State::Open(link) if !link.is_retired() => return Ok(Arc::clone(link)),
            State::Opening(attempt) if attempt.has_changed().is_ok() => {
                return Err(attempt.clone());
            }
            State::Open(_) | State::Opening(_) => None,
            State::Closed(outage) => *outage,
        };
        let (sender, receiver) = watch::channel(None);
        *state = State::Opening(receiver.clone());
        let slot = self.clone();
        runtime.spawn(async move {
            let attempt = slot.attempt(outage).await;
            sender.send_replace(Some(attempt));
        });
        Err(receiver)
    }

    async fn attempt(&self, outage: Option<Outage>) -> Attempt {
        if let Some(outage) = outage {
            sleep_until(outage.pause_until).await;
        }
        let began = Instant::now();
        // It ends before the patience of the call that waits for it, so that the call can say why.
        let opened = self.topology.open(self.connect_timeout.mul_f32(0.9)).await;
        let (state, failure) = match opened {
            Ok(link) => (State::Open(Arc::new(link)), None),
            Err(failure) => {
                let outage = self.after_failure(outage, began);
                let away = outage.since.elapsed();
                (State::Closed(Some(outage)), Some((away, failure)))
            }
        };
        *self.state.lock() = state;
        Attempt { began, failure }
    }

    /// A pause is shorter than the patience of a call, so that each call sees an attempt.
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
