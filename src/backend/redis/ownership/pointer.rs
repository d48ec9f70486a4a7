//! Pointers from session keys to owners, and reservations of session keys.

use std::time::Duration;

use crate::backend::redis::script::known_pointer::{KnownPointer, POINTER_SLACK};
use crate::clock::whole_millis;
use crate::options::TtlMillis;
use crate::owner::Owner;

/// A claim or a renewal that much later than the last confirmation confirms the pointer.
pub const CONFIRMED_FOR: Duration = Duration::from_secs(3600);

/// The state of a pointer, by the clock of its node.
pub struct PointerState {
    pub owner: Owner,
    pub stamp: u64,
    /// None if the pointer has no expiry.
    pub expires_in: Option<Duration>,
    /// The time since it was created.
    pub age: Duration,
}

/// A pointer without a session.
#[derive(PartialEq, Eq)]
pub struct Orphan {
    pub owner: Owner,
    pub stamp: u64,
    /// It ends by itself.
    pub expires: bool,
}

/// Whether the call that reserved a session key created its pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReservationKind {
    Created,
    /// The pointer existed, so its session must exist.
    Existing,
}

/// The permission to write a session, given by the pointer's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    pub kind: ReservationKind,
    pub pointer: KnownPointer,
    /// The instant up to which the owner's node accepts the write, in microseconds.
    pub write_deadline: u64,
}

impl Reservation {
    /// The reservation as an argument of a script; empty where there are no pointers.
    pub fn argument(reservation: Option<Self>) -> String {
        let Some(reservation) = reservation else {
            return String::new();
        };
        let sign = match reservation.kind {
            ReservationKind::Created => '+',
            ReservationKind::Existing => '=',
        };
        format!("{sign}{}", reservation.pointer)
    }
}

/// How a session key is reserved anew after a refusal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retry {
    /// The stamp of the pointer that is replaced.
    pub replaced: Option<u64>,
    /// A fence, or the instant at which the owner's node refused the call, in microseconds. A new
    /// stamp is above it, and the lifetime counts from it if the pointer's node is behind.
    pub above: u64,
}

/// How long a pointer lives for a session with that TTL, in milliseconds; none without an end.
///
/// Twice the time up to a confirmation that comes as late as possible, and the slack. So the
/// pointer outlives the session also if a failover loses its newest expiry.
pub fn pointer_life(TtlMillis(session): TtlMillis) -> Option<u64> {
    let longest = |ttl: u64| ttl.saturating_add(whole_millis(CONFIRMED_FOR));
    let doubled = session.map(|ttl| longest(ttl).saturating_mul(2));
    doubled.map(|life| life.saturating_add(POINTER_SLACK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_lives_twice_as_long_as_its_session_and_longer() {
        let life = |ttl| pointer_life(TtlMillis(ttl));
        assert_eq!(life(None), None);
        assert_eq!(life(Some(1)), Some(9_000_002));
        assert_eq!(life(Some(3_600_000)), Some(16_200_000));
        assert_eq!(life(Some(u64::MAX)), Some(u64::MAX));
    }
}
