//! The store as of one commit, for readers.

use redb::{ReadableTable, ReadableTableMetadata};

use super::Rows;
use super::range::{Row, expired_keys, rows_after, rows_with_prefix};
use super::tables::ReadTables;
use crate::backend::durable::file::StoreFile;
use crate::backend::durable::format::Table;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::sealing::Sealing;

pub struct Snapshot {
    pub tables: ReadTables,
    pub file: StoreFile,
    pub sealing: Sealing,
}

impl Snapshot {
    /// Returns the rows after a key, at most `limit`, in key order.
    pub fn rows_after(
        &self,
        table: Table,
        after: Option<&[u8]>,
        limit: usize,
    ) -> SessionResult<Vec<Row>> {
        rows_after(self.tables.table(table), after, limit)
            .map_err(|error| self.file.storage_error(&error))
    }

    /// Returns the keys of what is due at `now`, at most `limit`, of waits (`due`) or queues
    /// (`queues_due`).
    pub fn due_keys(
        &self,
        table: Table,
        now: Timestamp,
        limit: usize,
    ) -> SessionResult<Vec<Vec<u8>>> {
        expired_keys(self.tables.table(table), now, limit)
            .map_err(|error| self.file.storage_error(&error))
    }

    /// Counts the rows of some tables. The file stores the counts.
    pub fn count_rows(&self, tables: &[Table]) -> SessionResult<u64> {
        let mut rows = 0;
        for table in tables {
            let count = self.tables.table(*table).len();
            rows += count.map_err(|error| self.file.storage_error(&error.into()))?;
        }
        Ok(rows)
    }
}

impl Rows for Snapshot {
    fn sealing(&self) -> &Sealing {
        &self.sealing
    }

    fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> SessionResult<T>,
    ) -> SessionResult<Option<T>> {
        let found = ReadableTable::get(self.tables.table(table), key);
        let found = found.map_err(|error| self.file.storage_error(&error.into()))?;
        found.map(|value| read(value.value())).transpose()
    }

    fn with_prefix(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> SessionResult<Vec<Row>> {
        rows_with_prefix(self.tables.table(table), prefix, after, limit)
            .map_err(|error| self.file.storage_error(&error))
    }
}
