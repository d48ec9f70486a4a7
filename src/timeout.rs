//! Timeouts: what a wait does that nobody answers (C32).

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::{Timestamp, whole_millis};
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::ttl::{LATEST_DEADLINE, TtlMillis};

/// The timeout that a wait gets: an instant, and what happens then (C32).
///
/// ```
/// use greentic_session::{ParkOptions, Timeout, TimeoutKind};
/// use std::time::Duration;
///
/// let timeout = Timeout::remind(Duration::from_secs(24 * 3600));
/// assert_eq!(timeout.kind, TimeoutKind::Remind);
/// assert_eq!(ParkOptions::new().timeout(timeout).timeout, Some(timeout));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeout {
    /// The time from the call that sets it to its instant. Zero, or less than a millisecond, acts as
    /// 1 ms. It must be shorter than the time to the deadline of the session.
    pub after: Duration,
    /// What happens at the instant.
    pub kind: TimeoutKind,
}

impl Timeout {
    /// Makes the wait due at the instant. It goes on taking answers.
    #[must_use]
    pub const fn remind(after: Duration) -> Self {
        Self {
            after,
            kind: TimeoutKind::Remind,
        }
    }

    /// Takes the wait from its scope at the instant, and makes it due.
    #[must_use]
    pub const fn close(after: Duration) -> Self {
        Self {
            after,
            kind: TimeoutKind::Close,
        }
    }
}

/// What happens at the instant of a timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TimeoutKind {
    /// The wait becomes due, and goes on taking answers: whichever is claimed first, message or
    /// timeout, gets the turn.
    Remind,
    /// The wait leaves its scope and becomes due: no message finds it any more.
    Close,
}

impl fmt::Display for TimeoutKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Remind => "remind",
            Self::Close => "close",
        })
    }
}

/// The timeout that a wait has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WaitTimeout {
    /// The instant.
    pub at: Timestamp,
    /// What happens at the instant.
    pub kind: TimeoutKind,
}

impl WaitTimeout {
    /// Makes a timeout of this kind at this instant.
    #[must_use]
    pub const fn new(at: Timestamp, kind: TimeoutKind) -> Self {
        Self { at, kind }
    }
}

/// A checked [`Timeout`].
#[derive(Clone, Copy)]
pub(crate) struct NextTimeout {
    /// At least 1.
    pub after_millis: u64,
    pub kind: TimeoutKind,
}

impl NextTimeout {
    /// # Errors
    /// `InvalidInput` if the time is too long.
    pub fn checked(timeout: Timeout) -> SessionResult<Self> {
        let after_millis = whole_millis(timeout.after).max(1);
        if after_millis > LATEST_DEADLINE {
            return Err(invalid_input(format!(
                "the timeout after {after_millis} ms is too late; the limit is {LATEST_DEADLINE} ms"
            )));
        }
        Ok(Self {
            after_millis,
            kind: timeout.kind,
        })
    }

    /// C32: the timeout comes before the deadline of a session that is stored with this TTL.
    ///
    /// # Errors
    /// `InvalidInput` otherwise.
    pub fn require_within(self, ttl: TtlMillis) -> SessionResult<()> {
        match ttl.0 {
            Some(ttl) if self.after_millis >= ttl => Err(self.too_late(ttl)),
            _ => Ok(()),
        }
    }

    /// The error of a timeout that is not before the deadline, which comes after `left` ms.
    pub fn too_late(self, left: u64) -> GreenticError {
        let after = self.after_millis;
        invalid_input(format!(
            "the timeout after {after} ms is not before the deadline of the session after {left} ms"
        ))
    }

    /// The timeout of a wait that gets it at `now`.
    pub fn at(self, now: Timestamp) -> WaitTimeout {
        let at = now.as_millis().saturating_add(self.after_millis);
        let at = Timestamp::from_millis(at.min(LATEST_DEADLINE));
        WaitTimeout::new(at, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c32_absurd_timeouts_are_bounded() {
        let after = |after| NextTimeout::checked(Timeout::remind(after)).map(|it| it.after_millis);
        assert_eq!(after(Duration::ZERO).unwrap(), 1);
        assert_eq!(after(Duration::from_nanos(1)).unwrap(), 1);
        assert_eq!(
            after(Duration::from_millis(LATEST_DEADLINE)).unwrap(),
            LATEST_DEADLINE
        );
        let beyond = Duration::from_millis(LATEST_DEADLINE + 1);
        assert!(after(beyond).unwrap_err().message.contains("too late"));
        assert!(after(Duration::MAX).is_err());
    }

    #[test]
    fn c32_a_timeout_comes_before_the_deadline() {
        let timeout = NextTimeout::checked(Timeout::close(Duration::from_millis(7))).unwrap();
        assert!(timeout.require_within(TtlMillis(None)).is_ok());
        assert!(timeout.require_within(TtlMillis(Some(8))).is_ok());
        let refused = timeout.require_within(TtlMillis(Some(7))).unwrap_err();
        assert!(refused.message.contains("after 7 ms is not before"));
    }
}
