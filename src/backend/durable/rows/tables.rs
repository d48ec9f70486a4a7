//! All tables of one transaction, opened.

use redb::{ReadOnlyTable, ReadTransaction, WriteTransaction};

use crate::backend::durable::format::{Key, Table, Value};

/// All tables as of one commit. The pages of that commit are not reused while this exists.
pub struct ReadTables(Vec<ReadOnlyTable<Key, Value>>);

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

/// All tables of a write transaction.
pub struct WriteTables<'txn>(Vec<redb::Table<'txn, Key, Value>>);

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
