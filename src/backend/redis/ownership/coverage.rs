//! When the due indexes of a Cluster are looked at: each slot has one, and most are empty (C33).
//!
//! A store goes around all slots, a share with each call. It remembers when the first wait of a slot is
//! due, and looks at that slot then. So the time of a whole round is no delay for a timeout that is longer
//! than a round.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::backend::redis::hash_slot::SLOTS;
use crate::due::LONGEST_POLL;
use crate::ids::random_bits;

/// In how many calls a round is made at least, so that no call has to look at very many slots.
const CALLS_PER_ROUND: u16 = 10;

/// The slots that a store looks at, and when.
pub struct Coverage {
    /// How long one round takes; none for no rounds.
    round: Option<Duration>,
    state: Mutex<State>,
}

struct State {
    /// When the first wait of a slot is due, where that is known.
    first: HashMap<u16, Instant>,
    /// The slot with which the round goes on.
    next: u16,
    /// Up to when the slots of the round were given out.
    given_until: Instant,
    /// The slot behind the last one that was due.
    behind_due: u16,
}

impl Coverage {
    pub fn new(round: Option<Duration>, now: Instant) -> Self {
        let start = random_bits().get() % u128::from(SLOTS);
        let start = u16::try_from(start).unwrap_or_default();
        let first_share = round.unwrap_or_default() / u32::from(CALLS_PER_ROUND);
        Self {
            round,
            state: Mutex::new(State {
                first: HashMap::new(),
                next: start,
                given_until: now.checked_sub(first_share).unwrap_or(now),
                behind_due: start,
            }),
        }
    }

    /// The slots of the round that are to be looked at now: as many as the time since the last call asks
    /// for, and at most a tenth of all.
    pub fn share(&self, now: Instant) -> Vec<u16> {
        let Some(round) = self.round else {
            return Vec::new();
        };
        let mut state = self.state.lock();
        let passed = now.saturating_duration_since(state.given_until);
        let most = SLOTS / CALLS_PER_ROUND;
        let asked = passed.as_secs_f64() / round.as_secs_f64() * f64::from(SLOTS);
        let count = (0..most)
            .take_while(|count| f64::from(*count) + 1.0 <= asked)
            .count();
        let Ok(count) = u16::try_from(count) else {
            return Vec::new();
        };
        if count == 0 {
            return Vec::new();
        }
        state.given_until = if count == most {
            now
        } else {
            state.given_until + round.mul_f64(f64::from(count) / f64::from(SLOTS))
        };
        let first = state.next;
        state.next = (first + count) % SLOTS;
        (0..count).map(|slot| (first + slot) % SLOTS).collect()
    }

    /// Notes what a look at a slot has found: when its first wait is due, or that it has none.
    pub fn found(&self, slot: u16, now: Instant, after: Option<Duration>) {
        let mut state = self.state.lock();
        match after.map(|after| instant(now, after)) {
            Some(at) => state.first.insert(slot, at),
            None => state.first.remove(&slot),
        };
    }

    /// Notes that a wait of a slot will be due.
    pub fn expect(&self, slot: u16, now: Instant, after: Duration) {
        let at = instant(now, after);
        let mut state = self.state.lock();
        let first = state.first.entry(slot).or_insert(at);
        *first = at.min(*first);
    }

    /// Slots in which a wait is due now, at most `limit`. They take turns.
    pub fn due(&self, now: Instant, limit: usize) -> Vec<u16> {
        let mut state = self.state.lock();
        let due = state.first.iter().filter(|(_, first)| **first <= now);
        let mut due: Vec<u16> = due.map(|(slot, _)| *slot).collect();
        let start = state.behind_due;
        due.sort_unstable_by_key(|slot| (slot + SLOTS - start) % SLOTS);
        due.truncate(limit);
        if let Some(last) = due.last() {
            state.behind_due = (last + 1) % SLOTS;
        }
        due
    }

    /// When to look again: when the next known wait is due, or the round goes on. Zero if one is due.
    pub fn next(&self, now: Instant) -> Duration {
        let state = self.state.lock();
        let first = state.first.values().min();
        let known = first.map_or(LONGEST_POLL, |first| first.saturating_duration_since(now));
        match self.round {
            Some(round) => known.min(round / u32::from(CALLS_PER_ROUND)),
            None => known,
        }
    }
}

/// The instant after a time; far away if it is very long.
fn instant(now: Instant, after: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(365 * 24 * 3600);
    now + after.min(FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: Duration = Duration::from_secs(20);

    #[test]
    fn c33_a_round_looks_at_each_slot_once() {
        let begun = Instant::now();
        let coverage = Coverage::new(Some(ROUND), begun);
        let mut seen = Vec::new();
        let mut now = begun;
        while seen.len() < usize::from(SLOTS) {
            let share = coverage.share(now);
            assert!(share.len() <= usize::from(SLOTS / CALLS_PER_ROUND));
            assert!(
                coverage.share(now).len() <= 1,
                "the share is given out once"
            );
            seen.extend(share);
            now += Duration::from_millis(700);
        }
        assert!(
            now <= begun + ROUND + Duration::from_secs(1),
            "{:?}",
            now - begun
        );
        seen.truncate(usize::from(SLOTS));
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() + 50 > usize::from(SLOTS), "{}", seen.len());
    }

    #[test]
    fn c33_a_known_wait_is_looked_at_when_it_is_due() {
        let now = Instant::now();
        let coverage = Coverage::new(None, now);
        assert!(coverage.share(now + ROUND).is_empty());
        assert_eq!(coverage.next(now), LONGEST_POLL);
        let at = |seconds| now + Duration::from_secs(seconds);
        coverage.found(7, now, Some(Duration::from_secs(3)));
        coverage.expect(7, now, Duration::from_secs(2));
        coverage.expect(7, now, Duration::from_secs(4));
        assert_eq!(coverage.next(now), Duration::from_secs(2));
        assert!(coverage.due(at(1), 16).is_empty());
        assert_eq!(coverage.due(at(2), 16), [7]);
        coverage.found(7, at(2), None);
        assert!(coverage.due(at(9), 16).is_empty());
    }

    #[test]
    fn c33_slots_that_are_due_take_turns() {
        let now = Instant::now();
        let coverage = Coverage::new(None, now);
        for slot in [3, 9_000, 16_383] {
            coverage.expect(slot, now, Duration::ZERO);
        }
        let mut seen: Vec<_> = (0..3).flat_map(|_| coverage.due(now, 1)).collect();
        seen.sort_unstable();
        assert_eq!(seen, [3, 9_000, 16_383]);
    }
}
