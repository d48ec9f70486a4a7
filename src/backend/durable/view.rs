//! What the rules see of the stored rows.

use std::ops::Bound;
use std::sync::Arc;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use redb::{ReadableTable, ReadableTableMetadata};

use super::format::{self, Damage, MessageRow, OwnerState, owner_key, unseal};
use super::place::Place;
use super::tables::{ReadTables, Table};
use crate::claim::MessageDigest;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::payload;
use crate::rules::{Head, Remembered, View};
use crate::scope::ScopeDigest;
use crate::session::Session;

/// Rows of one commit, or of the one that is being made.
pub(super) trait Rows {
    /// Looks at the value of a key.
    fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        look: impl FnOnce(&[u8]) -> SessionResult<T>,
    ) -> SessionResult<Option<T>>;

    /// The first rows, at most `limit`, whose keys start with `prefix`; in order of their keys.
    fn starting_with(&self, table: Table, prefix: &[u8], limit: usize) -> SessionResult<Vec<Row>>;
}

pub(super) struct Row {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// Rows in order of their keys, after this one.
pub(super) fn rows_after(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<Row>, redb::Error> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let rows = table.range::<&[u8]>((from, Bound::Unbounded))?;
    let row = |entry: Result<_, redb::StorageError>| {
        let (key, value): (redb::AccessGuard<'_, &[u8]>, redb::AccessGuard<'_, &[u8]>) = entry?;
        Ok(Row {
            key: key.value().to_vec(),
            value: value.value().to_vec(),
        })
    };
    rows.take(limit).map(row).collect()
}

/// The rows of a table from a key on, as long as they start with it.
pub(super) fn scan(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    prefix: &[u8],
    limit: usize,
) -> Result<Vec<Row>, redb::Error> {
    let mut rows = Vec::new();
    let from = (Bound::Included(prefix), Bound::Unbounded);
    for entry in table.range::<&[u8]>(from)?.take(limit) {
        let (key, value) = entry?;
        if !key.value().starts_with(prefix) {
            break;
        }
        rows.push(Row {
            key: key.value().to_vec(),
            value: value.value().to_vec(),
        });
    }
    Ok(rows)
}

/// The keys of what is due, in order.
pub(super) fn due_keys(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Vec<u8>>, redb::Error> {
    let end = now.as_millis().saturating_add(1).to_be_bytes();
    let rows = table.range::<&[u8]>(..end.as_slice())?;
    rows.take(limit)
        .map(|entry| Ok(entry?.0.value().to_vec()))
        .collect()
}

/// The store as of one commit.
pub(super) struct Snapshot {
    pub tables: ReadTables,
    pub place: Place,
}

impl Snapshot {
    /// The next rows of a table, in order of their keys.
    pub fn after(
        &self,
        table: Table,
        after: Option<&[u8]>,
        limit: usize,
    ) -> SessionResult<Vec<Row>> {
        rows_after(self.tables.table(table), after, limit)
            .map_err(|error| self.place.storage_error(&error))
    }

    /// How many rows some tables have, by the counts that the file keeps.
    pub fn rows(&self, tables: &[Table]) -> SessionResult<u64> {
        let mut rows = 0;
        for table in tables {
            let count = self.tables.table(*table).len();
            rows += count.map_err(|error| self.place.storage_error(&error.into()))?;
        }
        Ok(rows)
    }
}

impl Rows for Snapshot {
    fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        look: impl FnOnce(&[u8]) -> SessionResult<T>,
    ) -> SessionResult<Option<T>> {
        let found = ReadableTable::get(self.tables.table(table), key);
        let found = found.map_err(|error| self.place.storage_error(&error.into()))?;
        found.map(|value| look(value.value())).transpose()
    }

    fn starting_with(&self, table: Table, prefix: &[u8], limit: usize) -> SessionResult<Vec<Row>> {
        scan(self.tables.table(table), prefix, limit)
            .map_err(|error| self.place.storage_error(&error))
    }
}

/// A row that belongs to no single session. Nothing of its key is told: it names a user (C18).
pub(super) fn unreadable_row(table: Table, damage: Damage) -> GreenticError {
    let (name, reason) = (table.name(), damage.0);
    GreenticError::new(
        ErrorCode::Internal,
        format!("a row of the table `{name}` cannot be read: {reason}"),
    )
}

/// Reads a sealed row.
pub(super) fn sealed<R: Rows, T>(
    rows: &R,
    table: Table,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Damage>,
) -> SessionResult<Option<T>> {
    rows.get(table, key, |value| {
        unseal(key, value)
            .and_then(decode)
            .map_err(|damage| unreadable_row(table, damage))
    })
}

/// The session whose head is known.
pub(super) fn session_of<R: Rows>(
    rows: &R,
    key: &SessionKey,
    head: &Head,
) -> SessionResult<Arc<Session>> {
    let bytes = key.as_str().as_bytes();
    let data = rows.get(Table::Payloads, bytes, |value| {
        let json = unseal(bytes, value).map_err(|damage| payload::unreadable(key, damage.0))?;
        payload::decode(key, json)
    })?;
    Ok(Arc::new(Session {
        key: key.clone(),
        data: data.ok_or_else(|| payload::unreadable(key, "its data is missing"))?,
        revision: head.revision,
        deadline: head.deadline,
    }))
}

pub(super) fn owner_state<R: Rows>(rows: &R, owner: &Owner) -> SessionResult<OwnerState> {
    let key = owner_key(owner).into_vec();
    let state = sealed(rows, Table::Owners, &key, OwnerState::decode)?;
    Ok(state.unwrap_or_default())
}

/// The session that a scope leads to.
pub(super) fn route<R: Rows>(
    rows: &R,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Option<SessionKey>> {
    let key = route_key(owner, scope);
    sealed(rows, Table::Routes, &key, format::decode_key)
}

/// Whether a route leads to the session of this head rightly.
pub(super) fn leads_to(route: &[u8], head: &Head) -> bool {
    let wait = head.wait.as_ref();
    wait.is_some_and(|wait| route_key(&head.owner, &wait.scope) == route)
}

pub(super) fn message<R: Rows>(
    rows: &R,
    owner: &Owner,
    message: &MessageDigest,
) -> SessionResult<Option<MessageRow>> {
    let key = message_key(owner, message);
    sealed(rows, Table::Messages, &key, MessageRow::decode)
}

pub(super) fn route_key(owner: &Owner, scope: &ScopeDigest) -> Vec<u8> {
    owner_key(owner).raw(scope.as_bytes()).into_vec()
}

pub(super) fn message_key(owner: &Owner, message: &MessageDigest) -> Vec<u8> {
    owner_key(owner).raw(&message.0).into_vec()
}

pub(super) fn numbered_key(owner: &Owner, number: u64) -> Vec<u8> {
    owner_key(owner).u64(number).into_vec()
}

impl<R: Rows> View for R {
    fn head(&self, key: &SessionKey) -> SessionResult<Option<Head>> {
        let bytes = key.as_str().as_bytes();
        self.get(Table::Sessions, bytes, |value| {
            unseal(bytes, value)
                .and_then(format::decode_head)
                .map_err(|damage| payload::unreadable(key, damage.0))
        })
    }

    fn session(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        let head = self.head(key)?;
        head.map(|head| session_of(self, key, &head)).transpose()
    }

    /// A route whose session does not wait there leads nowhere.
    fn routed(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
        except: Option<&SessionKey>,
    ) -> SessionResult<Option<(SessionKey, Head)>> {
        let routed = route(self, owner, scope)?.filter(|key| except != Some(key));
        let Some(key) = routed else { return Ok(None) };
        let head = self
            .head(&key)?
            .filter(|head| leads_to(&route_key(owner, scope), head));
        Ok(head.map(|head| (key, head)))
    }

    fn all_routed(&self, owner: &Owner) -> SessionResult<Vec<(SessionKey, Head)>> {
        let prefix = owner_key(owner).into_vec();
        let mut routed = Vec::new();
        for row in self.starting_with(Table::Routes, &prefix, usize::MAX)? {
            let key = unseal(&row.key, &row.value)
                .and_then(format::decode_key)
                .map_err(|damage| unreadable_row(Table::Routes, damage))?;
            let head = self.head(&key)?.filter(|head| leads_to(&row.key, head));
            routed.extend(head.map(|head| (key, head)));
        }
        Ok(routed)
    }

    fn latest_created(&self, owner: &Owner) -> SessionResult<Option<SessionKey>> {
        Ok(owner_state(self, owner)?.latest_created)
    }

    fn remembered(
        &self,
        owner: &Owner,
        digest: &MessageDigest,
    ) -> SessionResult<Option<Remembered>> {
        let row = message(self, owner, digest)?;
        Ok(row.map(|row| Remembered {
            message: *digest,
            secret: row.secret,
            until: row.until,
        }))
    }

    fn messages(&self, owner: &Owner) -> SessionResult<Vec<Remembered>> {
        let prefix = owner_key(owner).into_vec();
        let mut messages = Vec::new();
        for row in self.starting_with(Table::Ages, &prefix, usize::MAX)? {
            let digest = unseal(&row.key, &row.value)
                .and_then(format::decode_digest)
                .map_err(|damage| unreadable_row(Table::Ages, damage))?;
            messages.extend(self.remembered(owner, &digest)?);
        }
        Ok(messages)
    }
}
