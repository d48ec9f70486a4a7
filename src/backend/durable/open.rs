//! Opens a file, or refuses it, and changes nothing of what it refuses.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError};
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableDatabase, StorageBackend};

use super::config::{Durability, DurableConfig};
use super::failstop::{FailStop, Failure};
use super::holder::{Holder, is_open};
use super::journal::{self, Journal};
use super::place::{Place, contained};
use super::state::StoreState;
use super::tables::{Table, read_state};
use super::version::{self, check_version, format_version, not_ours, write_version};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::ids::random_bits;

const RETRY_EVERY: Duration = Duration::from_millis(20);
/// How a database of this library starts, whatever it holds.
const FILE_MAGIC: [u8; 9] = *b"redb\x1A\x0A\xA9\x0D\x0A";
/// Files below this size are not worth a compaction.
const SMALL_FILE: u64 = 16 * 1024 * 1024;
/// A file this many times as large as what is in it is mostly free.
const MOSTLY_FREE: u64 = 4;

/// A store that is open, and nobody's but ours.
pub(super) struct Opened {
    pub database: Database,
    /// The version that the file had.
    version: u32,
    pub state: StoreState,
    pub failure: Failure,
    pub holder: Option<Holder>,
    /// For what is not synced at once; none where everything is.
    pub journal: Option<Journal>,
}

impl Opened {
    fn migrate(&mut self, place: &Place) -> SessionResult<()> {
        let migrated =
            contained(|| version::migrate(&self.database, place, self.version, self.state));
        self.state = checked(migrated, place, &self.failure)?;
        Ok(())
    }
}

pub(super) fn open(config: &DurableConfig) -> SessionResult<Opened> {
    let place = Place(config.path.clone());
    let deadline = Instant::now() + config.open_timeout;
    check_location(&place)?;
    let holder = Holder::acquire(&place, deadline)?;
    create_if_absent(&place, config)?;
    look_first(&place)?;
    let failure = Failure::default();
    let database = open_when_free(&place, config, &failure, deadline)?;
    let mut opened = adopt(database, &place, failure)?;
    opened.holder = Some(holder);
    let recovered = contained(|| journal::recover(&opened.database, &place, opened.state));
    opened.state = checked(recovered, &place, &opened.failure)?;
    opened.migrate(&place)?;
    if config.compact_on_open && is_mostly_free(&place, &opened.state) {
        tracing::info!(path = %place.0.display(), "compacting the session store");
        let compacted = contained(|| opened.database.compact());
        checked(compacted, &place, &opened.failure)?;
    }
    if config.durability != Durability::SurvivesPowerLoss {
        let journal = Journal::create(&place).map_err(|error| cannot_open(&place, &error))?;
        opened.journal = Some(journal);
    }
    Ok(opened)
}

/// Opens a storage that is no file; an empty one becomes a store.
#[cfg(test)]
pub(super) fn open_on(
    storage: impl StorageBackend,
    config: &DurableConfig,
) -> SessionResult<Opened> {
    let place = Place(config.path.clone());
    let failure = Failure::default();
    let is_empty = storage.len().is_ok_and(|length| length == 0);
    let database = open_database(storage, &place, config, &failure);
    let database = database.map_err(|error| refusal(&place, error))?;
    if is_empty {
        initialise(&database, &place, &failure)?;
    }
    let mut opened = adopt(database, &place, failure)?;
    opened.migrate(&place)?;
    Ok(opened)
}

