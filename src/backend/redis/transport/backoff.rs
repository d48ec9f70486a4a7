//! Exponential backoff with jitter.

use std::time::Duration;

use crate::ids::random_bits;

const FIRST: Duration = Duration::from_millis(20);
const MAX: Duration = Duration::from_millis(500);

/// The pause after a number of consecutive failures: zero for none, then 20 ms, doubled for each
/// further one up to 500 ms, with jitter so that clients do not retry at the same time.
pub fn pause(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    jittered(FIRST.saturating_mul(1 << doublings.min(5)).min(MAX))
}

/// A random duration between half of `full` and `full`.
pub fn jittered(full: Duration) -> Duration {
    let random = u32::from_le_bytes(first_four(random_bits().get().to_le_bytes()));
    full.mul_f64(0.5 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

fn first_four([a, b, c, d, ..]: [u8; 16]) -> [u8; 4] {
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        assert_eq!(pause(0), Duration::ZERO);
        for failures in 1..100 {
            let pause = pause(failures);
            assert!(pause >= FIRST / 2 && pause <= MAX);
        }
        assert!(pause(100) >= MAX / 2);
    }

    #[test]
    fn pauses_are_random() {
        let pauses: std::collections::HashSet<_> = (0..8).map(|_| pause(9)).collect();
        assert!(pauses.len() > 1);
    }
}
