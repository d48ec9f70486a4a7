//! What a store with relaxed durability has done since its file was last synced.
//!
//! Each commit adds one record before it is acknowledged. The system keeps what was written to it
//! when a process ends, so the next opening can carry the records out again. A loss of power leaves
//! any part of the journal: the records before the first torn one count.
//!
//! A record names the commit that it follows. So records that the file has already, or that belong
//! to another file, are never carried out.

use std::fs::File;
use std::io::{ErrorKind, Result, Seek, Write};
use std::path::PathBuf;

use redb::{Database, TableDefinition, WriteTransaction};

use super::bytes::{Bytes, Damage, Reader, checksum};
use super::changes::Change;
use super::open::private_file;
use super::place::Place;
use super::state::StoreState;
use super::tables::{Key, Table, Value, write_state};
use super::version::journaled;

/// From this length on the file is synced early, so that an opening need not carry out more.
const LONG: u64 = 64 * 1024 * 1024;

/// The journal of a store that is open. It holds nothing that the synced file has.
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
}

impl Journal {
    /// An empty journal.
    pub fn create(place: &Place) -> Result<Self> {
        let path = path(place);
        Ok(Self {
            file: private_file(&path)?,
            path,
            length: 0,
        })
    }

    /// Adds what a commit did: after `follows`, it led to `state`.
    pub fn append(&mut self, follows: u128, state: &StoreState, changes: &[Change]) -> Result<()> {
        let record = encode(follows, state, changes);
        self.file.write_all(&record)?;
        self.length += record.len() as u64;
        Ok(())
    }

    pub fn is_long(&self) -> bool {
        self.length > LONG
    }

    /// Forgets all records, once the file has what they did.
    pub fn clear(&mut self) -> Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.length = 0;
        Ok(())
    }

    /// Ends the journal of a store that was closed well.
    pub fn remove(self) {
        // An empty journal does no harm.
        let _ = std::fs::remove_file(self.path);
    }
}

fn path(place: &Place) -> PathBuf {
    let mut path = place.0.clone().into_os_string();
    path.push(".journal");
    path.into()
}

/// Carries out what the last process wrote and could not sync, and returns the state after it.
pub(super) fn recover(
    database: &Database,
    place: &Place,
    state: StoreState,
) -> std::result::Result<StoreState, redb::Error> {
    let path = path(place);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(state),
        Err(error) => return Err(error.into()),
    };
    let mut recovered = state;
    let mut txn = database.begin_write()?;
    txn.set_two_phase_commit(true);
    for record in records(&bytes) {
        if record.follows == recovered.commit {
            apply(&txn, &record)?;
            recovered = record.state;
        }
    }
    if recovered == state {
        txn.abort()?;
    } else {
        tracing::info!(path = %place.0.display(), "carried out the journal of the session store");
        txn.commit()?;
    }
    // What stays behind is carried out no more: the file has it.
    let _ = std::fs::remove_file(path);
    Ok(recovered)
}

fn apply(txn: &WriteTransaction, record: &Record<'_>) -> std::result::Result<(), redb::Error> {
    for change in &record.changes {
        let mut table = txn.open_table(change.table)?;
        match change.value {
            Some(value) => table.insert(change.key, value)?,
            None => table.remove(change.key)?,
        };
    }
    write_state(
        &mut txn.open_table(Table::Meta.definition())?,
        &record.state,
    )
}

struct Record<'a> {
    follows: u128,
    state: StoreState,
    changes: Vec<RowChange<'a>>,
}

struct RowChange<'a> {
    table: TableDefinition<'static, Key, Value>,
    key: &'a [u8],
    value: Option<&'a [u8]>,
}

fn encode(follows: u128, state: &StoreState, changes: &[Change]) -> Vec<u8> {
    let mut body = Bytes::default().u128(follows).raw(&state.encode());
    for change in changes {
        body = body.u8(change.table.number()).long(&change.key);
        body = match &change.value {
            Some(value) => body.u8(1).long(value),
            None => body.u8(0),
        };
    }
    let body = body.into_vec();
    let length = (body.len() as u64).to_be_bytes();
    let checksum = checksum(&length, &body);
    Bytes::default()
        .raw(&length)
        .u32(checksum)
        .raw(&body)
        .into_vec()
}

/// The records up to the first that is torn.
fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut reader = Reader(bytes);
    std::iter::from_fn(move || decode(&mut reader).ok())
}

fn decode<'a>(reader: &mut Reader<'a>) -> std::result::Result<Record<'a>, Damage> {
    let length = reader.u64()?;
    let expected = reader.u32()?;
    let body = reader.take(usize::try_from(length).unwrap_or(usize::MAX))?;
    if checksum(&length.to_be_bytes(), body) != expected {
        return Err(Damage("its checksum is wrong"));
    }
    let mut body = Reader(body);
    let follows = body.u128()?;
    let state = StoreState::decode(body.take(StoreState::BYTES)?)?;
    let mut changes = Vec::new();
    while body.end().is_err() {
        let table = journaled(body.u8()?).ok_or(Damage("its table is unknown"))?;
        let key = body.long()?;
        let value = match body.u8()? {
            0 => None,
            _ => Some(body.long()?),
        };
        changes.push(RowChange { table, key, value });
    }
    Ok(Record {
        follows,
        state,
        changes,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use greentic_session_testkit::FaultyDisk;
    use greentic_types::{ErrorCode, SessionKey};
    use redb::TableHandle;

    use super::super::config::{Durability, DurableConfig};
    use super::super::faults::run::{ctx, data};
    use super::super::open::open_on;
    use super::super::store::DurableSessionStore;
    use super::*;
    use crate::clock::{ManualClock, Timestamp};
    use crate::store::SessionStore;

    fn state(commit: u128) -> StoreState {
        StoreState {
            clock: Timestamp::from_millis(7),
            number: 8,
            live_bytes: 9,
            commit,
        }
    }

    fn journal() -> [Vec<u8>; 2] {
        let change = |key: &[u8], value: Option<&[u8]>| Change {
            table: Table::Payloads,
            key: key.to_vec(),
            value: value.map(<[u8]>::to_vec),
        };
        let first = [change(b"a", Some(b"one")), change(b"b", None)];
        let second = [change(b"a", None)];
        [encode(1, &state(2), &first), encode(2, &state(3), &second)]
    }

    #[test]
    fn c17_records_come_back_as_they_were() {
        let bytes = journal().concat();
        let found: Vec<_> = records(&bytes).collect();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].follows, found[0].state), (1, state(2)));
        assert_eq!(found[0].changes[0].value, Some(b"one".as_slice()));
        assert_eq!(found[0].changes[1].key, b"b");
        assert!(found[0].changes[1].value.is_none());
        assert_eq!(found[1].changes[0].table.name(), "payloads");
    }

    #[test]
    fn c17_a_torn_record_ends_the_journal() {
        let first = journal()[0].len();
        let bytes = journal().concat();
        for length in 0..bytes.len() {
            let whole = records(&bytes[..length]).count();
            assert_eq!(whole, usize::from(length >= first), "{length}");
        }
        for position in 0..bytes.len() {
            let mut torn = bytes.clone();
            torn[position] ^= 0x55;
            let whole = records(&torn).count();
            assert_eq!(whole, usize::from(position >= first), "{position}");
        }
    }

    #[cfg(target_os = "linux")]
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
