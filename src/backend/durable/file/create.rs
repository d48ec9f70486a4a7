//! Creation of a new store.

use std::io::ErrorKind;

use redb::Database;
use redb::backends::FileBackend;

use super::catch_corruption::run_checked;
use super::database::{open_database, open_error};
use super::fail_stop::Failure;
use super::meta::write_meta;
use super::store_file::{StoreFile, create_private};
use crate::backend::durable::config::DurableConfig;
use crate::backend::durable::format::{StoreState, Table};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::ids::random_bits;

/// Creates a store if there is no file, or an empty one.
///
/// The store is completed beside the path and then moved there, so that a crash cannot leave a part
/// of a store at the path.
pub fn create_if_absent(file: &StoreFile, config: &DurableConfig) -> SessionResult<()> {
    let is_absent = match std::fs::metadata(file.path()) {
        Ok(metadata) => metadata.len() == 0,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(file.cannot_open(error)),
    };
    if !is_absent {
        return Ok(());
    }
    let created = create(file, config);
    if created.is_err() {
        let _ = std::fs::remove_file(file.new_path());
    }
    created
}

fn create(file: &StoreFile, config: &DurableConfig) -> SessionResult<()> {
    let new = create_private(&file.new_path()).map_err(|error| file.cannot_open(error))?;
    let failure = Failure::default();
    let storage = FileBackend::new(new).map_err(|error| open_error(file, error))?;
    let database =
        open_database(storage, file, config, &failure).map_err(|error| open_error(file, error))?;
    initialise(&database, file, &failure)?;
    run_checked(file, &failure, || database.close())?;
    file.install_new().map_err(|error| file.cannot_open(error))
}

/// Makes an empty database an empty store.
pub fn initialise(database: &Database, file: &StoreFile, failure: &Failure) -> SessionResult<()> {
    run_checked(file, failure, || {
        let mut txn = database.begin_write()?;
        txn.set_two_phase_commit(true);
        for table in Table::ALL {
            txn.open_table(table.definition())?;
        }
        let state = StoreState {
            clock: Timestamp::from_millis(0),
            number: 0,
            live_bytes: 0,
            commit: random_bits().get(),
        };
        write_meta(&txn, &state)?;
        txn.commit()?;
        Ok::<(), redb::Error>(())
    })
}
