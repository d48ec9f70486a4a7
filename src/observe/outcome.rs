//! How a call ended.

use std::ops::Deref;

use greentic_types::{ErrorCode, GreenticError};

use crate::admin::{ImportOutcome, RevokeOutcome};
use crate::claim::{ClaimOutcome, Turn};
use crate::due::DuePage;
use crate::error::{Conflict, SessionErrorExt};
use crate::inbox::{DeliverOutcome, NextOutcome};
use crate::session::{ClearOutcome, CreateOutcome, ParkOutcome};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Done.
    Ok,
    /// There is nothing of that key, user or scope; no worker held what was to be revoked.
    Nothing,
    /// A claim of a wait. The number is the attempt: above 1 an earlier worker did not end it.
    Claimed(u32),
    /// A claim of a start. The number is the attempt.
    Start(u32),
    /// Another worker has the claim.
    Busy,
    /// A message is kept, and waits in its queue.
    Queued,
    /// A message is among the dead letters.
    DeadLettered,
    /// The message was answered before.
    Duplicate,
    /// No session waits there.
    NoWait,
    /// A session is there already.
    Exists,
    /// `InvalidInput`
    InvalidInput,
    /// `NotFound`
    NotFound,
    /// `Conflict`: the session has another revision.
    RevisionMismatch,
    /// `Conflict`: another worker has a live claim.
    ClaimedElsewhere,
    /// `Conflict`: the claim is no longer held by the token. Of `commit`, a late commit was refused.
    ClaimLost,
    /// `Conflict` of another kind.
    Conflict,
    /// `Unavailable`
    Unavailable,
    /// `Timeout`
    Timeout,
    /// The owner has as many waits (`RateLimited`) or as many queued messages as it may have.
    Full,
    /// `RateLimited`: the backend is overloaded.
    RateLimited,
    /// `Internal`, and any other error: stored data cannot be read.
    Internal,
}

