//! The table `meta`: the version of the format, and the state of the store.

use greentic_types::{ErrorCode, GreenticError};
use redb::{ReadableDatabase, ReadableTable, WriteTransaction};

use super::store_file::StoreFile;
use crate::backend::durable::format::{
    Damage, FORMAT_VERSION, Key, StoreState, Table, Value, decode_version, encode_version, seal,
    unseal,
};
use crate::error::SessionResult;

const FORMAT_KEY: &[u8] = b"format";
const STATE_KEY: &[u8] = b"state";

/// Returns the format version of a session store; none if the database is not one.
pub fn read_version(database: &impl ReadableDatabase) -> Result<Option<u32>, redb::Error> {
    let txn = database.begin_read()?;
    let meta = match txn.open_table(Table::Meta.definition()) {
        Ok(meta) => meta,
        Err(redb::TableError::Storage(error)) => return Err(error.into()),
        Err(_other_table) => return Ok(None),
    };
    let stored = ReadableTable::get(&meta, FORMAT_KEY)?;
    Ok(stored.and_then(|value| decode_version(value.value())))
}

/// Refuses databases that are not session stores, and every version but the current one.
pub fn check_version(version: Option<u32>, file: &StoreFile) -> SessionResult<()> {
    match version {
        None => Err(not_a_store(file)),
        Some(FORMAT_VERSION) => Ok(()),
        Some(unknown) => {
            let reason = format!(
                "has format version {unknown}; this version of the library reads only version \
                 {FORMAT_VERSION}"
            );
            Err(file.error(ErrorCode::InvalidInput, reason))
        }
    }
}

pub fn not_a_store(file: &StoreFile) -> GreenticError {
    let reason = "cannot be opened: the file is there, but it is no session store";
    file.error(ErrorCode::InvalidInput, reason)
}

/// Marks a database as a session store of the current version, and writes its state.
pub fn write_meta(txn: &WriteTransaction, state: &StoreState) -> Result<(), redb::Error> {
    let mut meta = txn.open_table(Table::Meta.definition())?;
    let version = encode_version(FORMAT_VERSION);
    meta.insert(FORMAT_KEY, version.as_slice())?;
    write_state(&mut meta, state)
}

/// Returns the state of the store; none if there is no such row.
pub fn read_state(
    meta: &impl ReadableTable<Key, Value>,
) -> Result<Option<Result<StoreState, Damage>>, redb::Error> {
    let stored = meta.get(STATE_KEY)?;
    Ok(stored.map(|value| unseal(STATE_KEY, value.value()).and_then(StoreState::decode)))
}

pub fn write_state(
    meta: &mut redb::Table<'_, Key, Value>,
    state: &StoreState,
) -> Result<(), redb::Error> {
    let value = seal(STATE_KEY, &state.encode());
    meta.insert(STATE_KEY, value.as_slice())?;
    Ok(())
}
