//! Pointers from session keys to owners, and reservations of session keys.

use std::time::Duration;

use crate::backend::redis::script::reply::unexpected;
use crate::clock::whole_millis;
use crate::error::SessionResult;
use crate::options::TtlMillis;
use crate::owner::Owner;

/// A pointer as it is stored.
pub struct Pointer {
    /// The instant at which it was written, in microseconds; it identifies the pointer.
    pub stamp: u64,
    /// The instant at which a call last announced a write of the session, in microseconds. While a
    /// claim's lease runs, the end of that lease.
    pub awaited: u64,
    pub owner: Owner,
}

impl Pointer {
    /// Parses `stamp awaited owner`.
    ///
    /// # Errors
    /// `Internal` if the text has another form.
    pub fn parse(text: &str) -> SessionResult<Self> {
        let mut parts = text.splitn(3, ' ');
        let mut next = || parts.next().ok_or_else(unexpected);
        let (stamp, awaited, owner) = (next()?, next()?, next()?);
        Ok(Self {
            stamp: stamp.parse().map_err(|_| unexpected())?,
            awaited: awaited.parse().map_err(|_| unexpected())?,
            owner: Owner::from_encoded(owner),
        })
    }
}

/// The state of a pointer, by the clock of its node.
pub struct PointerState {
    pub owner: Owner,
    pub stamp: u64,
    /// None if the pointer has no expiry.
    pub expires_in: Option<Duration>,
    /// The time since a call announced a write of the session.
    pub quiet: Duration,
}

impl PointerState {
    pub fn expires_within(&self, time: Duration) -> bool {
        self.expires_in.is_some_and(|left| left <= time)
    }
}

/// A pointer without a session.
#[derive(PartialEq, Eq)]
pub struct Orphan {
    pub owner: Owner,
    pub stamp: u64,
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
    /// The stamp of the pointer.
    pub stamp: u64,
    /// The instant up to which the owner's node accepts the write, in microseconds.
    pub write_deadline: u64,
    /// The pointer lives longer than was asked for.
    pub outlives: bool,
}

impl Reservation {
    /// The reservation as an argument of a script; empty where there are no pointers.
    pub fn argument(reservation: Option<Self>) -> String {
        let Some(reservation) = reservation else {
            return String::new();
        };
        let Self {
            write_deadline,
            stamp,
            ..
        } = reservation;
        match reservation.kind {
            ReservationKind::Created => format!("{write_deadline}+{stamp}"),
            ReservationKind::Existing => format!("{write_deadline}={stamp}"),
        }
    }

    /// The stamp, if only this call can write a session for the pointer.
    pub fn exclusive_stamp(self) -> Option<u64> {
        match self.kind {
            ReservationKind::Created => Some(self.stamp),
            ReservationKind::Existing => None,
        }
    }
}

/// A pointer for which no session can be written any more; the next reservation replaces it.
#[derive(Clone, Copy, Debug, Default)]
pub struct FencedPointer {
    pub stamp: u64,
    /// The fence: the new pointer gets a stamp above it.
    pub fence: u64,
    /// The instant at which the owner's node refused a late write, by its clock, in microseconds.
    /// The next write deadline counts from it.
    pub refused_at: Option<u64>,
}

/// A pointer whose lifetime was extended.
pub struct ExtendedPointer {
    pub owner: Owner,
    pub stamp: u64,
    /// The value of [`Pointer::awaited`] that the extension set.
    pub awaited: u64,
    /// The instant of the extension, by the clock of the pointer's node, in microseconds.
    pub extended_at: u64,
    /// The pointer may live longer than its session will.
    pub outlives: bool,
}

/// The TTL of a pointer as an argument of a script: that of its session plus the time in which the
/// session may be written. Empty for no expiry.
pub fn pointer_ttl(TtlMillis(session): TtlMillis, write: Duration) -> Option<u64> {
    session.map(|ttl| ttl.saturating_add(whole_millis(write)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_parsed_as_it_is_written() {
        let pointer = Pointer::parse("1700000000000000 1700000000000001 dev:acme:-:@a b").unwrap();
        assert_eq!(pointer.stamp, 1_700_000_000_000_000);
        assert_eq!(pointer.awaited, 1_700_000_000_000_001);
        assert_eq!(pointer.owner.as_str(), "dev:acme:-:@a b");
        assert!(Pointer::parse("dev:acme:-:ada").is_err());
    }
}
