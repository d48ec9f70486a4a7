//! The result of a case, and the checks that produce it.

use std::fmt;
use std::panic::Location;

use crate::error::{Conflict, ErrorCode, GreenticError, SessionErrorExt, SessionResult};

/// The result of a case or of one of its steps.
pub(super) type CaseResult<T = ()> = Result<T, Failure>;

/// A broken promise, with the line of the case that found it.
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

/// An error where the contract promises a result.
impl From<GreenticError> for Failure {
    #[track_caller]
    fn from(error: GreenticError) -> Self {
        Self::new(format!("unexpected error: {error} ({:?})", error.code))
    }
}

/// Requires that a statement is true.
#[track_caller]
pub(super) fn ensure(is_true: bool, statement: &str) -> CaseResult {
    if is_true {
        return Ok(());
    }
    Err(Failure::new(format!("not true: {statement}")))
}

/// Requires that two values are equal.
#[track_caller]
#[allow(
    clippy::needless_pass_by_value,
    reason = "so that calls read without borrows"
)]
pub(super) fn ensure_eq<A, B>(actual: A, expected: B) -> CaseResult
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

/// Requires that the call was refused with this code.
#[track_caller]
pub(super) fn ensure_refused<T: fmt::Debug>(
    result: SessionResult<T>,
    code: ErrorCode,
) -> CaseResult<GreenticError> {
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
pub(super) fn ensure_invalid<T: fmt::Debug>(result: SessionResult<T>) -> CaseResult<GreenticError> {
    ensure_refused(result, ErrorCode::InvalidInput)
}

/// Requires that the call was refused with a conflict, and returns its reason.
#[track_caller]
pub(super) fn ensure_conflict<T: fmt::Debug>(result: SessionResult<T>) -> CaseResult<Conflict> {
    let error = ensure_refused(result, ErrorCode::Conflict)?;
    match error.conflict() {
        Some(conflict) => Ok(*conflict),
        None => Err(Failure::new("the conflict has no `Conflict` as its source")),
    }
}

/// Requires that a live claim refused the call.
#[track_caller]
pub(super) fn ensure_claimed<T: fmt::Debug>(result: SessionResult<T>) -> CaseResult {
    match ensure_conflict(result)? {
        Conflict::Claimed { .. } => Ok(()),
        other => Err(Failure::new(format!(
            "expected a live claim, found: {other}"
        ))),
    }
}

/// Requires that the call was refused because its token no longer holds the claim.
#[track_caller]
pub(super) fn ensure_claim_lost<T: fmt::Debug>(result: SessionResult<T>) -> CaseResult {
    ensure_eq(ensure_conflict(result)?, Conflict::ClaimLost)
}

// A message with a payload of a mebibyte would not be readable.
fn shortened(message: &str) -> String {
    const SHOWN: usize = 600;
    match message.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}
