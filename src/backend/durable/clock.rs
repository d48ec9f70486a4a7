//! Time that never runs back, also from one run of a process to the next.

use crate::clock::{Clock, Timestamp};

/// A clock that goes on from the latest instant that the file has seen.
///
/// If the wall clock was set back between two runs, time goes on from where it was, so that no
/// session comes back and every lease and TTL still takes as long as it should. Instants are then
/// ahead of the wall clock until it has caught up.
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

    /// How far the time of the store is ahead of the clock that it was given.
    pub fn ahead_millis(&self) -> u64 {
        self.ahead_millis
    }
}