fn check_location(place: &Place) -> SessionResult<()> {
    if place.0.exists() && !place.0.is_file() {
        let reason = "cannot be opened: it is not a regular file";
        return Err(place.error(ErrorCode::InvalidInput, reason));
    }
    let directory = directory(&place.0);
    if !directory.is_dir() {
        let reason = "cannot be opened: its directory does not exist";
        return Err(place.error(ErrorCode::InvalidInput, reason));
    }
    Ok(())
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a complete store beside the path and moves it there, so that a crash on the way leaves no
/// half of one. An empty file is replaced too: there is nothing to lose in it.
fn create_if_absent(place: &Place, config: &DurableConfig) -> SessionResult<()> {
    let is_absent = match std::fs::metadata(&place.0) {
        Ok(file) => file.len() == 0,
        Err(error) if error.kind() == ErrorKind::NotFound => true,
        Err(error) => return Err(cannot_open(place, &error)),
    };
    if !is_absent {
        return Ok(());
    }
    let fresh = fresh_path(place);
    let created = create(&fresh, place, config);
    if created.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    created
}

pub(super) fn fresh_path(place: &Place) -> PathBuf {
    let mut path = place.0.clone().into_os_string();
    path.push(".new");
    path.into()
}

fn create(fresh: &Path, place: &Place, config: &DurableConfig) -> SessionResult<()> {
    let file = private_file(fresh).map_err(|error| cannot_open(place, &error))?;
    let failure = Failure::default();
    let storage = FileBackend::new(file).map_err(|error| refusal(place, error))?;
    let database =
        open_database(storage, place, config, &failure).map_err(|error| refusal(place, error))?;
    initialise(&database, place, &failure)?;
    let closed = contained(|| database.close());
    checked(closed, place, &failure)?;
    put_in_place(fresh, place)
}

/// Gives a complete file the name of the store.
pub(super) fn put_in_place(fresh: &Path, place: &Place) -> SessionResult<()> {
    std::fs::rename(fresh, &place.0).map_err(|error| cannot_open(place, &error))?;
    // The name, too, must outlive a loss of power; not every system can sync a directory.
    if let Ok(directory) = File::open(directory(&place.0)) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// A new file that only its owner can read: it holds conversations.
pub(super) fn private_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Refuses what is not ours without writing to it: opening for writing leaves its marks. A file that
/// was not closed cannot be looked at so; it is opened, and its version looked at then.
fn look_first(place: &Place) -> SessionResult<()> {
    let version = contained(|| {
        let database = Builder::new().open_read_only(&place.0)?;
        format_version(&database)
    });
    match version {
        Ok(Ok(version)) => check_version(version, place).map(|_known| ()),
        _ => Ok(()),
    }
}

fn open_when_free(
    place: &Place,
    config: &DurableConfig,
    failure: &Failure,
    deadline: Instant,
) -> SessionResult<Database> {
    loop {
        let file = OpenOptions::new().read(true).write(true).open(&place.0);
        let mut file = file.map_err(|error| cannot_open(place, &error))?;
        check_magic(&mut file, place)?;
        let storage = FileBackend::new(file).map_err(|error| refusal(place, error))?;
        match open_database(storage, place, config, failure) {
            Ok(database) => return Ok(database),
            Err(DatabaseError::DatabaseAlreadyOpen) if Instant::now() < deadline => {
                std::thread::sleep(RETRY_EVERY);
            }
            Err(error) => return Err(refusal(place, error)),
        }
    }
}

/// Refuses a foreign file before the database sees it.
fn check_magic(file: &mut File, place: &Place) -> SessionResult<()> {
    let mut start = [0; FILE_MAGIC.len()];
    match file.read_exact(&mut start) {
        Ok(()) if start == FILE_MAGIC => Ok(()),
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => Err(cannot_open(place, &error)),
        _ => Err(not_ours(place)),
    }
}

pub(super) fn open_database(
    storage: impl StorageBackend,
    place: &Place,
    config: &DurableConfig,
    failure: &Failure,
) -> Result<Database, DatabaseError> {
    let path = place.0.clone();
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
    let database = contained(move || builder.create_with_backend(storage))
        .unwrap_or_else(|panic| Err(redb::StorageError::Corrupted(panic.to_owned()).into()))?;
    match failure.cause() {
        None => Ok(database),
        Some(cause) => Err(redb::StorageError::Io(std::io::Error::other(cause.to_owned())).into()),
    }
}

/// Makes an empty database an empty store.
fn initialise(database: &Database, place: &Place, failure: &Failure) -> SessionResult<()> {
    let write = || {
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
        write_version(&txn, &state)?;
        txn.commit()?;
        Ok::<(), redb::Error>(())
    };
    checked(contained(write), place, failure)
}

/// Reads what kind of database it is, and in which state.
fn adopt(database: Database, place: &Place, failure: Failure) -> SessionResult<Opened> {
    let version = contained(|| format_version(&database));
    let version = checked(version, place, &failure)?;
    let version = check_version(version, place)?;
    let state = contained(|| {
        let meta = database
            .begin_read()?
            .open_table(Table::Meta.definition())?;
        read_state(&meta)
    });
    let state = checked(state, place, &failure)?
        .ok_or_else(|| place.damaged("its state is missing"))?
        .map_err(|damage| place.damaged(format!("its state cannot be read: {}", damage.0)))?;
    Ok(Opened {
        database,
        version,
        state,
        failure,
        holder: None,
        journal: None,
    })
}

fn is_mostly_free(place: &Place, state: &StoreState) -> bool {
    let length = std::fs::metadata(&place.0).map_or(0, |file| file.len());
    length > SMALL_FILE && length / MOSTLY_FREE > state.live_bytes
}

/// The result of work on the database, unless it panicked or a write failed on the way.
pub(super) fn checked<T, E: Into<redb::Error>>(
    result: Result<Result<T, E>, &str>,
    place: &Place,
    failure: &Failure,
) -> SessionResult<T> {
    if let Some(cause) = failure.cause() {
        let reason = format!("cannot be written: {cause}");
        return Err(place.error(ErrorCode::Unavailable, reason));
    }
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(place.storage_error(&error.into())),
        Err(panic) => Err(place.damaged(panic)),
    }
}

pub(super) fn cannot_open(place: &Place, error: &std::io::Error) -> GreenticError {
    place.error(ErrorCode::Unavailable, format!("cannot be opened: {error}"))
}

pub(super) fn refusal(place: &Place, error: DatabaseError) -> GreenticError {
    use redb::StorageError::{Corrupted, Io};
    match error {
        DatabaseError::DatabaseAlreadyOpen => is_open(place),
        DatabaseError::UpgradeRequired(version) => {
            let reason = format!("is a database of the older file format {version}");
            place.error(ErrorCode::InvalidInput, reason)
        }
        DatabaseError::Storage(Corrupted(reason)) => place.damaged(reason),
        DatabaseError::Storage(Io(error)) if error.kind() == ErrorKind::UnexpectedEof => {
            place.damaged("it is shorter than it says")
        }
        DatabaseError::Storage(Io(error)) if error.kind() == ErrorKind::InvalidData => {
            place.damaged(error)
        }
        DatabaseError::Storage(Io(error)) => cannot_open(place, &error),
        other => place.error(ErrorCode::Unavailable, format!("cannot be opened: {other}")),
    }
}
