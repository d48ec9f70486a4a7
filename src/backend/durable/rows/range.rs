//! Reads of several rows of one table, in key order.

use std::ops::Bound;

use redb::{AccessGuard, ReadableTable, StorageError};

use crate::backend::durable::format::{Key, Value};
use crate::clock::Timestamp;

pub struct Row {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

type Entry<'a> = (AccessGuard<'a, Key>, AccessGuard<'a, Value>);

impl Row {
    fn of((key, value): &Entry<'_>) -> Self {
        Self {
            key: key.value().to_vec(),
            value: value.value().to_vec(),
        }
    }
}

/// Returns the rows after a key, at most `limit`.
pub fn rows_after(
    table: &impl ReadableTable<Key, Value>,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Row>, redb::Error> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let rows = table.range::<&[u8]>((from, Bound::Unbounded))?;
    let row = |entry: Result<Entry<'_>, StorageError>| Ok(Row::of(&entry?));
    rows.take(limit).map(row).collect()
}

/// Returns the first rows after the key `after` whose keys start with `prefix`, at most `limit`.
pub fn rows_with_prefix(
    table: &impl ReadableTable<Key, Value>,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Row>, redb::Error> {
    let mut rows = Vec::new();
    let from = after.map_or(Bound::Included(prefix), Bound::Excluded);
    for entry in table.range::<&[u8]>((from, Bound::Unbounded))?.take(limit) {
        let entry = entry?;
        if !entry.0.value().starts_with(prefix) {
            break;
        }
        rows.push(Row::of(&entry));
    }
    Ok(rows)
}

/// Returns the keys of `expiry` or `due` whose instant is not after `now`, at most `limit`.
pub fn expired_keys(
    table: &impl ReadableTable<Key, Value>,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Vec<u8>>, redb::Error> {
    let end = now.as_millis().saturating_add(1).to_be_bytes();
    let rows = table.range::<&[u8]>(..end.as_slice())?;
    rows.take(limit)
        .map(|entry| Ok(entry?.0.value().to_vec()))
        .collect()
}
