//! The rules' ledger: one operation's writes over the transaction of its batch.
//!
//! What an operation writes is held back until its rule has said yes, so that an operation that
//! fails leaves nothing in the transaction that it shares with others (C14).

use greentic_types::{GreenticError, SessionKey};

use super::changes::{Change, Changes, Spent};
use super::format::{Damage, decode_digest, encode_payload, unseal};
use super::format::{Due, MessageRow, OwnerState, encode_head, owner_key, seal};
use super::place::{Place, Trouble, trouble};
use super::state::StoreState;
use super::tables::{Table, WriteTables, write_state};
use super::view::{
    Row, Rows, due_keys, message, message_key, numbered_key, owner_state, route, route_key, scan,
    unreadable_row,
};
use crate::claim::MessageDigest;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::{Owner, foreign_key};
use crate::rules::{Head, Ledger, Remembered, View, Wait};
use crate::session::NewSession;
use std::cell::Cell;

pub(super) struct DurableLedger<'a, 'txn> {
    tables: WriteTables<'txn>,
    state: &'a mut StoreState,
    place: &'a Place,
    /// The row with the data of this operation, if its caller made that.
    payload: Option<Vec<u8>>,
    staged: Vec<Change>,
    spent: Spent,
    done: Changes,
    trouble: Cell<Option<Trouble>>,
}

impl<'a, 'txn> DurableLedger<'a, 'txn> {
    /// `notes` keeps what is written, for a journal.
    pub fn new(
        tables: WriteTables<'txn>,
        state: &'a mut StoreState,
        place: &'a Place,
        notes: bool,
    ) -> Self {
        Self {
            tables,
            state,
            place,
            payload: None,
            staged: Vec::new(),
            spent: Spent::default(),
            done: Changes::new(notes),
            trouble: Cell::new(None),
        }
    }

    /// Takes the row with the data of this operation, which its caller made.
    pub fn with_payload(&mut self, row: Option<Vec<u8>>) -> &mut Self {
        self.payload = row;
        self
    }

    /// Ends one operation: keeps what it wrote if it succeeded, else drops it.
    pub fn settle<T>(&mut self, result: SessionResult<T>) -> SessionResult<T> {
        self.payload = None;
        let staged = std::mem::take(&mut self.staged);
        let answer = result?;
        for change in &staged {
            self.apply(change).map_err(|error| self.half_done(&error))?;
        }
        self.spent.changes = self.done.add(staged);
        Ok(answer)
    }

