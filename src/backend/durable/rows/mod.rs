//! Reads of rows: of the last commit, or of the transaction that the writer is preparing.

mod lookup;
mod range;
mod snapshot;
mod tables;
mod view;

pub(super) use lookup::{
    first_due, inbox, leads_to, message, owner_state, route, session_of, start, unreadable_row,
};
pub(super) use range::{Row, expired_keys, rows_with_prefix};
pub(super) use snapshot::Snapshot;
pub(super) use tables::{ReadTables, WriteTables};

use super::format::Table;
use crate::error::SessionResult;
use crate::sealing::Sealing;

/// A set of tables that rows are read from. Every implementation has the reads that the contract's
/// rules need ([`View`](crate::rules::View)).
pub(super) trait Rows {
    /// How payloads are opened.
    fn sealing(&self) -> &Sealing;

    /// Passes the value of a key to `read`, if there is one.
    fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> SessionResult<T>,
    ) -> SessionResult<Option<T>>;

    /// Returns the first rows after the key `after` whose keys start with `prefix`, at most `limit`, in
    /// key order.
    fn with_prefix(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> SessionResult<Vec<Row>>;
}
