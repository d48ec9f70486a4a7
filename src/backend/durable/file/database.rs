//! The redb database over the file, and its errors on opening.

use std::io::ErrorKind;

use greentic_types::{ErrorCode, GreenticError};
use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::catch_corruption::catch_corruption;
use super::fail_stop::{FailStop, Failure};
use super::file_lock::already_open;
use super::store_file::StoreFile;
use crate::backend::durable::config::DurableConfig;

/// Opens the database in a storage; an empty storage becomes an empty database.
///
/// After a crash the database checks its pages first. The progress of that is logged.
pub fn open_database(
    storage: impl StorageBackend,
    file: &StoreFile,
    config: &DurableConfig,
    failure: &Failure,
) -> Result<Database, DatabaseError> {
    let path = file.path().to_owned();
    let mut builder = Builder::new();
    builder
        .set_cache_size(config.cache_bytes)
        .set_check_integrity_on_open(config.check_on_open)
        .set_repair_callback(move |repair| {
            let percent = 100.0 * repair.progress();
            let path = path.display();
            tracing::warn!(%path, percent, "the session store was not closed; it is being checked");
        });
    let storage = FailStop::new(storage, failure.clone());
    let database = catch_corruption(move || builder.create_with_backend(storage))
        .unwrap_or_else(|reason| Err(redb::StorageError::Corrupted(reason.to_owned()).into()))?;
    match failure.cause() {
        None => Ok(database),
        Some(cause) => Err(redb::StorageError::Io(std::io::Error::other(cause.to_owned())).into()),
    }
}

/// The store's error for a database that could not be opened.
pub fn open_error(file: &StoreFile, error: DatabaseError) -> GreenticError {
    use redb::StorageError::{Corrupted, Io};
    match error {
        DatabaseError::DatabaseAlreadyOpen => already_open(file),
        DatabaseError::UpgradeRequired(version) => {
            let reason = format!("is a database of the older file format {version}");
            file.error(ErrorCode::InvalidInput, reason)
        }
        DatabaseError::Storage(Corrupted(reason)) => file.damaged(reason),
        DatabaseError::Storage(Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            file.damaged("it is shorter than it says")
        }
        DatabaseError::Storage(Io(error)) if error.kind() == ErrorKind::InvalidData => {
            file.damaged(error)
        }
        DatabaseError::Storage(Io(error)) => file.cannot_open(error),
        other => file.cannot_open(other),
    }
}
