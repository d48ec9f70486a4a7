//! The outcome of a commit whose writes are kept.

use crate::error::{Conflict, SessionResult, conflict};

/// What a commit did (C16).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    Done,
    /// Another claim has committed the message, and this claim was released.
    Refused,
}

impl CommitOutcome {
    /// The answer to the caller, once the writes are kept.
    ///
    /// # Errors
    /// `Conflict` if the commit was refused.
    pub fn into_result(self) -> SessionResult<()> {
        match self {
            Self::Done => Ok(()),
            Self::Refused => Err(conflict(Conflict::ClaimLost)),
        }
    }
}
