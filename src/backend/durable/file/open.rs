//! Opening and recovery of a store. A file that is refused is not changed.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use greentic_types::ErrorCode;
#[cfg(test)]
use redb::StorageBackend;
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase};

use super::catch_corruption::{catch_corruption, run_checked};
use super::create::create_if_absent;
#[cfg(test)]
use super::create::initialise;
use super::database::{open_database, open_error};
use super::fail_stop::Failure;
use super::file_lock::FileLock;
#[cfg(test)]
use super::journal::replay_records;
use super::journal::{Journal, replay};
use super::meta::{check_version, not_a_store, read_state, read_version};
use super::store_file::StoreFile;
use crate::backend::durable::config::DurableConfig;
use crate::backend::durable::format::{StoreState, Table};
use crate::error::SessionResult;

const RETRY_EVERY: Duration = Duration::from_millis(20);
/// The first bytes of every redb database.
const FILE_MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";
/// Files below this size are not compacted on opening.
const MIN_COMPACTED_BYTES: u64 = 16 * 1024 * 1024;
/// A file this many times as large as its rows is mostly free.
const MOSTLY_FREE: u64 = 4;

/// An open store.
pub struct Opened {
    pub database: Database,
    pub state: StoreState,
    pub failure: Failure,
    pub lock: Option<FileLock>,
    pub journal: Journal,
}

/// Opens the file, and creates it if there is none.
///
/// After a crash, the database checks its pages, and the journal is replayed.
pub fn open(config: &DurableConfig) -> SessionResult<Opened> {
    let file = StoreFile::new(&config.path);
    let deadline = Instant::now() + config.open_timeout;
    check_location(&file)?;
    let lock = FileLock::acquire(&file, deadline)?;
    create_if_absent(&file, config)?;
    check_closed_file(&file)?;
    let failure = Failure::default();
    let mut database = open_when_free(&file, config, &failure, deadline)?;
    let state = read_opened(&database, &file, &failure)?;
    let state = run_checked(&file, &failure, || replay(&database, &file, state))?;
    if config.compact_on_open && is_mostly_free(&file, &state) {
        tracing::info!(path = %file.path().display(), "compacting the session store");
        run_checked(&file, &failure, || database.compact())?;
    }
    let journal = Journal::create(&file, config.durability);
    Ok(Opened {
        database,
        state,
        failure,
        lock: Some(lock),
        journal: journal.map_err(|error| file.cannot_open(error))?,
    })
}

/// Opens a storage that is not a file, with its journal; an empty one becomes a store.
#[cfg(test)]
pub fn open_on(
    storage: impl StorageBackend,
    journal: impl StorageBackend,
    config: &DurableConfig,
) -> SessionResult<Opened> {
    let file = StoreFile::new(&config.path);
    let failure = Failure::default();
    let is_empty = storage.len().is_ok_and(|length| length == 0);
    let database = open_database(storage, &file, config, &failure);
    let database = database.map_err(|error| open_error(&file, error))?;
    if is_empty {
        initialise(&database, &file, &failure)?;
    }
    let state = read_opened(&database, &file, &failure)?;
    let state = run_checked(&file, &failure, || {
        let length = journal.len()?;
        let mut left = vec![0; usize::try_from(length).unwrap_or_default()];
        journal.read(0, &mut left)?;
        replay_records(&database, &file, left.as_slice(), length, state)
    })?;
    let journal = Journal::on(journal, config.durability);
    Ok(Opened {
        database,
        state,
        failure,
        lock: None,
        journal: journal.map_err(|error| file.cannot_open(error))?,
    })
}

fn check_location(file: &StoreFile) -> SessionResult<()> {
    let refuse = |reason| Err(file.error(ErrorCode::InvalidInput, reason));
    if file.path().exists() && !file.path().is_file() {
        return refuse("cannot be opened: it is not a regular file");
    }
    if !file.directory().is_dir() {
        return refuse("cannot be opened: its directory does not exist");
    }
    for path in [file.lock_path(), file.journal_path()] {
        if std::fs::symlink_metadata(&path).is_ok_and(|found| !found.is_file()) {
            let path = path.display();
            let reason = format!("cannot be opened: {path} is not a regular file");
            return Err(file.error(ErrorCode::InvalidInput, reason));
        }
    }
    Ok(())
}

/// Refuses other databases and unknown versions before opening for writing, which changes the file.
///
/// A file that was not closed cannot be opened read-only. Its version is checked after the database
/// has checked its pages.
fn check_closed_file(file: &StoreFile) -> SessionResult<()> {
    let version = catch_corruption(|| {
        let database = Builder::new().open_read_only(file.path())?;
        read_version(&database)
    });
    match version {
        Ok(Ok(version)) => check_version(version, file),
        _ => Ok(()),
    }
}

fn open_when_free(
    file: &StoreFile,
    config: &DurableConfig,
    failure: &Failure,
    deadline: Instant,
) -> SessionResult<Database> {
    loop {
        let content = OpenOptions::new().read(true).write(true).open(file.path());
        let mut content = content.map_err(|error| file.cannot_open(error))?;
        check_magic(&mut content, file)?;
        let storage = FileBackend::new(content).map_err(|error| open_error(file, error))?;
        match open_database(storage, file, config, failure) {
            Ok(database) => return Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < deadline => {
                std::thread::sleep(RETRY_EVERY);
            }
            Err(error) => return Err(open_error(file, error)),
        }
    }
}

/// Refuses a file that is not a database before the database library reads it.
fn check_magic(content: &mut File, file: &StoreFile) -> SessionResult<()> {
    let mut start = [0; FILE_MAGIC.len()];
    match content.read_exact(&mut start) {
        Ok(()) if start == FILE_MAGIC => Ok(()),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(file.cannot_open(error)),
        _ => Err(not_a_store(file)),
    }
}

/// Checks the version of an open database, and reads the state of the store.
fn read_opened(
    database: &Database,
    file: &StoreFile,
    failure: &Failure,
) -> SessionResult<StoreState> {
    let version = run_checked(file, failure, || read_version(database))?;
    check_version(version, file)?;
    let state = run_checked(file, failure, || {
        let txn = database.begin_read()?;
        read_state(&txn.open_table(Table::Meta.definition())?)
    })?;
    state
        .ok_or_else(|| file.damaged("its state is missing"))?
        .map_err(|damage| file.damaged(format!("its state cannot be read: {}", damage.0)))
}

fn is_mostly_free(file: &StoreFile, state: &StoreState) -> bool {
    let length = file.length();
    length > MIN_COMPACTED_BYTES && length / MOSTLY_FREE > state.live_bytes
}