    /// What the last operation has used up.
    pub fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.spent)
    }

    /// Why the transaction must not be committed, if the storage failed on the way.
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble.get()
    }

    /// What is to be committed.
    pub fn into_changes(self) -> Changes {
        self.done
    }

    pub fn has_changes(&self) -> bool {
        self.done.are_any
    }

    /// The first keys of what is due at `now`.
    pub fn due(&self, now: Timestamp, limit: usize) -> SessionResult<Vec<Vec<u8>>> {
        due_keys(self.tables.table(Table::Due), now, limit).map_err(|error| self.failed(&error))
    }

    /// Writes the state of the store, as part of this commit; it has a name if it goes to a journal.
    pub fn save_state(&mut self, now: Timestamp, commit: Option<u128>) -> SessionResult<()> {
        self.state.clock = self.state.clock.max(now);
        self.state.commit = commit.unwrap_or(self.state.commit);
        let state = *self.state;
        write_state(self.tables.table_mut(Table::Meta), &state)
            .map_err(|error| self.half_done(&error))
    }

    fn apply(&mut self, change: &Change) -> Result<(), redb::Error> {
        let table = self.tables.table_mut(change.table);
        let size = |value: usize| u64::try_from(change.key.len() + value).unwrap_or_default();
        let (before, after) = match &change.value {
            Some(value) => {
                let before = table.insert(change.key.as_slice(), value.as_slice())?;
                let before = before.map(|old| old.value().len());
                (before, Some(value.len()))
            }
            None => {
                let before = table.remove(change.key.as_slice())?;
                (before.map(|old| old.value().len()), None)
            }
        };
        let live = self.state.live_bytes + after.map_or(0, size);
        self.state.live_bytes = live.saturating_sub(before.map_or(0, size));
        Ok(())
    }

    /// A failed read. A page that cannot be read fails the one operation that needs it; a storage
    /// that does not answer fails the transaction.
    fn failed(&self, error: &redb::Error) -> GreenticError {
        if trouble(error) == Trouble::Io {
            self.trouble.set(Some(Trouble::Io));
        }
        self.place.storage_error(error)
    }

    /// A failed write: the transaction may hold a part of it.
    fn half_done(&self, error: &redb::Error) -> GreenticError {
        if self.trouble.get().is_none() {
            self.trouble.set(Some(trouble(error)));
        }
        self.place.storage_error(error)
    }

    fn stage(&mut self, table: Table, key: Vec<u8>, value: Option<Vec<u8>>) {
        let same = |change: &&mut Change| change.table == table && change.key == key;
        match self.staged.iter_mut().find(same) {
            Some(change) => change.value = value,
            None => self.staged.push(Change { table, key, value }),
        }
    }

    fn write(&mut self, table: Table, key: Vec<u8>, body: &[u8]) {
        let value = seal(&key, body);
        self.stage(table, key, Some(value));
    }

    fn remove(&mut self, table: Table, key: Vec<u8>) {
        self.stage(table, key, None);
    }

    fn move_head(&mut self, key: &SessionKey, old: Option<&Head>, new: &Head) -> SessionResult<()> {
        self.write_head(key, new);
        let due = Due::Session(key.clone());
        self.reschedule(&due, old.and_then(|head| head.deadline), new.deadline);
        let before = old.and_then(|head| head.wait.as_ref());
        self.move_wait(key, &new.owner, before, new.wait.as_ref())
    }

    /// Writes one row alone: a repair. Rows of the index of deadlines have no body and no seal.
    pub fn add_row(&mut self, table: Table, key: Vec<u8>, body: Option<&[u8]>) {
        match body {
            Some(body) => self.write(table, key, body),
            None => self.stage(table, key, Some(Vec::new())),
        }
    }

    /// Removes one row alone: a repair.
    pub fn drop_row(&mut self, table: Table, key: Vec<u8>) {
        self.remove(table, key);
    }

    /// Removes an entry of the index of deadlines alone.
    pub fn remove_due(&mut self, key: Vec<u8>) {
        self.remove(Table::Due, key);
    }

    fn reschedule(&mut self, due: &Due, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.remove_due(due.key(before));
        }
        if let Some(after) = after {
            self.stage(Table::Due, due.key(after), Some(Vec::new()));
        }
    }

    fn change_owner(
        &mut self,
        owner: &Owner,
        change: impl FnOnce(&mut OwnerState),
    ) -> SessionResult<()> {
        let mut state = owner_state(self, owner)?;
        change(&mut state);
        self.write_owner(owner, &state);
        Ok(())
    }

    /// Writes the state of an owner; one that is empty has no row.
    pub fn write_owner(&mut self, owner: &Owner, state: &OwnerState) {
        let key = owner_key(owner).into_vec();
        if state.is_empty() {
            self.remove(Table::Owners, key);
        } else {
            self.write(Table::Owners, key, &state.encode());
        }
    }

    pub fn write_head(&mut self, key: &SessionKey, head: &Head) {
        let bytes = key.as_str().as_bytes().to_vec();
        self.write(Table::Sessions, bytes, &encode_head(head));
    }

    /// Leads from the scope to a wait.
    pub fn index_route(&mut self, owner: &Owner, wait: &Wait, key: &SessionKey) {
        let scope = route_key(owner, &wait.scope);
        self.write(Table::Routes, scope, key.as_str().as_bytes());
    }

    /// Moves the route of a session's wait; another session's wait on the same scope keeps its own.
    fn move_wait(
        &mut self,
        key: &SessionKey,
        owner: &Owner,
        before: Option<&Wait>,
        after: Option<&Wait>,
    ) -> SessionResult<()> {
        let place = |wait: Option<&Wait>| wait.map(|wait| (wait.scope, wait.order));
        if place(before) == place(after) {
            return Ok(());
        }
        if let Some(wait) = after
            && route(self, owner, &wait.scope)?.as_ref() != Some(key)
        {
            self.index_route(owner, wait, key);
        }
        if let Some(wait) = before
            && after.is_none_or(|after| after.scope != wait.scope)
            && route(self, owner, &wait.scope)?.as_ref() == Some(key)
        {
            self.remove(Table::Routes, route_key(owner, &wait.scope));
        }
        // One that takes the place of another leaves the count, and so the owner's row, as it is.
        let change: fn(u32, u32) -> u32 = match (before, after) {
            (None, _) => u32::saturating_add,
            (_, None) => u32::saturating_sub,
            _ => return Ok(()),
        };
        self.change_owner(owner, |state| state.waits = change(state.waits, 1))
    }

    /// Forgets a message of an owner (C13, C16).
    pub fn forget(&mut self, owner: &Owner, digest: &MessageDigest) -> SessionResult<()> {
        let Some(row) = message(self, owner, digest)? else {
            return Ok(());
        };
        self.remove(Table::Messages, message_key(owner, digest));
        self.remove(Table::Ages, numbered_key(owner, row.age));
        self.remove_due(Due::Message(owner.clone(), *digest).key(row.until));
        self.change_owner(owner, |state| {
            state.messages = state.messages.saturating_sub(1);
        })
    }

    fn forget_oldest(&mut self, owner: &Owner, count: usize) -> SessionResult<()> {
        let prefix = owner_key(owner).into_vec();
        for row in self.starting_with(Table::Ages, &prefix, count)? {
            let digest = unseal(&row.key, &row.value)
                .and_then(decode_digest)
                .map_err(|damage: Damage| unreadable_row(Table::Ages, damage))?;
            self.forget(owner, &digest)?;
        }
        Ok(())
    }
}

