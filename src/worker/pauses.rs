//! Random pauses between the repeats of a call, up to a time limit.

use std::time::{Duration, Instant};

use futures_timer::Delay;

use crate::ids::random_bits;

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_millis(500);

pub(super) struct Pauses {
    started: Instant,
    limit: Duration,
    next: Duration,
}

impl Pauses {
    pub fn within(limit: Duration) -> Self {
        Self {
            started: Instant::now(),
            limit,
            next: SHORTEST,
        }
    }

    /// Waits; returns false at once if the time is up.
    pub async fn pause(&mut self) -> bool {
        let left = self.limit.saturating_sub(self.started.elapsed());
        if left.is_zero() {
            return false;
        }
        Delay::new(between_half_and(self.next).min(left)).await;
        self.next = (self.next * 2).min(LONGEST);
        true
    }
}

/// Draws a time, so that several workers do not ask at the same instants.
fn between_half_and(time: Duration) -> Duration {
    // 16 of the random bits.
    let share = u32::from(random_bits().get() as u16);
    time / 2 + (time / 2) * share / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_at_least_half_of_its_length() {
        for _ in 0..100 {
            let drawn = between_half_and(LONGEST);
            assert!(drawn >= LONGEST / 2 && drawn <= LONGEST, "{drawn:?}");
        }
    }

    #[test]
    fn there_is_no_pause_after_the_time_limit() {
        assert!(!pollster::block_on(Pauses::within(Duration::ZERO).pause()));
        assert!(pollster::block_on(
            Pauses::within(Duration::from_secs(60)).pause()
        ));
    }
}
