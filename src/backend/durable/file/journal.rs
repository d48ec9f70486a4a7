//! The journal of relaxed durability: commits that are not in the synced file yet.
//!
//! Each commit appends one record before it is acknowledged. The operating system keeps what was
//! written when the process ends, so the next opening can replay the records. A loss of power can
//! leave any part of the journal; the records before the first torn one are replayed.
//!
//! A record names the commit that it follows. So records that the file contains already, or that
//! belong to another file, are not replayed.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Seek, Write};
use std::path::PathBuf;

use redb::{Database, WriteTransaction};

use super::meta::write_state;
use super::store_file::{StoreFile, create_private, open_regular};
use crate::backend::durable::format::{
    Change, JournalRecord, Records, StoreState, Table, encode_record,
};

/// Above this length the file is synced early, to bound the replay on opening.
const LONG: u64 = 64 * 1024 * 1024;
/// No journal is longer, so one that is was not written by this program.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// The journal of an open store. It holds only records that the synced file lacks.
pub struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
    /// How long it may become.
    max_bytes: u64,
}

impl Journal {
    /// Creates an empty journal.
    pub fn create(store: &StoreFile) -> std::io::Result<Self> {
        let path = store.journal_path();
        Ok(Self {
            file: create_private(&path)?,
            path,
            length: 0,
            max_bytes: MAX_BYTES,
        })
    }

    /// Appends what a commit did: it followed the commit `follows` and led to `state`. Returns false,
    /// and appends nothing, if the journal would become too long to be replayed.
    pub fn append(
        &mut self,
        follows: u128,
        state: &StoreState,
        changes: &[Change],
    ) -> std::io::Result<bool> {
        let record = encode_record(follows, state, changes);
        let length = self.length.saturating_add(record.len() as u64);
        if length > self.max_bytes {
            return Ok(false);
        }
        self.file.write_all(&record)?;
        self.length = length;
        Ok(true)
    }

    pub fn is_long(&self) -> bool {
        self.length > LONG
    }

    /// Removes all records, once the synced file contains them.
    pub fn clear(&mut self) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.length = 0;
        Ok(())
    }

    /// Deletes the journal of a store that was closed.
    pub fn remove(self) {
        // A journal that remains is empty, and has no effect.
        let _ = std::fs::remove_file(self.path);
    }
}

/// Replays the journal that a crashed process left, and returns the state after it.
pub fn replay(
    database: &Database,
    store: &StoreFile,
    state: StoreState,
) -> Result<StoreState, redb::Error> {
    let path = store.journal_path();
    let Some(file) = open_regular(&path, OpenOptions::new().read(true))? else {
        return Ok(state);
    };
    let length = file.metadata()?.len();
    if length > MAX_BYTES {
        let reason = format!("its journal has {length} bytes, which no journal has");
        return Err(redb::Error::Corrupted(reason));
    }
    let mut records = Records::new(BufReader::new(file), length);
    let mut replayed = state;
    let mut txn = database.begin_write()?;
    txn.set_two_phase_commit(true);
    while let Some(record) = records.read()? {
        if record.follows == replayed.commit {
            apply(&txn, &record)?;
            replayed = record.state;
        }
    }
    if records.left() > 0 {
        let (path, bytes) = (path.display(), records.left());
        tracing::warn!(%path, bytes, "the journal of the session store was cut short");
    }
    if replayed == state {
        txn.abort()?;
    } else {
        tracing::info!(path = %store.path().display(), "replayed the journal of the session store");
        txn.commit()?;
    }
    // A journal that remains is not replayed again, because the file contains its commits.
    let _ = std::fs::remove_file(path);
    Ok(replayed)
}

