//! A timer that is earlier than the deadlines of calls, while there are calls.
//!
//! A new timer that is the earliest of its runtime wakes the I/O thread, which then waits for less
//! long. The deadline of a lone call always is, and each call would pay for a wake-up that nobody
//! needs: a twentieth of its time. This one ticks by the second, and ends when calls do.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Less than a call usually has.
const PERIOD: Duration = Duration::from_secs(1);

const STOPPED: u8 = 0;
const UNUSED: u8 = 1;
const USED: u8 = 2;

pub(crate) struct EarlyTimer(AtomicU8);

impl EarlyTimer {
    pub const fn new() -> Self {
        Self(AtomicU8::new(STOPPED))
    }

    /// Tells of a call. True if nobody runs the timer: the caller has to see to it.
    pub fn is_needed(&self) -> bool {
        self.0.load(Ordering::Relaxed) != USED && self.0.swap(USED, Ordering::AcqRel) == STOPPED
    }

    /// Ticks until there was no call for a whole period.
    pub async fn run(&self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            if self.stops() {
                return;
            }
        }
    }

    fn stops(&self) -> bool {
        let stop = |state| Some(if state == UNUSED { STOPPED } else { UNUSED });
        let before = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, stop);
        before == Ok(UNUSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stops_when_calls_do() {
        let timer = EarlyTimer::new();
        assert!(timer.is_needed());
        assert!(!timer.is_needed(), "it runs");
        assert!(!timer.stops(), "there were calls");
        assert!(!timer.is_needed(), "it runs still");
        assert!(!timer.stops());
        assert!(timer.stops());
        assert!(timer.is_needed());
    }
}
