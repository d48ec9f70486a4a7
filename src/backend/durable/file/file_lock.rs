//! The lock that keeps a second process from opening the store.
//!
//! The database locks its own file too. This lock, on a file beside it, also covers the moment at
//! which a new file is moved to the path, and its content says which process holds it. The operating
//! system releases it when the process ends, for whatever reason.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError};

use super::store_file::{StoreFile, create_new_private, open_regular};
use crate::clock::{Clock, SystemClock};
use crate::error::SessionResult;

const RETRY_EVERY: Duration = Duration::from_millis(20);
const MAX_NOTE_BYTES: u64 = 200;

/// A held lock; without a file where the directory or the file system allows no lock file.
pub struct FileLock(#[expect(dead_code, reason = "held, not read")] Option<File>);

impl FileLock {
    /// Takes the lock, waiting until `deadline`.
    ///
    /// # Errors
    /// `Unavailable` naming the process that holds it, or if the lock file became something else.
    pub fn acquire(store: &StoreFile, deadline: Instant) -> SessionResult<Self> {
        let mut file = match open_or_create(&store.lock_path()) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(store.cannot_open(error));
            }
            Err(_no_lock_file_allowed) => return Ok(Self(None)),
        };
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(RETRY_EVERY);
                }
                Err(TryLockError::WouldBlock) => return Err(already_open(store)),
                Err(TryLockError::Error(_)) => return Ok(Self(None)),
            }
        }
        // The note is information for people; only the lock counts.
        let _ = write_note(&mut file);
        Ok(Self(Some(file)))
    }
}

fn open_or_create(path: &Path) -> std::io::Result<File> {
    loop {
        if let Some(file) = open_regular(path, OpenOptions::new().read(true).write(true))? {
            return Ok(file);
        }
        match create_new_private(path) {
            // By another process, just now.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            created => return created,
        }
    }
}

fn write_note(file: &mut File) -> std::io::Result<()> {
    let (process, since) = (std::process::id(), SystemClock::new().now());
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {process} since {since}")
}

/// The error for a store that is open elsewhere; it names the process if that is known.
pub fn already_open(store: &StoreFile) -> GreenticError {
    let mut note = String::new();
    if let Ok(Some(file)) = open_regular(&store.lock_path(), OpenOptions::new().read(true)) {
        let _ = file.take(MAX_NOTE_BYTES).read_to_string(&mut note);
    }
    let holder = match note.trim() {
        "" => "another process",
        known => known,
    };
    store.error(
        ErrorCode::Unavailable,
        format!("is open already, in {holder}; only one process at a time can use it"),
    )
}
