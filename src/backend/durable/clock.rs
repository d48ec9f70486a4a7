//! The time of the store, which never decreases, also from one process to the next.

use crate::clock::{Clock, Timestamp};

/// A clock that continues from the latest instant that the file has seen.
///
/// If the wall clock was set back between two runs, time continues from that instant, so that no
/// expired session becomes visible and every lease and TTL keeps its length. Instants are then ahead
/// of the wall clock until it has caught up.
pub(super) struct StoreClock {
    clock: Box<dyn Clock>,
    ahead_millis: u64,
}

impl StoreClock {
    pub fn new(clock: impl Clock, seen: Timestamp) -> Self {
        let now = clock.now().as_millis();
        Self {
            clock: Box::new(clock),
            ahead_millis: seen.as_millis().saturating_sub(now),
        }
    }

    pub fn now(&self) -> Timestamp {
        let millis = self.clock.now().as_millis();
        Timestamp::from_millis(millis.saturating_add(self.ahead_millis))
    }

    /// How far the time of the store is ahead of its clock.
    pub fn ahead_millis(&self) -> u64 {
        self.ahead_millis
    }
}
