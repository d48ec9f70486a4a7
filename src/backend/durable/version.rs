//! Which version of the format a file has, and how an older one is brought up to this one.

use greentic_types::{ErrorCode, GreenticError};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::format::{seal, unseal};
use super::place::Place;
use super::state::StoreState;
use super::tables::{Key, Table, Value, write_state};
use super::view::{Row, rows_after};
use crate::error::SessionResult;
use crate::ids::random_bits;

/// The version of the file as a whole.
pub(super) const FORMAT_VERSION: u32 = 2;

/// The row that tells session stores from other databases, and which version they are.
const FORMAT_KEY: &[u8] = b"format";
const FORMAT_MAGIC: &[u8] = b"greentic-session";

/// A table of version 1: owner and order to the session that waits.
const ORDER: TableDefinition<'static, Key, Value> = TableDefinition::new("order");
/// Its number in a journal.
const ORDER_NUMBER: u8 = 4;
/// What stood before the session key in a route of version 1: the order.
const ORDER_BYTES: usize = 8;
/// How many rows are rewritten at a time, so that memory stays flat.
const ROWS: usize = 1024;

/// The table that a journal means by a number, also one of an older version.
pub(super) fn journaled(number: u8) -> Option<TableDefinition<'static, Key, Value>> {
    match number {
        ORDER_NUMBER => Some(ORDER),
        _ => Table::from_number(number).map(Table::definition),
    }
}

/// The version of a session store; none if it is another database.
pub(super) fn format_version(database: &impl ReadableDatabase) -> Result<Option<u32>, redb::Error> {
    let txn = database.begin_read()?;
    let meta = match txn.open_table(Table::Meta.definition()) {
        Ok(meta) => meta,
        Err(redb::TableError::Storage(error)) => return Err(error.into()),
        Err(_other_table) => return Ok(None),
    };
    let stored = ReadableTable::get(&meta, FORMAT_KEY)?;
    let version = stored.and_then(|value| {
        let version = value.value().strip_prefix(FORMAT_MAGIC)?;
        Some(u32::from_be_bytes(version.try_into().ok()?))
    });
    Ok(version)
}

/// Refuses other databases, and versions that this library does not know.
pub(super) fn check_version(version: Option<u32>, place: &Place) -> SessionResult<u32> {
    match version {
        None => Err(not_ours(place)),
        Some(known @ 1..=FORMAT_VERSION) => Ok(known),
        Some(0) => Err(place.damaged("has format version 0, which never existed")),
        Some(newer) => {
            let reason = format!(
                "has format version {newer}; this version of the library knows {FORMAT_VERSION} at most"
            );
            Err(place.error(ErrorCode::InvalidInput, reason))
        }
    }
}

pub(super) fn not_ours(place: &Place) -> GreenticError {
    let reason = "cannot be opened: the file is there, but it is no session store";
    place.error(ErrorCode::InvalidInput, reason)
}

/// Marks a store as one of this version, and writes its state.
pub(super) fn write_version(txn: &WriteTransaction, state: &StoreState) -> Result<(), redb::Error> {
    let mut meta = txn.open_table(Table::Meta.definition())?;
    let format = [FORMAT_MAGIC, &FORMAT_VERSION.to_be_bytes()].concat();
    meta.insert(FORMAT_KEY, format.as_slice())?;
    write_state(&mut meta, state)
}

/// Brings a store of an older version up to this one, in one transaction, and tells its state then.
///
/// Its journal must have been carried out.
pub(super) fn migrate(
    database: &Database,
    place: &Place,
    version: u32,
    mut state: StoreState,
) -> Result<StoreState, redb::Error> {
    if version == FORMAT_VERSION {
        return Ok(state);
    }
    tracing::info!(path = %place.0.display(), version, "bringing the session store up to date");
    let mut txn = database.begin_write()?;
    txn.set_two_phase_commit(true);
    let dropped = list_by_heads(&txn)?;
    state.live_bytes = state.live_bytes.saturating_sub(dropped);
    // A journal of the older version that turns up later follows another commit.
    state.commit = random_bits().get();
    write_version(&txn, &state)?;
    txn.commit()?;
    Ok(state)
}

/// From version 1 to 2: the order of a wait stands in the head of its session alone. Tells how many
/// bytes of rows that saves.
fn list_by_heads(txn: &WriteTransaction) -> Result<u64, redb::Error> {
    let mut dropped = 0;
    for row in txn.open_table(ORDER)?.iter()? {
        let (key, value) = row?;
        dropped += key.value().len() + value.value().len();
    }
    txn.delete_table(ORDER)?;
    let mut routes = txn.open_table(Table::Routes.definition())?;
    let mut after: Option<Vec<u8>> = None;
    loop {
        let rows = rows_after(&routes, after.as_deref(), ROWS)?;
        let Some(last) = rows.last() else { break };
        after = Some(last.key.clone());
        for row in &rows {
            if let Some(value) = without_order(row) {
                routes.insert(row.key.as_slice(), value.as_slice())?;
                dropped += ORDER_BYTES;
            }
        }
    }
    Ok(dropped as u64)
}

/// The value of a route of version 1 as it is now; none if it cannot be read, and so stays as it is.
fn without_order(row: &Row) -> Option<Vec<u8>> {
    let body = unseal(&row.key, &row.value).ok()?;
    Some(seal(&row.key, body.get(ORDER_BYTES..)?))
}
