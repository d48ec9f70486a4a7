//! The outcome of a commit whose writes are kept.

use crate::claim::Committed;
use crate::error::{Conflict, SessionResult, conflict};

/// What a commit did (C16).
#[expect(
    clippy::large_enum_variant,
    reason = "it is moved once, and a box would be an allocation for each commit"
)]
pub(crate) enum CommitOutcome {
    Done(Committed),
    /// Another claim has committed the message, and this claim was released.
    Refused,
}

impl CommitOutcome {
    /// The answer to the caller, once the writes are kept.
    ///
    /// # Errors
    /// `Conflict` if the commit was refused.
    pub fn into_result(self) -> SessionResult<Committed> {
        match self {
            Self::Done(committed) => Ok(committed),
            Self::Refused => Err(conflict(Conflict::ClaimLost)),
        }
    }
}
