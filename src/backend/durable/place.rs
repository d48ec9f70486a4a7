//! Which file it is about, for every error that the storage raises.

use std::fmt;
use std::path::PathBuf;

use greentic_types::{ErrorCode, GreenticError};

/// What kind of trouble the storage is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// What is stored cannot be read; other parts may be fine.
    Damage,
    /// The storage does not do what it is asked to.
    Io,
}

/// The file of a store. Errors of the storage name it (C17).
#[derive(Clone)]
pub(super) struct Place(pub PathBuf);

impl Place {
    pub fn error(&self, code: ErrorCode, reason: impl fmt::Display) -> GreenticError {
        let path = self.0.display();
        GreenticError::new(code, format!("the session store {path} {reason}"))
    }

    /// An error of the database, while nothing was changed.
    pub fn storage_error(&self, error: &redb::Error) -> GreenticError {
        match trouble(error) {
            Trouble::Damage => self.damaged(error),
            Trouble::Io => self.error(ErrorCode::Unavailable, format!("failed: {error}")),
        }
    }

    pub fn damaged(&self, reason: impl fmt::Display) -> GreenticError {
        self.error(ErrorCode::Internal, format!("is damaged: {reason}"))
    }

    /// Writes are refused since one failed.
    pub fn stopped(&self, cause: impl fmt::Display) -> GreenticError {
        let reason = format!(
            "takes no writes since one failed ({cause}); remove the cause and open it again"
        );
        self.error(ErrorCode::Unavailable, reason)
    }

    /// A write failed half-way to the disk.
    pub fn outcome_unknown(&self, cause: impl fmt::Display) -> GreenticError {
        let reason = format!("failed to commit ({cause}): the write is done or not done");
        self.error(ErrorCode::Timeout, reason)
    }
}

pub(super) fn trouble(error: &redb::Error) -> Trouble {
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::TableDoesNotExist(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableIsMultimap(_) => Trouble::Damage,
        _ => Trouble::Io,
    }
}

/// Runs code that may meet damaged pages, which the database answers with a panic in rare cases.
pub(super) fn contained<T>(run: impl FnOnce() -> T) -> Result<T, &'static str> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .map_err(|_| "a page of the file cannot be what was written")
}
