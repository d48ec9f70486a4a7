//! The journal: commits that are not in the synced file yet.
//!
//! Each commit appends one record before it is acknowledged. With strict durability the record is
//! synced before that. With relaxed durability the operating system keeps what was written when the
//! process ends. The next opening replays the records. A loss of power can leave any part of what was
//! not synced; the records before the first torn one are replayed.
//!
//! A record names the commit that it follows. So records that the file contains already, or that
//! belong to another file, are not replayed.

use std::fs::OpenOptions;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use redb::backends::FileBackend;
use redb::{Database, StorageBackend, WriteTransaction};

use super::meta::write_state;
use super::store_file::{StoreFile, create_private, open_regular};
use crate::backend::durable::config::Durability;
use crate::backend::durable::format::{
    Change, END_OF_RECORDS, JournalRecord, Records, StoreState, Table, encode_record,
};

/// Above this length the file is synced early, to bound the replay on opening and the pages that the
/// file cannot reuse before.
const LONG: u64 = 16 * 1024 * 1024;
/// No journal is longer, so one that is was not written by this program.
const MAX_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// How much room is made at once for records that are synced. A sync of records within room that was
/// synced before writes no metadata.
const ROOM: u64 = 1024 * 1024;

/// The journal of an open store. It holds only records that the synced file lacks.
pub struct Journal {
    storage: Box<dyn StorageBackend>,
    /// None if it is not a file.
    path: Option<PathBuf>,
    /// How much room is made at once; 0 if the records are not synced.
    room: u64,
    /// The length of the storage, if its records are synced.
    length: u64,
    /// Where the last record ends.
    end: u64,
    /// Above this length it is to be emptied.
    long: u64,
    /// How long it may become.
    max_bytes: u64,
}

impl Journal {
    /// Creates an empty journal.
    pub fn create(store: &StoreFile, durability: Durability) -> io::Result<Self> {
        let path = store.journal_path();
        let storage = FileBackend::new(create_private(&path)?).map_err(io::Error::other)?;
        let mut journal = Self::on(storage, durability)?;
        journal.path = Some(path);
        if journal.is_synced() {
            store.sync_directory();
        }
        Ok(journal)
    }

    /// An empty journal on a storage, whatever that contains.
    pub fn on(storage: impl StorageBackend, durability: Durability) -> io::Result<Self> {
        storage.set_len(0)?;
        let is_synced = durability == Durability::SurvivesPowerLoss;
        Ok(Self {
            storage: Box::new(storage),
            path: None,
            room: if is_synced { ROOM } else { 0 },
            length: 0,
            end: 0,
            long: LONG,
            max_bytes: MAX_BYTES,
        })
    }

    /// The same journal with less room and a smaller length above which it is to be emptied.
    #[cfg(test)]
    pub fn small(mut self, room: u64, long: u64) -> Self {
        self.room = self.room.min(room);
        self.long = long;
        self
    }

    const fn is_synced(&self) -> bool {
        self.room > 0
    }

    /// Appends what a commit did: it followed the commit `follows` and led to `state`. With strict
    /// durability it is on the disk then. Returns false, and appends nothing, if the journal would
    /// become too long to be replayed.
    pub fn append(
        &mut self,
        follows: u128,
        state: &StoreState,
        changes: &[Change],
    ) -> io::Result<bool> {
        let mut record = encode_record(follows, state, changes);
        let end = self.end.saturating_add(record.len() as u64);
        // The next record overwrites it.
        record.extend(END_OF_RECORDS);
        let behind = self.end.saturating_add(record.len() as u64);
        if behind.saturating_add(self.room) > self.max_bytes {
            return Ok(false);
        }
        self.make_room(behind)?;
        self.storage.write(self.end, &record)?;
        if self.is_synced() {
            self.storage.sync_data()?;
        }
        self.end = end;
        Ok(true)
    }