fn apply(txn: &WriteTransaction, record: &JournalRecord) -> Result<(), redb::Error> {
    for change in &record.changes {
        let mut table = txn.open_table(change.table.definition())?;
        let key = change.key.as_slice();
        match &change.value {
            Some(value) => table.insert(key, value.as_slice())?,
            None => table.remove(key)?,
        };
    }
    let mut meta = txn.open_table(Table::Meta.definition())?;
    write_state(&mut meta, &record.state)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use greentic_session_testkit::FaultyDisk;
    use greentic_types::{ErrorCode, SessionKey};

    use super::super::open::{Opened, open_on};
    use super::*;
    use crate::backend::durable::config::{Durability, DurableConfig};
    use crate::backend::durable::faults::run::{ctx, data};
    use crate::backend::durable::store::DurableSessionStore;
    use crate::clock::{ManualClock, Timestamp};
    use crate::store::SessionStore;

    #[test]
    fn a_journal_takes_what_fits_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let store = StoreFile::new(directory.path().join("store.redb"));
        let state = StoreState {
            clock: Timestamp::from_millis(1),
            number: 1,
            live_bytes: 0,
            commit: 1,
        };
        let record = encode_record(1, &state, &[]).len() as u64;
        let mut journal = Journal::create(&store).unwrap();
        journal.max_bytes = 2 * record;
        let mut append = || journal.append(1, &state, &[]).unwrap();
        assert_eq!([append(), append(), append()], [true, true, false]);
        assert_eq!(journal.file.metadata().unwrap().len(), 2 * record);
        journal.clear().unwrap();
        assert!(journal.append(1, &state, &[]).unwrap());
    }

    #[test]
    fn c17_a_commit_that_the_journal_cannot_take_is_synced() {
        let (disk, directory) = (FaultyDisk::new(), tempfile::tempdir().unwrap());
        let sync_every = Duration::from_secs(3600);
        let relaxed = Durability::SurvivesProcessCrash { sync_every };
        let config = DurableConfig::new(directory.path().join("faulty.redb")).durability(relaxed);
        let file = StoreFile::new(&config.path);
        let mut opened = open_on(disk.clone(), &config).unwrap();
        let mut journal = Journal::create(&file).unwrap();
        journal.max_bytes = 4096;
        opened.journal = Some(journal);
        let clock = ManualClock::default();
        let store = DurableSessionStore::start(config.clone(), opened, clock).unwrap();
        for size in [10, 10_000, 10] {
            let created = store.create_session(&ctx(), data(&"x".repeat(size)));
            created.unwrap();
        }
        let length = std::fs::metadata(file.journal_path()).unwrap().len();
        assert!((1..4096).contains(&length), "{length}");
        let opened = open_on(disk.after_crash(), &config).unwrap();
        let state = replay(&opened.database, &file, opened.state).unwrap();
        let opened = Opened { state, ..opened };
        let store = DurableSessionStore::start(config, opened, ManualClock::default()).unwrap();
        assert_eq!(store.held().unwrap().0, 3);
    }

    #[test]
    fn c17_a_journal_that_cannot_be_written_stops_all_writes() {
        let disk = FaultyDisk::new();
        let sync_every = Duration::from_secs(3600);
        let relaxed = Durability::SurvivesProcessCrash { sync_every };
        let config = DurableConfig::new("faulty.redb").durability(relaxed);
        let mut opened = open_on(disk.clone(), &config).unwrap();
        opened.journal = Some(Journal {
            file: File::options().write(true).open("/dev/full").unwrap(),
            path: PathBuf::from("/dev/null/journal"),
            length: 0,
            max_bytes: MAX_BYTES,
        });
        let clock = ManualClock::default();
        let store = DurableSessionStore::start(config.clone(), opened, clock).unwrap();
        let remove = || store.remove_session(&SessionKey::new("k"));
        assert_eq!(remove().unwrap_err().code, ErrorCode::NotFound);
        let create = || store.create_session(&ctx(), data("x"));
        assert_eq!(create().unwrap_err().code, ErrorCode::Timeout);
        assert_eq!(store.held().unwrap(), (0, 0), "it was shown");
        assert_eq!(create().unwrap_err().code, ErrorCode::Unavailable);
        assert!(store.close().is_err());
        let opened = open_on(disk.after_crash(), &config).unwrap();
        let store = DurableSessionStore::start(config, opened, ManualClock::default()).unwrap();
        assert_eq!(store.held().unwrap(), (0, 0));
    }
}
