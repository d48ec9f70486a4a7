//! The interface of a backend to the tests.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::{Arc, RwLock};
use std::time::Duration;

use greentic_session::clock::{Clock, ManualClock, Timestamp};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{AsyncSessionStore, SessionStore, StoreOptions};

/// An empty store of its own, and its time.
///
/// Time goes in ticks: the model knows no other. Where time cannot be injected, a tick must be longer
/// than all calls of one case take together; [`drift`](Harness::drift) shows whether it was.
pub trait Harness: Send + Sync + 'static {
    fn open(options: StoreOptions) -> Self
    where
        Self: Sized;

    fn store(&self) -> Arc<dyn AsyncSessionStore>;

    /// The same store with the API of greentic-session 1.2.
    fn sync_store(&self) -> Arc<dyn SessionStore>;

    /// The length of a tick, where time passes at all.
    fn tick() -> Duration
    where
        Self: Sized;

    /// The store's time.
    fn now(&self) -> Timestamp;

    /// For a store whose writes are seen some time after the instant that their TTLs count from: in
    /// concurrent histories, calls share it, and time passes only while it is held alone.
    fn turns(&self) -> Option<&RwLock<()>> {
        None
    }

    /// Lets `step` pass: moves the clock, or sleeps.
    fn advance(&self, step: Duration);

    /// The time that has passed beside what `advance` was asked for. Once that is a tick, the ticks
    /// of the store and of the model differ, and the case proves nothing.
    fn drift(&self) -> Duration {
        Duration::ZERO
    }

    /// Closes the store and opens it again, if it survives that. No other handle exists.
    fn reopen(&mut self) {}

    /// How much is stored, after whatever clean-up the backend promises; 0 if nothing stayed
    /// behind (C13).
    fn leftovers(&self) -> usize;
}

/// The length of a tick where no time is to pass: no case takes that long.
pub const NEVER: Duration = Duration::from_secs(60 * 60);

/// The in-memory store under a clock that stands still.
pub struct Memory {
    store: Arc<InMemorySessionStore>,
    clock: Arc<ManualClock>,
    turns: RwLock<()>,
}

impl Memory {
    pub fn store_itself(&self) -> &InMemorySessionStore {
        &self.store
    }
}

impl Harness for Memory {
    fn open(options: StoreOptions) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = InMemorySessionStore::with_clock(options, Arc::clone(&clock));
        Self {
            store: Arc::new(store),
            clock,
            turns: RwLock::default(),
        }
    }

    fn store(&self) -> Arc<dyn AsyncSessionStore> {
        self.store.clone()
    }

    fn sync_store(&self) -> Arc<dyn SessionStore> {
        self.store.clone()
    }

    /// So long that the minute for which the record of a start stays is over in a case (C27).
    fn tick() -> Duration {
        Duration::from_secs(20)
    }

    fn turns(&self) -> Option<&RwLock<()>> {
        Some(&self.turns)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, step: Duration) {
        self.clock.advance(step);
    }

    fn leftovers(&self) -> usize {
        self.store.sweep().unwrap();
        let (sessions, owners) = self.store.held();
        sessions + owners
    }
}