    fn make_room(&mut self, end: u64) -> io::Result<()> {
        while self.is_synced() && self.length < end {
            let zeros = vec![0; usize::try_from(self.room).unwrap_or_default()];
            self.storage.write(self.length, &zeros)?;
            self.length += self.room;
        }
        Ok(())
    }

    pub const fn is_long(&self) -> bool {
        self.end > self.long
    }

    /// Removes all records, once the synced file contains them. Synced records are overwritten later:
    /// until then they follow no commit that the file may be at.
    pub fn clear(&mut self) -> io::Result<()> {
        self.end = 0;
        if !self.is_synced() || self.length > 2 * self.long {
            self.storage.set_len(0)?;
            self.length = 0;
        }
        Ok(())
    }

    /// Deletes the journal of a store that was closed.
    pub fn remove(self) {
        // A journal that remains has no effect.
        let _ = self.path.map(std::fs::remove_file);
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
    let replayed = replay_records(database, store, BufReader::new(file), length, state)?;
    // A journal that remains is not replayed again, because the file contains its commits.
    let _ = std::fs::remove_file(path);
    Ok(replayed)
}

/// Replays a journal of this length.
pub fn replay_records(
    database: &Database,
    store: &StoreFile,
    journal: impl Read,
    length: u64,
    state: StoreState,
) -> Result<StoreState, redb::Error> {
    if length > MAX_BYTES {
        let reason = format!("its journal has {length} bytes, which no journal has");
        return Err(redb::Error::Corrupted(reason));
    }
    let mut records = Records::new(journal, length);
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
        let (path, bytes) = (store.journal_path(), records.left());
        let path = path.display();
        tracing::warn!(%path, bytes, "the journal of the session store was cut short");
    }
    if replayed == state {
        txn.abort()?;
    } else {
        tracing::info!(path = %store.path().display(), "replayed the journal of the session store");
        txn.commit()?;
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greentic_session_testkit::{DiskFault, FaultyDisk, Lasting};
    use greentic_types::{ErrorCode, SessionKey};

    use super::super::open::open_on;
    use super::*;
    use crate::backend::durable::config::DurableConfig;
    use crate::backend::durable::faults::run::{ctx, data};
    use crate::backend::durable::store::DurableSessionStore;
    use crate::clock::{ManualClock, Timestamp};
    use crate::store::SessionStore;

    const RELAXED: Durability = Durability::SurvivesProcessCrash {
        sync_every: Duration::from_secs(3600),
    };

    fn state() -> StoreState {
        StoreState {
            clock: Timestamp::from_millis(1),
            number: 1,
            live_bytes: 0,
            commit: 1,
        }
    }

    #[test]
    fn a_journal_takes_what_fits_and_no_more() {
        for durability in [RELAXED, Durability::SurvivesPowerLoss] {
            let record = encode_record(1, &state(), &[]).len() as u64;
            let disk = FaultyDisk::new();
            let mut journal = Journal::on(disk.clone(), durability)
                .unwrap()
                .small(64, LONG);
            let behind = END_OF_RECORDS.len() as u64 + journal.room;
            journal.max_bytes = 2 * record + behind;
            let mut append = || journal.append(1, &state(), &[]).unwrap();
            assert_eq!([append(), append(), append()], [true, true, false]);
            assert!(disk.bytes().len() as u64 <= journal.max_bytes);
            journal.clear().unwrap();
            assert!(journal.append(1, &state(), &[]).unwrap());
        }
    }

    #[test]
    fn c17_a_record_is_synced_with_strict_durability_only() {
        for (durability, kept) in [(RELAXED, false), (Durability::SurvivesPowerLoss, true)] {
            let disk = FaultyDisk::new();
            let mut journal = Journal::on(disk.clone(), durability)
                .unwrap()
                .small(64, LONG);
            assert!(journal.append(1, &state(), &[]).unwrap());
            let whole = |disk: &FaultyDisk| {
                let bytes = disk.bytes();
                let mut records = Records::new(bytes.as_slice(), bytes.len() as u64);
                records.read().unwrap().is_some()
            };
            assert!(whole(&disk));
            let losses: Vec<_> = (0..20).map(|seed| disk.after_power_loss(seed)).collect();
            assert_eq!(losses.iter().all(whole), kept);
        }
    }

    /// The room of a synced journal is kept, so its old records stand behind the new ones.
    #[test]
    fn c17_what_was_cleared_is_not_read_behind_new_records() {
        let disk = FaultyDisk::new();
        let strict = Durability::SurvivesPowerLoss;
        let mut journal = Journal::on(disk.clone(), strict).unwrap().small(4096, LONG);
        let follows = || {
            let bytes = disk.bytes();
            let mut records = Records::new(bytes.as_slice(), bytes.len() as u64);
            let mut follows = Vec::new();
            while let Some(record) = records.read().unwrap() {
                follows.push(record.follows);
            }
            (follows, records.left())
        };
        for commit in 1..=3 {
            assert!(journal.append(commit, &state(), &[]).unwrap());
        }
        assert_eq!(follows(), (vec![1, 2, 3], 0));
        journal.clear().unwrap();
        assert!(journal.append(4, &state(), &[]).unwrap());
        assert_eq!(follows(), (vec![4], 0));
    }

    #[test]
    fn c17_a_commit_that_the_journal_cannot_take_is_synced() {
        for durability in [RELAXED, Durability::SurvivesPowerLoss] {
            let disk = FaultyDisk::new();
            let config = DurableConfig::new("faulty.redb").durability(durability);
            let mut opened = open_on(disk.clone(), disk.beside(), &config).unwrap();
            opened.journal = opened.journal.small(64, LONG);
            opened.journal.max_bytes = 4096;
            let clock = ManualClock::default();
            let store = DurableSessionStore::start(config.clone(), opened, clock).unwrap();
            for size in [10, 10_000, 10] {
                let created = store.create_session(&ctx(), data(&"x".repeat(size)));
                created.unwrap();
            }
            let length = disk.beside().bytes().len();
            assert!((1..=4096).contains(&length), "{length}");
            let disk = disk.after_crash();
            let opened = open_on(disk.clone(), disk.beside(), &config).unwrap();
            let store = DurableSessionStore::start(config, opened, ManualClock::default()).unwrap();
            assert_eq!(store.held().unwrap().0, 3);
        }
    }

    #[test]
    fn c17_a_journal_that_cannot_be_written_stops_all_writes() {
        for durability in [RELAXED, Durability::SurvivesPowerLoss] {
            let disk = FaultyDisk::new();
            let full = FaultyDisk::new();
            let config = DurableConfig::new("faulty.redb").durability(durability);
            let mut opened = open_on(disk.clone(), disk.beside(), &config).unwrap();
            opened.journal = Journal::on(full.clone(), durability).unwrap();
            full.fail_after(0, DiskFault::NoSpace, Lasting::Forever);
            let clock = ManualClock::default();
            let store = DurableSessionStore::start(config.clone(), opened, clock).unwrap();
            let remove = || store.remove_session(&SessionKey::new("k"));
            assert_eq!(remove().unwrap_err().code, ErrorCode::NotFound);
            let create = || store.create_session(&ctx(), data("x"));
            assert_eq!(create().unwrap_err().code, ErrorCode::Timeout);
            assert_eq!(store.held().unwrap(), (0, 0), "it was shown");
            assert_eq!(create().unwrap_err().code, ErrorCode::Unavailable);
            assert!(store.close().is_err());
            let disk = disk.after_crash();
            let opened = open_on(disk.clone(), disk.beside(), &config).unwrap();
            let store = DurableSessionStore::start(config, opened, ManualClock::default()).unwrap();
            assert_eq!(store.held().unwrap(), (0, 0));
        }
    }
}