impl Rows for DurableLedger<'_, '_> {
    fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        look: impl FnOnce(&[u8]) -> SessionResult<T>,
    ) -> SessionResult<Option<T>> {
        let same = |change: &&Change| change.table == table && change.key == key;
        if let Some(change) = self.staged.iter().find(same) {
            return change.value.as_deref().map(look).transpose();
        }
        let stored = redb::ReadableTable::get(self.tables.table(table), key);
        let stored = stored.map_err(|error| self.failed(&error.into()))?;
        stored.map(|value| look(value.value())).transpose()
    }

    fn starting_with(&self, table: Table, prefix: &[u8], limit: usize) -> SessionResult<Vec<Row>> {
        let touched = |change: &&Change| change.table == table && change.key.starts_with(prefix);
        let staged = || self.staged.iter().filter(touched);
        let enough = limit.saturating_add(staged().count());
        let mut rows =
            scan(self.tables.table(table), prefix, enough).map_err(|error| self.failed(&error))?;
        for change in staged() {
            rows.retain(|row| row.key != change.key);
            if let Some(value) = &change.value {
                rows.push(Row {
                    key: change.key.clone(),
                    value: value.clone(),
                });
            }
        }
        rows.sort_by(|one, other| one.key.cmp(&other.key));
        rows.truncate(limit);
        Ok(rows)
    }
}

impl Ledger for DurableLedger<'_, '_> {
    fn put(&mut self, session: NewSession, old: Option<&Head>, new: Head) -> SessionResult<()> {
        let bytes = session.key().as_str().as_bytes();
        if old.is_none() && self.get(Table::Sessions, bytes, |_| Ok(()))?.is_some() {
            return Err(foreign_key());
        }
        let made = self.payload.take();
        let payload = made.map_or_else(|| encode_payload(&session), Ok)?;
        self.stage(Table::Payloads, bytes.to_vec(), Some(payload));
        self.move_head(session.key(), old, &new)?;
        self.spent.session = Some(session);
        Ok(())
    }

    fn put_head(&mut self, key: &SessionKey, old: &Head, new: Head) -> SessionResult<()> {
        self.move_head(key, Some(old), &new)
    }

    fn delete(&mut self, key: &SessionKey, head: &Head) -> SessionResult<()> {
        let bytes = key.as_str().as_bytes();
        self.remove(Table::Sessions, bytes.to_vec());
        self.remove(Table::Payloads, bytes.to_vec());
        self.reschedule(&Due::Session(key.clone()), head.deadline, None);
        self.move_wait(key, &head.owner, head.wait.as_ref(), None)
    }

    fn set_latest_created(&mut self, owner: &Owner, key: Option<&SessionKey>) -> SessionResult<()> {
        self.change_owner(owner, |state| state.latest_created = key.cloned())
    }

    /// One series of numbers for the whole store: they grow also for an owner that was forgotten.
    fn next_number(&mut self, _owner: &Owner, now: Timestamp) -> SessionResult<u64> {
        self.state.number = now.as_millis().max(self.state.number.saturating_add(1));
        Ok(self.state.number)
    }

    fn skip_numbers(&mut self, number: u64) {
        self.state.number = self.state.number.max(number);
    }

    fn forget_messages(&mut self, owner: &Owner) -> SessionResult<Vec<Remembered>> {
        let messages = self.messages(owner)?;
        for known in &messages {
            self.forget(owner, &known.message)?;
        }
        Ok(messages)
    }

    fn remember(
        &mut self,
        owner: &Owner,
        new: Remembered,
        limit: usize,
        now: Timestamp,
    ) -> SessionResult<()> {
        self.forget(owner, &new.message)?;
        let row = MessageRow {
            until: new.until,
            secret: new.secret,
            age: self.next_number(owner, now)?,
        };
        let key = message_key(owner, &new.message);
        self.write(Table::Messages, key, &row.encode());
        let age = numbered_key(owner, row.age);
        self.write(Table::Ages, age, &new.message.0);
        let due = Due::Message(owner.clone(), new.message);
        self.reschedule(&due, None, Some(row.until));
        self.change_owner(owner, |state| {
            state.messages = state.messages.saturating_add(1);
        })?;
        let held = usize::try_from(owner_state(self, owner)?.messages).unwrap_or(usize::MAX);
        self.forget_oldest(owner, held.saturating_sub(limit.max(1)))
    }
}
