//! Time as the store sees it: epoch milliseconds from a clock that can be injected.

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
    /// Makes an instant; 0 becomes 1.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        match NonZeroU64::new(millis) {
            Some(millis) => Self(millis),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// Tells the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// Tells the time from `earlier` to this instant; zero if it is not earlier.
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

/// Where the memory and the durable store take the time from.
///
/// Redis keeps the time of its own server, so that all processes agree.
pub trait Clock: Send + Sync + 'static {
    /// Tells the current instant. It must not go back while the store is open.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

/// The system's clock, read once and carried on by the monotonic clock.
///
/// A wall clock that is set back or forward while the process runs moves no deadline. Where the
/// monotonic clock stands still while the machine sleeps, deadlines and leases last that much longer.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    epoch_millis: u64,
}

impl SystemClock {
    /// Reads the wall clock.
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

/// A clock that stands still until a test moves it.
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
    /// Makes a clock that shows `start`.
    #[must_use]
    pub const fn starting_at(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.as_millis()))
    }

    /// Moves the clock forward by whole milliseconds; it stops at the last one.
    pub fn advance(&self, step: Duration) {
        let step = whole_millis(step);
        self.0.update(Ordering::SeqCst, Ordering::SeqCst, |now| {
            now.saturating_add(step)
        });
    }

    /// Sets the clock, also back: what a wall clock does between two runs of a process.
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
