//! How long to wait before the next attempt.

use std::time::Duration;

use crate::ids::random_bits;

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(500);

/// The pause after a number of failures in a row: none after none, then doubling from 20 ms up to
/// 500 ms, of which a random half is left out so that many clients do not return in step.
pub(crate) fn pause(failures: u32) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else {
        return Duration::ZERO;
    };
    spread(FIRST.saturating_mul(1 << doublings.min(5)).min(LONGEST))
}

/// That time, of which a random half is left out.
pub(crate) fn spread(full: Duration) -> Duration {
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
    fn pauses_grow_up_to_a_limit() {
        assert_eq!(pause(0), Duration::ZERO);
        for failures in 1..100 {
            let pause = pause(failures);
            assert!(pause >= FIRST / 2 && pause <= LONGEST);
        }
        assert!(pause(100) >= LONGEST / 2);
    }

    #[test]
    fn two_clients_do_not_pause_alike() {
        let pauses: std::collections::HashSet<_> = (0..8).map(|_| pause(9)).collect();
        assert!(pauses.len() > 1);
    }
}
