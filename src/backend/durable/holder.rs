//! Which process has the file open.
//!
//! The database locks its file itself. This lock, on a file beside it, is held for as long as the
//! store is open; it also covers the moment when a new file is put in place, and it can say who
//! holds it. The system releases it when the process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError};

use super::place::Place;
use crate::clock::{Clock, SystemClock};
use crate::error::SessionResult;

const RETRY_EVERY: Duration = Duration::from_millis(20);
const LONGEST_NOTE: u64 = 200;

/// The lock; none where the directory or the file system allows no such file.
pub(super) struct Holder(#[expect(dead_code, reason = "held, not read")] Option<File>);

impl Holder {
    /// Takes the lock, waiting until `deadline`.
    pub fn acquire(place: &Place, deadline: Instant) -> SessionResult<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let Ok(mut file) = options.open(note_path(place)) else {
            return Ok(Self(None));
        };
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    std::thread::sleep(RETRY_EVERY);
                }
                Err(TryLockError::WouldBlock) => return Err(is_open(place)),
                Err(TryLockError::Error(_)) => return Ok(Self(None)),
            }
        }
        // The note is for people; the lock is what counts.
        let _ = write_note(&mut file);
        Ok(Self(Some(file)))
    }
}

fn note_path(place: &Place) -> std::path::PathBuf {
    let mut path = place.0.clone().into_os_string();
    path.push(".owner");
    path.into()
}

fn write_note(file: &mut File) -> std::io::Result<()> {
    let (process, since) = (std::process::id(), SystemClock::new().now());
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "process {process} since {since}")
}

/// The error for a store that is open elsewhere, with what is known of where.
pub(super) fn is_open(place: &Place) -> GreenticError {
    let mut note = String::new();
    if let Ok(file) = File::open(note_path(place)) {
        let _ = file.take(LONGEST_NOTE).read_to_string(&mut note);
    }
    let holder = match note.trim() {
        "" => "another process",
        known => known,
    };
    place.error(
        ErrorCode::Unavailable,
        format!("is open already, in {holder}; only one process at a time can use it"),
    )
}
