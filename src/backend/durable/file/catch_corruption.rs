//! Panics of the database on damaged pages, as errors.

use greentic_types::ErrorCode;

use super::fail_stop::Failure;
use super::store_file::StoreFile;
use crate::error::SessionResult;

/// Runs code that reads pages. In rare cases the database panics on a damaged page; the result is
/// then the reason.
pub fn catch_corruption<T>(run: impl FnOnce() -> T) -> Result<T, &'static str> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .map_err(|_| "a page of the file cannot be what was written")
}

/// Runs work on a database that no caller uses yet, or any more.
///
/// # Errors
/// `Unavailable` if a write failed, now or before; `Internal` if the file is damaged.
pub fn run_checked<T, E: Into<redb::Error>>(
    file: &StoreFile,
    failure: &Failure,
    run: impl FnOnce() -> Result<T, E>,
) -> SessionResult<T> {
    let result = catch_corruption(run);
    if let Some(cause) = failure.cause() {
        let reason = format!("cannot be written: {cause}");
        return Err(file.error(ErrorCode::Unavailable, reason));
    }
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(file.storage_error(&error.into())),
        Err(reason) => Err(file.damaged(reason)),
    }
}
