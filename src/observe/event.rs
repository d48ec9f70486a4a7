//! An event of a store.

use std::time::Duration;

use greentic_types::ErrorCode;

use super::{Fact, Level, Outcome, Place, Verb};

/// What a store tells of its work.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// One call of the API has ended. A call whose future is dropped is not told.
    Call(Call<'a>),
    /// One request to the server has ended, or one commit of the file.
    Storage(Storage),
    /// Something has happened that no call's outcome tells.
    Fact {
        /// The backend: `memory`, `durable` or `redis`.
        backend: &'static str,
        /// What has happened.
        fact: Fact,
        /// How often.
        count: u64,
    },
    /// A level is measured.
    Level {
        /// The backend: `memory`, `durable` or `redis`.
        backend: &'static str,
        /// What is measured.
        level: Level,
        /// The level.
        value: u64,
    },
}

/// One call of the API. Bare and fenced forms, and both APIs, have the same verb.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The backend: `memory`, `durable` or `redis`.
    pub backend: &'static str,
    /// The operation.
    pub verb: Verb,
    /// How it ended.
    pub outcome: Outcome,
    /// From the call to its end.
    pub took: Duration,
    /// Env and tenant, where the call names them.
    pub place: Place<'a>,
}

/// One request to the server, or one commit of the file.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Storage {
    /// The backend: `durable` or `redis`.
    pub backend: &'static str,
    /// The name of the script or the kind of request, or `commit`.
    pub operation: &'static str,
    /// From the beginning to the end.
    pub took: Duration,
    /// The error, if it failed.
    pub error: Option<ErrorCode>,
}

impl<'a> Call<'a> {
    pub(crate) const fn new(
        backend: &'static str,
        verb: Verb,
        outcome: Outcome,
        took: Duration,
        place: Place<'a>,
    ) -> Self {
        Self {
            backend,
            verb,
            outcome,
            took,
            place,
        }
    }
}

impl Storage {
    /// Returns the value of the label `db.system.name`: `redis` or `greentic.redb`.
    #[must_use]
    pub fn system(&self) -> &'static str {
        match self.backend {
            "durable" => "greentic.redb",
            backend => backend,
        }
    }

    /// Returns the value of the label `error.type`, such as `timeout`; none if it did not fail.
    #[must_use]
    pub fn error_type(&self) -> Option<&'static str> {
        Some(match self.error? {
            ErrorCode::InvalidInput => "invalid_input",
            ErrorCode::NotFound => "not_found",
            ErrorCode::Conflict => "conflict",
            ErrorCode::Timeout => "timeout",
            ErrorCode::Unavailable => "unavailable",
            ErrorCode::RateLimited => "rate_limited",
            _ => "internal",
        })
    }

    #[cfg(any(feature = "durable", feature = "redis"))]
    pub(crate) const fn new(
        backend: &'static str,
        operation: &'static str,
        took: Duration,
        error: Option<ErrorCode>,
    ) -> Self {
        Self {
            backend,
            operation,
            took,
            error,
        }
    }
}
