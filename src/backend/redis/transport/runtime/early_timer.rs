//! A periodic timer that keeps the deadlines of calls from waking the I/O thread.
//!
//! A new timer that is earlier than all others wakes the I/O thread, which then shortens its wait.
//! The deadline of a lone call is always such a timer, and the wake-up costs a twentieth of the
//! call's time. While there are calls this timer fires every second, so their deadlines are later.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

/// Shorter than the time limit of most calls.
const PERIOD: Duration = Duration::from_secs(1);

const STOPPED: u8 = 0;
const UNUSED: u8 = 1;
const USED: u8 = 2;

pub struct EarlyTimer(AtomicU8);

impl EarlyTimer {
    pub const fn new() -> Self {
        Self(AtomicU8::new(STOPPED))
    }

    /// Records a call. True if the timer is stopped; the caller must then start
    /// [`EarlyTimer::run`].
    pub fn record_call(&self) -> bool {
        self.0.load(Ordering::Relaxed) != USED && self.0.swap(USED, Ordering::AcqRel) == STOPPED
    }

    /// Fires periodically; ends after a period without a call.
    pub async fn run(&self) {
        loop {
            tokio::time::sleep(PERIOD).await;
            if self.stop_if_unused() {
                return;
            }
        }
    }

    /// At the end of a period: true if it had no call.
    fn stop_if_unused(&self) -> bool {
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
    fn it_stops_after_a_period_without_calls() {
        let timer = EarlyTimer::new();
        assert!(timer.record_call());
        assert!(!timer.record_call(), "it runs");
        assert!(!timer.stop_if_unused(), "there were calls");
        assert!(!timer.record_call(), "it still runs");
        assert!(!timer.stop_if_unused());
        assert!(timer.stop_if_unused());
        assert!(timer.record_call());
    }
}
