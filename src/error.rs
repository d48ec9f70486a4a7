//! The errors of a store, and how to react to each.
//!
//! Every fallible call returns a [`GreenticError`]. Its [`ErrorCode`] says how to react:
//!
//! | code | meaning | reaction |
//! |---|---|---|
//! | `InvalidInput` | the arguments break a rule; nothing was changed | correct the call |
//! | `NotFound` | there is no such session, or it has expired | start a new session |
//! | `Conflict` | another caller was first; see [`Conflict`] | read again, then decide |
//! | `Unavailable` | the backend was not reached; nothing was changed | repeat later |
//! | `Timeout` | no answer in time; the call was carried out or not | repeat, see [`SessionErrorExt::is_safe_to_repeat`] |
//! | `RateLimited` | the backend is overloaded, or a limit is reached, see [`Quota`]; nothing was changed | repeat later; for a limit, let waits end or raise it |
//! | `Internal` | stored data cannot be read; it was left unchanged | inform an operator |
//!
//! No message contains a payload, a user id or a password (C18).

use greentic_types::{GResult, SessionKey};

use crate::clock::Timestamp;

pub use greentic_types::{ErrorCode, GreenticError};

/// The result of every call on a store.
pub type SessionResult<T> = GResult<T>;

/// The reason of an [`ErrorCode::Conflict`].
///
/// It is the source of the error; [`SessionErrorExt::conflict`] returns it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// The session has another revision than the caller expects (C15).
    #[error("the session is at revision {current}, not {expected}")]
    RevisionMismatch {
        /// The revision that the caller expects.
        expected: u64,
        /// The revision that is stored.
        current: u64,
    },
    /// Another worker holds a live claim on the wait (C16), or starts a flow on the scope (C27).
    #[error("the wait is claimed until {until}")]
    Claimed {
        /// The end of the lease, unless it is renewed.
        until: Timestamp,
    },
    /// The token no longer holds the wait (C16): another worker claimed it, the claim ended,
    /// another write changed the session, the session expired, or another claim committed the
    /// message.
    #[error("the claim is no longer held by this token")]
    ClaimLost,
    /// The key of the session to be is the key of a session of the same owner, which a start never
    /// overwrites (C27).
    #[error("a session with the key of the flow to start exists")]
    KeyTaken,
    /// A session waits on the scope on which the commit of a closed wait would park its session (C32).
    /// The commit can finish, or park on another scope.
    #[error("another session waits on the scope")]
    ScopeTaken,
    /// The session does not wait, or its wait is closed, so that it can get no timeout (C32).
    #[error("the session does not wait")]
    NotWaiting,
    /// The cursor of a walk is no longer valid, because a server was restarted or replaced, or
    /// slots moved. Further pages could leave out sessions; start the walk again (C21).
    #[error("the servers changed during the walk; start it again")]
    StaleCursor,
}

/// The limit that an [`ErrorCode::RateLimited`] call would have exceeded.
///
/// It is the source of the error; [`SessionErrorExt::quota`] returns it. An error without it is a
/// lack of capacity, such as a server that is out of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Quota {
    /// The owner has as many live waits as it may have:
    /// [`StoreOptions::max_waits`](crate::options::StoreOptions::max_waits).
    #[error(
        "the user has as many waits as the limit of {limit} permits; let some end, remove some, or \
         raise the limit"
    )]
    Waits {
        /// The limit.
        limit: usize,
    },
}

/// What a caller can read from a [`GreenticError`] beyond its code.
pub trait SessionErrorExt {
    /// Returns the conflict that refused the call, or none if the error has another cause.
    fn conflict(&self) -> Option<&Conflict>;

    /// Returns the limit that the call would have exceeded, or none if the error has another cause.
    fn quota(&self) -> Option<&Quota>;

    /// Returns true if the same call can be made again and may then succeed: for `Unavailable`,
    /// `Timeout` and `RateLimited`.
    ///
    /// After a `Timeout` the call was carried out or not. A repeat leads to the requested state if
    /// no other caller wrote in between (C14). To repeat later, state what you expect, with
    /// `if_absent` or `if_revision`.
    fn is_safe_to_repeat(&self) -> bool;
}

impl SessionErrorExt for GreenticError {
    fn conflict(&self) -> Option<&Conflict> {
        std::error::Error::source(self)?.downcast_ref()
    }

    fn quota(&self) -> Option<&Quota> {
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

pub(crate) fn too_many_waits(limit: usize) -> GreenticError {
    let reason = Quota::Waits { limit };
    GreenticError::new(ErrorCode::RateLimited, reason.to_string()).with_source(reason)
}

/// A session key for a message: escaped, and cut after 80 characters.
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
    fn c17_a_conflict_is_the_source_of_its_error() {
        let error = conflict(Conflict::RevisionMismatch {
            expected: 1,
            current: 2,
        });
        assert_eq!(error.code, ErrorCode::Conflict);
        assert!(!error.is_safe_to_repeat());
        let found = error.conflict().copied();
        assert_eq!(
            found,
            Some(Conflict::RevisionMismatch {
                expected: 1,
                current: 2
            })
        );
    }

    #[test]
    fn c16_a_conflict_names_the_end_of_the_lease() {
        let until = Timestamp::from_millis(1_700_000_000_123);
        let shown = conflict(Conflict::Claimed { until }).to_string();
        assert!(shown.contains("2023-11-14T22:13:20.123Z"), "{shown}");
    }

    #[test]
    fn c18_a_key_in_a_message_is_escaped_and_cut() {
        let key = SessionKey::new(format!("a\nb{}", "x".repeat(500)));
        let message = not_found(&key).message;
        assert!(!message.contains('\n'));
        assert!(message.len() < 200);
    }
}
