//! What can go wrong, and what the caller can do about it.
//!
//! Every fallible call answers a [`GreenticError`]; its [`ErrorCode`] is the kind to act on:
//!
//! | code | meaning | reaction |
//! |---|---|---|
//! | `InvalidInput` | the arguments break a rule; nothing was done | change the call |
//! | `NotFound` | no such session, or it expired | start afresh |
//! | `Conflict` | somebody else moved first; see [`Conflict`] | read again, decide again |
//! | `Unavailable` | the backend was not reached; nothing was done | repeat later |
//! | `Timeout` | no answer in time; done or not done | repeat, see [`SessionErrorExt::is_safe_to_repeat`] |
//! | `RateLimited` | the backend asks for patience; nothing was done | repeat later |
//! | `Internal` | stored data cannot be read; it was left as it is | call an operator |
//!
//! No message holds a payload, a user id or a password (rule C18).

use greentic_types::{GResult, SessionKey};

use crate::clock::Timestamp;

pub use greentic_types::{ErrorCode, GreenticError};

/// The result of every call on a store.
pub type SessionResult<T> = GResult<T>;

/// Why a call was refused with [`ErrorCode::Conflict`].
///
/// It is the source of the error; [`SessionErrorExt::conflict`] finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// The session was changed since the caller read it (C15).
    #[error("the session is at revision {current}, not {expected}")]
    RevisionMoved {
        /// The revision that the caller named.
        expected: u64,
        /// The revision that is stored.
        current: u64,
    },
    /// Another worker holds a live claim on the wait (C16).
    #[error("the wait is claimed until {until}")]
    Claimed {
        /// When the lease ends unless it is renewed.
        until: Timestamp,
    },
    /// The token's claim was taken over, ended or overtaken by another write, the session's deadline
    /// has come, or another claim committed the message (C16).
    #[error("the claim is no longer held by this token")]
    ClaimLost,
    /// A server was restarted or replaced, or slots moved, while a walk was under way: its cursor leads
    /// nowhere any more, and pages from here on could leave out sessions (C21). Begin the walk anew.
    #[error("the servers changed while the walk was under way; begin it anew")]
    WalkOvertaken,
}

/// What a caller can learn from a [`GreenticError`] beyond its code.
pub trait SessionErrorExt {
    /// Tells which conflict refused the call, if one did.
    fn conflict(&self) -> Option<&Conflict>;

    /// Tells whether the very same call may be made again in the hope of success.
    ///
    /// True for `Unavailable`, `Timeout` and `RateLimited`. After a `Timeout` the call was done or
    /// not done; repeating it brings the state that was asked for as long as nobody else wrote in
    /// between (C14). Later than that, say what you expect: `if_absent`, `if_revision`.
    fn is_safe_to_repeat(&self) -> bool;
}

impl SessionErrorExt for GreenticError {
    fn conflict(&self) -> Option<&Conflict> {
        std::error::Error::source(self)?.downcast_ref()
    }

    fn is_safe_to_repeat(&self) -> bool {
        matches!(
            self.code,
            ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::RateLimited
        )
    }
}

pub(crate) fn invalid_input(message: impl Into<String>) -> GreenticError {
    GreenticError::new(ErrorCode::InvalidInput, message)
}

pub(crate) fn not_found(key: &SessionKey) -> GreenticError {
    let message = format!("session {} was not found", printable(key));
    GreenticError::new(ErrorCode::NotFound, message)
}

pub(crate) fn conflict(reason: Conflict) -> GreenticError {
    GreenticError::new(ErrorCode::Conflict, reason.to_string()).with_source(reason)
}

/// A session key as it may stand in a message: escaped, and cut where it is long.
pub(crate) fn printable(key: &SessionKey) -> String {
    const SHOWN: usize = 80;
    let mut text: String = key.as_str().chars().take(SHOWN).collect::<String>();
    text = text.escape_debug().to_string();
    if key.as_str().chars().nth(SHOWN).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c17_a_conflict_is_found_in_the_source() {
        let error = conflict(Conflict::RevisionMoved {
            expected: 1,
            current: 2,
        });
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(!error.is_safe_to_repeat());
        let found = error.conflict().copied();
        assert_eq!(
            found,
            Some(Conflict::RevisionMoved {
                expected: 1,
                current: 2
            })
        );
    }

    #[test]
    fn c18_a_key_in_a_message_cannot_break_a_log_line() {
        let key = SessionKey::new(format!("a\nb{}", "x".repeat(500)));
        let message = not_found(&key).message;
        assert!(!message.contains('\n'));
        assert!(message.len() < 200);
    }
}