impl Outcome {
    /// All outcomes; claims with the attempt 1.
    pub const ALL: &'static [Self] = &[
        Self::Ok,
        Self::Nothing,
        Self::Claimed(1),
        Self::Start(1),
        Self::Busy,
        Self::Queued,
        Self::DeadLettered,
        Self::Duplicate,
        Self::NoWait,
        Self::Exists,
        Self::InvalidInput,
        Self::NotFound,
        Self::RevisionMismatch,
        Self::ClaimedElsewhere,
        Self::ClaimLost,
        Self::Conflict,
        Self::Unavailable,
        Self::Timeout,
        Self::Full,
        Self::RateLimited,
        Self::Internal,
    ];

    /// Returns the name, such as `claimed`: the value of a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Nothing => "nothing",
            Self::Claimed(_) => "claimed",
            Self::Start(_) => "start",
            Self::Busy => "busy",
            Self::Queued => "queued",
            Self::DeadLettered => "dead_lettered",
            Self::Duplicate => "duplicate",
            Self::NoWait => "no_wait",
            Self::Exists => "exists",
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::RevisionMismatch => "revision_mismatch",
            Self::ClaimedElsewhere => "claimed_elsewhere",
            Self::ClaimLost => "claim_lost",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Full => "full",
            Self::RateLimited => "rate_limited",
            Self::Internal => "internal",
        }
    }

    /// Returns true if the call failed because of the backend or its data, and not because of the
    /// caller or of other callers.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::Timeout | Self::RateLimited | Self::Internal
        )
    }

    pub(crate) fn of_error(error: &GreenticError) -> Self {
        match (error.code, error.conflict()) {
            (_, Some(Conflict::RevisionMismatch { .. })) => Self::RevisionMismatch,
            (_, Some(Conflict::Claimed { .. })) => Self::ClaimedElsewhere,
            (_, Some(Conflict::ClaimLost)) => Self::ClaimLost,
            (ErrorCode::Conflict, _) => Self::Conflict,
            (ErrorCode::InvalidInput, _) => Self::InvalidInput,
            (ErrorCode::NotFound, _) => Self::NotFound,
            (ErrorCode::Unavailable, _) => Self::Unavailable,
            (ErrorCode::Timeout, _) => Self::Timeout,
            (ErrorCode::RateLimited, _) if error.quota().is_some() => Self::Full,
            (ErrorCode::RateLimited, _) => Self::RateLimited,
            _ => Self::Internal,
        }
    }

    pub(crate) const fn ok<T>(_done: &T) -> Self {
        Self::Ok
    }

    pub(crate) const fn found<T>(found: &Option<T>) -> Self {
        match found {
            Some(_) => Self::Ok,
            None => Self::Nothing,
        }
    }

    pub(crate) fn of_list<T>(list: &impl Deref<Target = [T]>) -> Self {
        match list.is_empty() {
            false => Self::Ok,
            true => Self::Nothing,
        }
    }

    pub(crate) const fn of_create(outcome: &CreateOutcome) -> Self {
        match outcome {
            CreateOutcome::Created(_) => Self::Ok,
            CreateOutcome::Exists => Self::Exists,
        }
    }

    pub(crate) const fn of_park(outcome: &ParkOutcome) -> Self {
        match outcome {
            ParkOutcome::Registered { .. } => Self::Ok,
            ParkOutcome::Exists(_) => Self::Exists,
        }
    }

    pub(crate) const fn of_clear(outcome: &ClearOutcome) -> Self {
        match outcome {
            ClearOutcome::Cleared(_) => Self::Ok,
            ClearOutcome::NoWait => Self::NoWait,
        }
    }

    pub(crate) const fn of_claim(outcome: &ClaimOutcome) -> Self {
        match outcome {
            ClaimOutcome::Claimed(turn) => Self::of_turn(turn),
            ClaimOutcome::Busy { .. } => Self::Busy,
            ClaimOutcome::Duplicate { .. } => Self::Duplicate,
            ClaimOutcome::NoWait => Self::NoWait,
        }
    }

    /// A turn, by whether it starts a flow.
    const fn of_turn(turn: &Turn) -> Self {
        match turn.session {
            None => Self::Start(turn.attempt),
            Some(_) => Self::Claimed(turn.attempt),
        }
    }

    pub(crate) const fn of_deliver(outcome: &DeliverOutcome) -> Self {
        match outcome {
            DeliverOutcome::Turn(turn) => Self::of_turn(turn),
            DeliverOutcome::Queued { .. } | DeliverOutcome::Buffered { .. } => Self::Queued,
            DeliverOutcome::Busy { .. } => Self::Busy,
            DeliverOutcome::Full => Self::Full,
            DeliverOutcome::NoWait => Self::NoWait,
            DeliverOutcome::Duplicate { .. } => Self::Duplicate,
            DeliverOutcome::DeadLettered => Self::DeadLettered,
        }
    }

    pub(crate) const fn of_next(outcome: &NextOutcome) -> Self {
        match outcome {
            NextOutcome::Turn(turn) => Self::of_turn(turn),
            NextOutcome::Busy { .. } => Self::Busy,
            NextOutcome::Empty => Self::Nothing,
        }
    }

    pub(crate) fn of_due(page: &DuePage) -> Self {
        Self::of_list(&page.turns)
    }

    pub(crate) fn of_revoke(outcome: &RevokeOutcome) -> Self {
        match outcome {
            RevokeOutcome::Revoked { .. } => Self::Ok,
            RevokeOutcome::NotClaimed => Self::Nothing,
        }
    }

    pub(crate) const fn of_import(outcome: &ImportOutcome) -> Self {
        match outcome {
            ImportOutcome::Imported => Self::Ok,
            ImportOutcome::Exists => Self::Exists,
            ImportOutcome::Expired => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{conflict, invalid_input, too_many_waits};

    #[test]
    fn an_error_is_told_by_its_kind() {
        let told = |error| Outcome::of_error(&error).as_str();
        assert_eq!(told(conflict(Conflict::ClaimLost)), "claim_lost");
        assert_eq!(told(conflict(Conflict::KeyTaken)), "conflict");
        assert_eq!(told(too_many_waits(1)), "full");
        assert_eq!(told(invalid_input("x")), "invalid_input");
        let code = |code| GreenticError::new(code, "x");
        assert_eq!(told(code(ErrorCode::RateLimited)), "rate_limited");
        assert_eq!(told(code(ErrorCode::Unknown)), "internal");
    }
}
