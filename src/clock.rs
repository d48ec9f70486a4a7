//! Timestamps in epoch milliseconds, and the clocks of the memory and the durable store.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// An instant in milliseconds since the Unix epoch.
///
/// ```
/// use greentic_session::clock::Timestamp;
///
/// let instant = Timestamp::from_millis(1_500);
/// assert_eq!(instant.as_millis(), 1_500);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Timestamp(NonZeroU64);

impl From<u64> for Timestamp {
    fn from(millis: u64) -> Self {
        Self::from_millis(millis)
    }
}

impl From<Timestamp> for u64 {
    fn from(instant: Timestamp) -> Self {
        instant.as_millis()
    }
}

impl Timestamp {
    /// Makes a timestamp; 0 becomes 1.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        match NonZeroU64::new(millis) {
            Some(millis) => Self(millis),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// Returns the time from `earlier` to this instant, or zero if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms after the epoch", self.as_millis())
    }
}

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
    epoch_millis: u64,
}

impl SystemClock {
    /// Makes a clock from the current wall time.
    #[must_use]
    pub fn new() -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: Instant::now(),
            epoch_millis: whole_millis(since_epoch),
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
        Timestamp::from_millis(self.epoch_millis.saturating_add(running))
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

pub(crate) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
