//! The tables of the file, as readers and as the writer see them.

use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use super::format::{Damage, seal, unseal};
use super::state::StoreState;

pub(super) type Key = &'static [u8];
pub(super) type Value = &'static [u8];

/// What is stored where. The names are part of the file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// The format of the file, and the state of the store.
    Meta,
    /// Session key to head.
    Sessions,
    /// Session key to the data, as JSON.
    Payloads,
    /// Owner and scope to the session that waits.
    Routes,
    /// Owner to what is kept per owner.
    Owners,
    /// Owner and message to when it is forgotten.
    Messages,
    /// Owner and age to the message.
    Ages,
    /// Instant and what ends then.
    Due,
}

impl Table {
    pub const ALL: [Self; 8] = [
        Self::Meta,
        Self::Sessions,
        Self::Payloads,
        Self::Routes,
        Self::Owners,
        Self::Messages,
        Self::Ages,
        Self::Due,
    ];

    /// Its number in a journal and in a cursor; part of the file format.
    pub const fn number(self) -> u8 {
        match self {
            Self::Meta => 0,
            Self::Sessions => 1,
            Self::Payloads => 2,
            Self::Routes => 3,
            Self::Owners => 5,
            Self::Messages => 6,
            Self::Ages => 7,
            Self::Due => 8,
        }
    }

    pub fn from_number(number: u8) -> Option<Self> {
        let is_meant = |table: &Self| table.number() == number;
        Self::ALL.into_iter().find(is_meant)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Sessions => "sessions",
            Self::Payloads => "payloads",
            Self::Routes => "routes",
            Self::Owners => "owners",
            Self::Messages => "messages",
            Self::Ages => "ages",
            Self::Due => "due",
        }
    }

    pub const fn definition(self) -> TableDefinition<'static, Key, Value> {
        TableDefinition::new(self.name())
    }
}

const STATE_KEY: &[u8] = b"state";

/// The state row, if there is one yet.
pub(super) fn read_state(
    meta: &impl ReadableTable<Key, Value>,
) -> Result<Option<Result<StoreState, Damage>>, redb::Error> {
    let stored = meta.get(STATE_KEY)?;
    Ok(stored.map(|value| unseal(STATE_KEY, value.value()).and_then(StoreState::decode)))
}

pub(super) fn write_state(
    meta: &mut redb::Table<'_, Key, Value>,
    state: &StoreState,
) -> Result<(), redb::Error> {
    let value = seal(STATE_KEY, &state.encode());
    meta.insert(STATE_KEY, value.as_slice())?;
    Ok(())
}

/// All tables as of one commit. It keeps the pages of that commit from being used again.
pub(super) struct ReadTables(Vec<ReadOnlyTable<Key, Value>>);

impl ReadTables {
    pub fn open(txn: &ReadTransaction) -> Result<Self, redb::Error> {
        let open = |table: Table| Ok(txn.open_table(table.definition())?);
        Table::ALL
            .into_iter()
            .map(open)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn table(&self, table: Table) -> &ReadOnlyTable<Key, Value> {
        &self.0[table as usize]
    }
}

/// All tables of the transaction that is being made.
pub(super) struct WriteTables<'txn>(Vec<redb::Table<'txn, Key, Value>>);

impl<'txn> WriteTables<'txn> {
    pub fn open(txn: &'txn WriteTransaction) -> Result<Self, redb::Error> {
        let open = |table: Table| Ok(txn.open_table(table.definition())?);
        Table::ALL
            .into_iter()
            .map(open)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub fn table(&self, table: Table) -> &redb::Table<'txn, Key, Value> {
        &self.0[table as usize]
    }

    pub fn table_mut(&mut self, table: Table) -> &mut redb::Table<'txn, Key, Value> {
        &mut self.0[table as usize]
    }
}
