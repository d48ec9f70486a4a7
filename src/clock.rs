//! The clocks of the memory and the durable store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

pub use crate::timestamp::Timestamp;
pub(crate) use crate::timestamp::whole_millis;

/// A source of the time, for the memory and the durable store.
///
/// The Redis store uses the clock of the server, so that all processes agree.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time. It must not decrease while the store is open.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The wall clock, read once, and advanced by the monotonic clock.
///
/// Setting the wall clock while the process runs moves no deadline. Where the monotonic clock stops
/// while the machine sleeps, deadlines and leases are later by the time of sleep.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    wall_time: Timestamp,
}

impl SystemClock {
    /// Makes a clock from the current wall time.
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            wall_time: Timestamp::from(SystemTime::now()),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let running = whole_millis(self.started.elapsed());
        Timestamp::from_millis(self.wall_time.as_millis().saturating_add(running))
    }
}

/// A clock that only a test moves.
///
/// ```
/// use greentic_session::clock::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
///
/// let clock = ManualClock::starting_at(Timestamp::from_millis(10));
/// clock.advance(Duration::from_millis(5));
/// assert_eq!(clock.now().as_millis(), 15);
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Makes a clock that reads `start`.
    #[must_use]
    pub const fn starting_at(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.as_millis()))
    }

    /// Moves the clock forward by whole milliseconds, up to the largest timestamp.
    pub fn advance(&self, step: Duration) {
        let step = whole_millis(step);
        self.0.update(Ordering::SeqCst, Ordering::SeqCst, |now| {
            now.saturating_add(step)
        });
    }

    /// Sets the clock, forward or back, as a wall clock may be set between two runs of a process.
    pub fn set(&self, instant: Timestamp) {
        self.0.store(instant.as_millis(), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::starting_at(Timestamp::from_millis(1_700_000_000_000))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
