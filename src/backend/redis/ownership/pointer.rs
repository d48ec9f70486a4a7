//! What a pointer of [`super::pointers`] holds, and what calls know of theirs.

use std::time::Duration;

use crate::backend::redis::script::reply::unexpected;
use crate::clock::whole_millis;
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::owner::Owner;

/// The pointer for which a session is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// There are no pointers.
    None,
    /// The call wrote it.
    Written(u64),
    /// The call found it: its session must be there.
    Found(u64),
}

/// A pointer for which the session is not written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stale {
    pub stamp: u64,
    /// Up to which stamp no call writes the session any more.
    pub fence: u64,
    /// When a write came too late, by the clock of the session's node.
    pub late: Option<u64>,
}

/// A pointer that is ready for its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub seal: Seal,
    /// The pointer lives longer than was asked for.
    pub outlives: bool,
    /// Until when the session may be written, in microseconds; none where there are no pointers.
    pub until: Option<u64>,
}

/// A pointer that was made to live longer.
pub(crate) struct Lengthened {
    pub owner: Owner,
    /// It may live longer than its session will.
    pub outlives: bool,
    /// It tells that instant until another call is about to write the session.
    pub awaited: u64,
    /// When it was made to, in microseconds.
    pub at: u64,
    pub stamp: u64,
}

/// Whose a session key is.
pub(crate) struct Pointer {
    pub stamp: u64,
    /// When a call last told that it is about to write the session, or until when a claim's commit may.
    pub awaited: u64,
    pub owner: Owner,
}

/// A pointer that is looked at by a check.
pub(crate) struct Inspected {
    pub owner: Owner,
    pub stamp: u64,
    /// How long it lives on; none is for ever.
    pub left: Option<Duration>,
    /// For how long no call told that it is about to write the session.
    pub quiet: Duration,
}

impl Inspected {
    pub fn ends_within(&self, time: Duration) -> bool {
        self.left.is_some_and(|left| left <= time)
    }
}

impl Pointer {
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

impl Reservation {
    /// Where there are no pointers.
    pub const NONE: Self = Self {
        seal: Seal::None,
        outlives: false,
        until: None,
    };

    /// As the scripts want it.
    pub fn text(self) -> String {
        let until = self.until.unwrap_or_default();
        match self.seal {
            Seal::None => String::new(),
            Seal::Written(stamp) => format!("{until}+{stamp}"),
            Seal::Found(stamp) => format!("{until}={stamp}"),
        }
    }
}

impl Seal {
    pub const fn stamp(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Written(stamp) | Self::Found(stamp) => Some(stamp),
        }
    }

    /// The stamp of a pointer for which nobody but this call can be about to write a session.
    pub const fn only(self) -> Option<u64> {
        match self {
            Self::Written(stamp) => Some(stamp),
            Self::None | Self::Found(_) => None,
        }
    }
}

/// How long a pointer lives, as the scripts want it: longer than its session by the time that the write
/// may take.
pub(crate) fn life(Ttl(ttl): Ttl, write: Duration) -> String {
    let life = ttl.map(|ttl| ttl.saturating_add(whole_millis(write)));
    life.map(|life| life.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_as_it_is_written() {
        let pointer = Pointer::parse("1700000000000000 1700000000000001 dev:acme:-:@a b").unwrap();
        assert_eq!(pointer.stamp, 1_700_000_000_000_000);
        assert_eq!(pointer.awaited, 1_700_000_000_000_001);
        assert_eq!(pointer.owner.as_str(), "dev:acme:-:@a b");
        assert!(Pointer::parse("dev:acme:-:ada").is_err());
    }
}
