//! How long a session lives (C12).

use std::time::Duration;

use crate::clock::{Timestamp, whole_millis};

/// The latest deadline. If the current time plus the TTL is later, the session has no deadline
/// (C12).
///
/// Lua numbers represent all integers up to this one exactly.
pub(crate) const LATEST_DEADLINE: u64 = (1 << 53) - 1;

/// The time from a write of a session to its deadline (C12).
///
/// ```
/// use greentic_session::Ttl;
/// use std::time::Duration;
///
/// assert_eq!(Ttl::from(Duration::from_secs(60)), Ttl::After(Duration::from_secs(60)));
/// assert_eq!(Ttl::from(None), Ttl::Default);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ttl {
    /// The store's default TTL; without one the session has no deadline.
    #[default]
    Default,
    /// This time. Less than a millisecond acts as 1 ms.
    After(Duration),
    /// No deadline: the session stays until it is removed.
    Never,
    /// The TTL with which the session was created, parked or committed last, counted anew. For a
    /// session whose TTL is not known, and for a new one, as [`Ttl::Default`].
    Keep,
}

impl From<Duration> for Ttl {
    fn from(ttl: Duration) -> Self {
        Self::After(ttl)
    }
}

/// `None` is the store's default TTL, as in the nine methods of greentic-session 1.2.
impl From<Option<Duration>> for Ttl {
    fn from(ttl: Option<Duration>) -> Self {
        ttl.map_or(Self::Default, Self::After)
    }
}

/// A checked TTL in milliseconds, at least 1; `None` means no deadline (C12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TtlMillis(pub Option<u64>);

impl TtlMillis {
    fn of(ttl: Option<Duration>) -> Self {
        let millis = ttl.map(|ttl| whole_millis(ttl).max(1));
        Self(millis.filter(|millis| *millis < LATEST_DEADLINE))
    }

    /// The deadline of a session that is stored at `now`.
    pub fn deadline(self, now: Timestamp) -> Option<Timestamp> {
        let deadline = now.as_millis().saturating_add(self.0?);
        (deadline <= LATEST_DEADLINE).then(|| Timestamp::from_millis(deadline))
    }

    /// As one number, which is stored: 0 for no deadline.
    pub fn to_number(self) -> u64 {
        self.0.unwrap_or(0)
    }

    /// Reads the number that [`TtlMillis::to_number`] returned.
    pub fn from_number(number: u64) -> Self {
        Self(Some(number).filter(|millis| (1..LATEST_DEADLINE).contains(millis)))
    }
}

/// A checked TTL of a call that writes a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextTtl {
    Given(TtlMillis),
    /// The stored TTL of the session, or this one if none is known.
    Kept(TtlMillis),
}

impl NextTtl {
    /// Puts in the store's default.
    pub fn new(asked: Ttl, default: Option<Duration>) -> Self {
        match asked {
            Ttl::Default => Self::Given(TtlMillis::of(default)),
            Ttl::After(ttl) => Self::Given(TtlMillis::of(Some(ttl))),
            Ttl::Never => Self::Given(TtlMillis(None)),
            Ttl::Keep => Self::Kept(TtlMillis::of(default)),
        }
    }

    /// The TTL of a session that has this stored TTL, if it is known.
    pub fn over(self, stored: Option<TtlMillis>) -> TtlMillis {
        match self {
            Self::Given(ttl) => ttl,
            Self::Kept(default) => stored.unwrap_or(default),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deadline(ttl: Ttl) -> Option<u64> {
        let ttl = NextTtl::new(ttl, None).over(None);
        let deadline = ttl.deadline(Timestamp::from_millis(1_000));
        deadline.map(Timestamp::as_millis)
    }

    #[test]
    fn c12_absurd_ttls_are_bounded() {
        assert_eq!(deadline(Duration::ZERO.into()), Some(1_001));
        assert_eq!(deadline(Duration::from_nanos(1).into()), Some(1_001));
        assert_eq!(deadline(Duration::MAX.into()), None);
        let beyond = Duration::from_millis(LATEST_DEADLINE - 1);
        assert_eq!(deadline(beyond.into()), None);
        assert_eq!(deadline(Ttl::Default), None);
        assert_eq!(deadline(Ttl::Never), None);
    }

    #[test]
    fn c12_a_kept_ttl_is_the_stored_one_if_it_is_known() {
        let default = Some(Duration::from_millis(7));
        let kept = NextTtl::new(Ttl::Keep, default);
        assert_eq!(kept.over(None), TtlMillis(Some(7)));
        assert_eq!(kept.over(Some(TtlMillis(Some(9)))), TtlMillis(Some(9)));
        assert_eq!(kept.over(Some(TtlMillis(None))), TtlMillis(None));
    }

    #[test]
    fn c12_a_stored_ttl_survives_as_a_number() {
        for ttl in [TtlMillis(None), TtlMillis(Some(1))] {
            assert_eq!(TtlMillis::from_number(ttl.to_number()), ttl);
        }
    }
}
