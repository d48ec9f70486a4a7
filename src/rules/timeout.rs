//! The timeout of a wait, and when the wait is due (C32, C33).

use super::{Head, Wait};
use crate::clock::Timestamp;
use crate::timeout::{TimeoutKind, WaitTimeout};

/// The timeout of a wait, as it is stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredTimeout {
    pub timeout: WaitTimeout,
    /// True if the wait has left its scope for good: `claim_due` has handed it out, or another session or
    /// start has taken the scope. Only a wait that closes does.
    pub closed: bool,
    /// How many leases of the wait ended without a release, since the timeout was set.
    pub lapses: u32,
}

impl StoredTimeout {
    pub const fn new(timeout: WaitTimeout) -> Self {
        Self {
            timeout,
            closed: false,
            lapses: 0,
        }
    }
}

/// The pause after the first lease that ended, in milliseconds. It doubles with each further one.
const FIRST_PAUSE: u64 = 1_000;
/// The longest pause, in milliseconds.
pub(crate) const LONGEST_PAUSE: u64 = 10 * 60 * 1_000;

/// The pause after a lease that ends after so many others.
pub(super) fn pause(lapses: u32) -> u64 {
    FIRST_PAUSE
        .checked_shl(lapses.min(30))
        .unwrap_or(LONGEST_PAUSE)
        .min(LONGEST_PAUSE)
}

impl Wait {
    /// Returns true if no scope leads to the wait any more, whatever the time.
    pub fn has_left(&self) -> bool {
        self.timeout.is_some_and(|stored| stored.closed)
    }

    /// C32: returns true if the wait has left its scope. A claim that a message made in time keeps it there
    /// until the lease ends.
    pub fn is_closed(&self, now: Timestamp) -> bool {
        let Some(stored) = self.timeout else {
            return false;
        };
        let has_come = stored.timeout.kind == TimeoutKind::Close && stored.timeout.at <= now;
        let is_claimed = || self.lease.as_ref().is_some_and(|lease| lease.is_live(now));
        stored.closed || (has_come && !is_claimed())
    }

    /// C33: returns true if `claim_due` hands the wait out.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at().is_some_and(|at| at <= now)
    }

    /// Takes a closed wait from its scope for good.
    pub(super) fn leave_scope(&mut self) {
        if let Some(stored) = &mut self.timeout {
            stored.closed = stored.timeout.kind == TimeoutKind::Close;
        }
    }

    /// Counts the lease that ended without a release, if there is one.
    pub(super) fn count_lapse(&mut self) {
        if let (Some(stored), Some(_lapsed)) = (&mut self.timeout, &self.lease) {
            stored.lapses = stored.lapses.saturating_add(1);
        }
    }

    /// C33: returns the instant from which `claim_due` hands the wait out, if it has a timeout.
    pub fn due_at(&self) -> Option<Timestamp> {
        let stored = self.timeout?;
        let at = stored.timeout.at;
        Some(match &self.lease {
            Some(lease) => {
                let paused = lease.until.as_millis().saturating_add(pause(stored.lapses));
                at.max(Timestamp::from_millis(paused))
            }
            None => at,
        })
    }
}

impl Head {
    /// Returns the wait, unless no scope leads to it any more.
    pub fn routed_wait(&self) -> Option<&Wait> {
        self.wait.as_ref().filter(|wait| !wait.has_left())
    }

    /// C32: returns true if the session waits, and has left its scope.
    pub fn is_closed(&self, now: Timestamp) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.is_closed(now))
    }

    /// Returns the instant from which the session is due, if it has a timeout.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.wait.as_ref()?.due_at()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c33_a_pause_doubles_up_to_ten_minutes() {
        let pauses = [0, 1, 2, 9, 10, 31, 32, u32::MAX].map(pause);
        let expected = [
            1_000, 2_000, 4_000, 512_000, 600_000, 600_000, 600_000, 600_000,
        ];
        assert_eq!(pauses, expected);
    }
}
