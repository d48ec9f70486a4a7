//! How a case says that the store broke its promise.

use std::fmt;
use std::panic::Location;

use crate::error::{Conflict, ErrorCode, GreenticError, SessionErrorExt, SessionResult};

/// What a case answers.
pub(super) type Verdict<T = ()> = Result<T, Failure>;

/// A broken promise, and the line of the case that found it.
pub(super) struct Failure {
    message: String,
    at: &'static Location<'static>,
}

impl Failure {
    #[track_caller]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            at: Location::caller(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}:{})",
            self.message,
            self.at.file(),
            self.at.line()
        )
    }
}

/// An error where the contract promises an answer.
impl From<GreenticError> for Failure {
    #[track_caller]
    fn from(error: GreenticError) -> Self {
        Self::new(format!("unexpected error: {error} ({:?})", error.code))
    }
}

#[track_caller]
pub(super) fn ensure(holds: bool, otherwise: &str) -> Verdict {
    if holds {
        return Ok(());
    }
    Err(Failure::new(otherwise))
}

#[track_caller]
#[allow(
    clippy::needless_pass_by_value,
    reason = "so that calls read without borrows"
)]
pub(super) fn ensure_eq<A, B>(actual: A, expected: B) -> Verdict
where
    A: PartialEq<B> + fmt::Debug,
    B: fmt::Debug,
{
    if actual == expected {
        return Ok(());
    }
    let message = format!("expected {expected:?}, found {actual:?}");
    Err(Failure::new(shortened(&message)))
}

/// The call must have been refused with this code.
#[track_caller]
pub(super) fn ensure_refused<T: fmt::Debug>(
    result: SessionResult<T>,
    code: ErrorCode,
) -> Verdict<GreenticError> {
    match result {
        Err(error) if error.code == code => Ok(error),
        Err(error) => Err(Failure::new(format!(
            "expected {code:?}, found {:?}: {error}",
            error.code
        ))),
        Ok(value) => Err(Failure::new(shortened(&format!(
            "expected {code:?}, found Ok({value:?})"
        )))),
    }
}

#[track_caller]
pub(super) fn ensure_invalid<T: fmt::Debug>(result: SessionResult<T>) -> Verdict<GreenticError> {
    ensure_refused(result, ErrorCode::InvalidInput)
}

/// The call must have been refused with a conflict that says why.
#[track_caller]
pub(super) fn ensure_conflict<T: fmt::Debug>(result: SessionResult<T>) -> Verdict<Conflict> {
    let error = ensure_refused(result, ErrorCode::Conflict)?;
    match error.conflict() {
        Some(conflict) => Ok(*conflict),
        None => Err(Failure::new("the conflict has no `Conflict` as its source")),
    }
}

/// A live claim must have refused the call.
#[track_caller]
pub(super) fn ensure_claimed<T: fmt::Debug>(result: SessionResult<T>) -> Verdict {
    match ensure_conflict(result)? {
        Conflict::Claimed { .. } => Ok(()),
        other => Err(Failure::new(format!(
            "expected a live claim, found: {other}"
        ))),
    }
}

/// The call must have been refused because its token holds the claim no more.
#[track_caller]
pub(super) fn ensure_claim_lost<T: fmt::Debug>(result: SessionResult<T>) -> Verdict {
    ensure_eq(ensure_conflict(result)?, Conflict::ClaimLost)
}

// A payload of a mebibyte makes no message that a person reads.
fn shortened(message: &str) -> String {
    const SHOWN: usize = 600;
    match message.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}
