//! The writes of operations over the transaction of their batch.
//!
//! What an operation writes is staged until its rule has accepted it, so that an operation that
//! fails leaves nothing in the transaction that it shares with others (C14).

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use greentic_types::{ErrorCode, GreenticError, SessionKey};

use super::changes::{Changes, Reclaimed};
use crate::backend::durable::file::{StorageErrorKind, StoreFile, error_kind, write_state};
use crate::backend::durable::format::{
    Change, Expiry, MessageRow, OwnerState, Replies, StoreState, Table, age_key, body_key,
    decode_digest, decode_scope, decode_start, due_key, encode_head, encode_inbox, encode_start,
    message_key, owner_key, queue_due_key, reply_length, route_key, seal, split_owner_key, unseal,
};
use crate::backend::durable::rows::{
    Row, Rows, WriteTables, expired_keys, inbox, message, owner_state, route, rows_with_prefix,
    unreadable_row,
};
use crate::clock::Timestamp;
use crate::envelope::clear_length;
use crate::error::SessionResult;
use crate::message_id::MessageDigest;
use crate::owner::{Owner, foreign_key};
use crate::reply::{MAX_REPLIES_BYTES, Reply};
use crate::rules::{Body, Forgotten, Head, Inbox, Ledger, Remembered, Start, Wait};
use crate::scope::ScopeDigest;
use crate::sealing::Sealing;
use crate::session::NewSession;

/// How many of an owner's oldest replies are read at once, to be dropped.
const DROPPED_AT_ONCE: usize = 16;

pub struct DurableLedger<'a, 'txn> {
    tables: WriteTables<'txn>,
    state: &'a mut StoreState,
    file: &'a StoreFile,
    sealing: &'a Sealing,
    /// The value of the row with this operation's data, if the operation's caller encoded it.
    payload: Option<Vec<u8>>,
    staged: Vec<Change>,
    reclaimed: Reclaimed,
    changes: Changes,
    storage_error: Cell<Option<StorageErrorKind>>,
}

impl<'a, 'txn> DurableLedger<'a, 'txn> {
    pub fn new(
        tables: WriteTables<'txn>,
        state: &'a mut StoreState,
        (file, sealing): (&'a StoreFile, &'a Sealing),
    ) -> Self {
        Self {
            tables,
            state,
            file,
            sealing,
            payload: None,
            staged: Vec::new(),
            reclaimed: Reclaimed::default(),
            changes: Changes::default(),
            storage_error: Cell::new(None),
        }
    }

    /// Sets the value of the row with this operation's data, which the operation's caller encoded.
    pub fn with_payload(&mut self, value: Option<Vec<u8>>) -> &mut Self {
        self.payload = value;
        self
    }

    /// Replaces the row with the data of a session, if its value is still `old`.
    #[cfg(feature = "encryption")]
    pub fn exchange_payload(
        &mut self,
        key: &SessionKey,
        old: &[u8],
        new: Vec<u8>,
    ) -> SessionResult<bool> {
        let key = key.as_str().as_bytes();
        let is_same = self.get(Table::Payloads, key, |value| Ok(value == old))?;
        if is_same != Some(true) {
            return Ok(false);
        }
        self.stage(Table::Payloads, key.to_vec(), Some(new));
        Ok(true)
    }

    /// Replaces the reply of a message, if it is still `old`. Its length in clear is the same.
    #[cfg(feature = "encryption")]
    pub fn exchange_reply(
        &mut self,
        owner: &Owner,
        digest: &MessageDigest,
        old: &Reply,
        new: &Reply,
    ) -> SessionResult<bool> {
        let Some(row) = message(self, owner, digest)? else {
            return Ok(false);
        };
        let key = age_key(owner, row.age);
        let old = seal(&key, old.bytes());
        let is_same = self.get(Table::Replies, &key, |value| Ok(value == old))?;
        if is_same != Some(true) {
            return Ok(false);
        }
        self.write(Table::Replies, key, new.bytes());
        Ok(true)
    }

    /// Replaces the stored body of a message of a queue, if it is still `old`.
    #[cfg(feature = "encryption")]
    pub fn exchange_body(
        &mut self,
        owner: &Owner,
        number: u64,
        old: &[u8],
        new: &[u8],
    ) -> SessionResult<bool> {
        let key = body_key(owner, number);
        let old = seal(&key, old);
        let is_same = self.get(Table::Bodies, &key, |value| Ok(value == old))?;
        if is_same != Some(true) {
            return Ok(false);
        }
        self.write(Table::Bodies, key, new);
        Ok(true)
    }

    /// Ends one operation: writes what it staged if it succeeded, else drops it.
    pub fn end_operation<T>(&mut self, result: SessionResult<T>) -> SessionResult<T> {
        self.payload = None;
        let staged = std::mem::take(&mut self.staged);
        let answer = result?;
        for change in &staged {
            self.apply(change)
                .map_err(|error| self.write_error(&error))?;
        }
        self.changes.all.extend(staged);
        Ok(answer)
    }

    /// Returns the memory that the last operation no longer needs.
    pub fn take_reclaimed(&mut self) -> Reclaimed {
        std::mem::take(&mut self.reclaimed)
    }

    /// Why the transaction must not be committed, if the storage failed.
    pub fn storage_error(&self) -> Option<StorageErrorKind> {
        self.storage_error.get()
    }

    pub fn into_changes(self) -> Changes {
        self.changes
    }

    pub fn has_changes(&self) -> bool {
        !self.changes.all.is_empty()
    }

    /// Returns the first keys of what has expired at `now`, at most `limit`.
    pub fn expired_keys(&self, now: Timestamp, limit: usize) -> SessionResult<Vec<Vec<u8>>> {
        expired_keys(self.tables.table(Table::Expiry), now, limit)
            .map_err(|error| self.read_error(&error))
    }

    /// Returns the first keys of what is due at `now`, at most `limit`, of waits (`due`) or queues
    /// (`queues_due`).
    pub fn due_keys(
        &self,
        table: Table,
        now: Timestamp,
        limit: usize,
    ) -> SessionResult<Vec<Vec<u8>>> {
        expired_keys(self.tables.table(table), now, limit).map_err(|error| self.read_error(&error))
    }

    /// Writes the state of the store as part of this commit, which gets an id.
    pub fn save_state(&mut self, now: Timestamp, commit: u128) -> SessionResult<()> {
        self.state.clock = self.state.clock.max(now);
        self.state.commit = commit;
        let state = *self.state;
        write_state(self.tables.table_mut(Table::Meta), &state)
            .map_err(|error| self.write_error(&error))
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

    /// The error of a failed read. A page that cannot be read fails only the operation that needs it;
    /// a storage that does not respond fails the transaction.
    fn read_error(&self, error: &redb::Error) -> GreenticError {
        if error_kind(error) == StorageErrorKind::Io {
            self.storage_error.set(Some(StorageErrorKind::Io));
        }
        self.file.storage_error(error)
    }

    /// The error of a failed write. The transaction may contain a part of it, and so fails.
    fn write_error(&self, error: &redb::Error) -> GreenticError {
        if self.storage_error.get().is_none() {
            self.storage_error.set(Some(error_kind(error)));
        }
        self.file.storage_error(error)
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

    fn move_head(&mut self, key: &SessionKey, old: Option<&Head>, new: &Head) -> SessionResult<()> {
        self.write_head(key, new);
        let expiry = Expiry::Session(key.clone());
        self.reschedule(&expiry, old.and_then(|head| head.deadline), new.deadline);
        self.reschedule_due(key, old.and_then(Head::due_at), new.due_at());
        let before = old.and_then(Head::routed_wait);
        self.move_wait(key, &new.owner, before, new.routed_wait())
    }

    /// Writes a row and nothing that is derived from it. Rows of `expiry` and `due` have no body and no
    /// seal.
    pub fn add_row(&mut self, table: Table, key: Vec<u8>, body: Option<&[u8]>) {
        match body {
            Some(body) => self.write(table, key, body),
            None => self.stage(table, key, Some(Vec::new())),
        }
    }

    /// Removes a row and nothing that is derived from it.
    pub fn remove_row(&mut self, table: Table, key: Vec<u8>) {
        self.stage(table, key, None);
    }

    fn reschedule(&mut self, expiry: &Expiry, before: Option<Timestamp>, after: Option<Timestamp>) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.remove_row(Table::Expiry, expiry.key(before));
        }
        if let Some(after) = after {
            self.add_row(Table::Expiry, expiry.key(after), None);
        }
    }

    fn reschedule_due(
        &mut self,
        key: &SessionKey,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.remove_row(Table::Due, due_key(before, key));
        }
        if let Some(after) = after {
            self.add_row(Table::Due, due_key(after, key), None);
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

    /// Writes the state of an owner, or removes the row of an empty state.
    pub fn write_owner(&mut self, owner: &Owner, state: &OwnerState) {
        let key = owner_key(owner).into_vec();
        if state.is_empty() {
            self.remove_row(Table::Owners, key);
        } else {
            self.write(Table::Owners, key, &state.encode());
        }
    }

    pub fn write_head(&mut self, key: &SessionKey, head: &Head) {
        let bytes = key.as_str().as_bytes().to_vec();
        self.write(Table::Sessions, bytes, &encode_head(head));
    }

    /// Writes the route from the wait's scope to its session.
    pub fn write_route(&mut self, owner: &Owner, wait: &Wait, key: &SessionKey) {
        let scope = route_key(owner, &wait.scope);
        self.write(Table::Routes, scope, key.as_str().as_bytes());
    }

    /// Updates the route of a session's wait. The route of another session's wait on the same scope
    /// stays.
    fn move_wait(
        &mut self,
        key: &SessionKey,
        owner: &Owner,
        before: Option<&Wait>,
        after: Option<&Wait>,
    ) -> SessionResult<()> {
        let position = |wait: Option<&Wait>| wait.map(|wait| (wait.scope, wait.order));
        if position(before) == position(after) {
            return Ok(());
        }
        if let Some(wait) = after
            && route(self, owner, &wait.scope)?.as_ref() != Some(key)
        {
            self.write_route(owner, wait, key);
        }
        if let Some(wait) = before
            && after.is_none_or(|after| after.scope != wait.scope)
            && route(self, owner, &wait.scope)?.as_ref() == Some(key)
        {
            self.remove_row(Table::Routes, route_key(owner, &wait.scope));
        }
        // A wait that replaces another leaves the count, and so the owner's row, unchanged.
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
        self.remove_row(Table::Messages, message_key(owner, digest));
        self.remove_row(Table::Ages, age_key(owner, row.age));
        let expiry = Expiry::Message(owner.clone(), *digest);
        self.remove_row(Table::Expiry, expiry.key(row.until));
        let mut state = owner_state(self, owner)?;
        state.messages = state.messages.saturating_sub(1);
        if state.replies.count > 0 {
            let key = age_key(owner, row.age);
            let length = self.get(Table::Replies, &key, |value| Ok(reply_length(value)))?;
            if let Some(length) = length {
                self.remove_row(Table::Replies, key);
                state.replies.remove(length);
            }
        }
        self.write_owner(owner, &state);
        Ok(())
    }

    /// Keeps the reply of the message with this age, and drops the oldest of too many.
    fn keep_reply(&mut self, owner: &Owner, age: u64, reply: &Reply) -> SessionResult<()> {
        let (key, prefix) = (age_key(owner, age), owner_key(owner).into_vec());
        self.write(Table::Replies, key, reply.bytes());
        let mut state = owner_state(self, owner)?;
        state.replies.add(clear_length(reply.bytes()));
        while state.replies.bytes > MAX_REPLIES_BYTES as u64 {
            let oldest = self.with_prefix(Table::Replies, &prefix, None, DROPPED_AT_ONCE)?;
            if oldest.is_empty() {
                break;
            }
            for row in oldest {
                if state.replies.bytes > MAX_REPLIES_BYTES as u64 {
                    state.replies.remove(reply_length(&row.value));
                    self.remove_row(Table::Replies, row.key);
                }
            }
        }
        self.write_owner(owner, &state);
        Ok(())
    }

    /// The age of a message. One that was committed earlier gets an age between those of the others.
    fn age(&mut self, owner: &Owner, since: Timestamp, now: Timestamp) -> SessionResult<u64> {
        if since >= now {
            return self.next_number(owner, now);
        }
        let mut age = since.as_millis();
        while self
            .get(Table::Ages, &age_key(owner, age), |_| Ok(()))?
            .is_some()
        {
            age += 1;
        }
        self.skip_numbers(age);
        Ok(age)
    }

    fn forget_oldest(&mut self, owner: &Owner, count: usize) -> SessionResult<()> {
        let prefix = owner_key(owner).into_vec();
        for row in self.with_prefix(Table::Ages, &prefix, None, count)? {
            let digest = unseal(&row.key, &row.value)
                .and_then(decode_digest)
                .map_err(|damage| unreadable_row(Table::Ages, damage))?;
            self.forget(owner, &digest)?;
        }
        Ok(())
    }
}

impl Rows for DurableLedger<'_, '_> {
    fn sealing(&self) -> &Sealing {
        self.sealing
    }

    fn get<T>(
        &self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> SessionResult<T>,
    ) -> SessionResult<Option<T>> {
        let same = |change: &&Change| change.table == table && change.key == key;
        if let Some(change) = self.staged.iter().find(same) {
            return change.value.as_deref().map(read).transpose();
        }
        let stored = redb::ReadableTable::get(self.tables.table(table), key);
        let stored = stored.map_err(|error| self.read_error(&error.into()))?;
        stored.map(|value| read(value.value())).transpose()
    }

    fn with_prefix(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> SessionResult<Vec<Row>> {
        let touched = |change: &&Change| {
            let is_after = after.is_none_or(|after| change.key.as_slice() > after);
            change.table == table && change.key.starts_with(prefix) && is_after
        };
        let staged = || self.staged.iter().filter(touched);
        let enough = limit.saturating_add(staged().count());
        let rows = rows_with_prefix(self.tables.table(table), prefix, after, enough)
            .map_err(|error| self.read_error(&error))?;
        let rows = rows.into_iter().map(|row| (row.key, Some(row.value)));
        let mut merged: BTreeMap<Vec<u8>, Option<Vec<u8>>> = rows.collect();
        merged.extend(staged().map(|change| (change.key.clone(), change.value.clone())));
        let merged = merged.into_iter();
        let rows = merged.filter_map(|(key, value)| value.map(|value| Row { key, value }));
        Ok(rows.take(limit).collect())
    }
}

impl Ledger for DurableLedger<'_, '_> {
    fn put(&mut self, session: NewSession, old: Option<&Head>, new: Head) -> SessionResult<()> {
        let bytes = session.key().as_str().as_bytes();
        if old.is_none() && self.get(Table::Sessions, bytes, |_| Ok(()))?.is_some() {
            return Err(foreign_key());
        }
        let payload = self.payload.take().ok_or_else(|| {
            let message = "the data of a session was not brought into its stored form";
            GreenticError::new(ErrorCode::Internal, message)
        })?;
        self.stage(Table::Payloads, bytes.to_vec(), Some(payload));
        self.move_head(session.key(), old, &new)?;
        self.reclaimed.session = Some(session);
        Ok(())
    }

    fn put_head(&mut self, key: &SessionKey, old: &Head, new: Head) -> SessionResult<()> {
        self.move_head(key, Some(old), &new)
    }

    fn delete(&mut self, key: &SessionKey, head: &Head) -> SessionResult<()> {
        let bytes = key.as_str().as_bytes();
        self.remove_row(Table::Sessions, bytes.to_vec());
        self.remove_row(Table::Payloads, bytes.to_vec());
        self.reschedule(&Expiry::Session(key.clone()), head.deadline, None);
        self.reschedule_due(key, head.due_at(), None);
        self.move_wait(key, &head.owner, head.routed_wait(), None)
    }

    fn set_start(
        &mut self,
        owner: &Owner,
        scope: &ScopeDigest,
        new: Option<Start>,
    ) -> SessionResult<()> {
        let key = route_key(owner, scope);
        // The sweep removes the row of `expiry` of a record that cannot be read.
        let old = self.get(Table::Starts, &key, |value| {
            Ok(unseal(&key, value).and_then(decode_start).ok())
        })?;
        let (existed, before) = (old.is_some(), old.flatten());
        let end = |start: &Start| start.keep_until;
        let expiry = Expiry::Start(owner.clone(), *scope);
        self.reschedule(&expiry, before.as_ref().map(end), new.as_ref().map(end));
        let change: fn(u32, u32) -> u32 = match &new {
            Some(start) => {
                self.write(Table::Starts, key, &encode_start(start));
                u32::saturating_add
            }
            None => {
                self.remove_row(Table::Starts, key);
                u32::saturating_sub
            }
        };
        if existed == new.is_some() {
            return Ok(());
        }
        self.change_owner(owner, |state| state.waits = change(state.waits, 1))
    }

    fn drop_starts(&mut self, owner: &Owner, limit: usize) -> SessionResult<usize> {
        let prefix = owner_key(owner).into_vec();
        let rows = self.with_prefix(Table::Starts, &prefix, None, limit)?;
        for row in &rows {
            let scope = split_owner_key(&row.key).and_then(|(_, scope)| decode_scope(scope));
            let scope = scope.map_err(|damage| unreadable_row(Table::Starts, damage))?;
            self.set_start(owner, &scope, None)?;
        }
        Ok(rows.len())
    }

    fn set_latest_created(&mut self, owner: &Owner, key: Option<&SessionKey>) -> SessionResult<()> {
        self.change_owner(owner, |state| state.latest_created = key.cloned())
    }

    /// One series of numbers for the whole store, so that they grow also for an owner whose state was
    /// removed.
    fn next_number(&mut self, _owner: &Owner, now: Timestamp) -> SessionResult<u64> {
        self.state.number = now.as_millis().max(self.state.number.saturating_add(1));
        Ok(self.state.number)
    }

    fn skip_numbers(&mut self, number: u64) {
        self.state.number = self.state.number.max(number);
    }

    fn forget_messages(&mut self, owner: &Owner, limit: usize) -> SessionResult<Forgotten> {
        let prefix = owner_key(owner).into_vec();
        let (mut messages, mut seen) = (Vec::new(), 0);
        for row in self.with_prefix(Table::Messages, &prefix, None, limit)? {
            seen += 1;
            let digest = split_owner_key(&row.key).and_then(|(_, digest)| decode_digest(digest));
            let known = unseal(&row.key, &row.value).and_then(MessageRow::decode);
            match (digest, known) {
                (Ok(digest), Ok(known)) => {
                    self.forget(owner, &digest)?;
                    messages.push(known.remembered(digest));
                }
                _ => self.remove_row(Table::Messages, row.key),
            }
        }
        if seen == limit {
            return Ok(Forgotten {
                messages,
                is_last: false,
            });
        }
        // No message is left. What was derived from those that could not be read goes too.
        for table in [Table::Ages, Table::Replies] {
            for row in self.with_prefix(table, &prefix, None, limit - seen)? {
                seen += 1;
                self.remove_row(table, row.key);
            }
        }
        let is_last = seen < limit;
        if is_last {
            self.change_owner(owner, |state| {
                (state.messages, state.replies) = (0, Replies::default());
            })?;
        }
        Ok(Forgotten { messages, is_last })
    }

    fn put_inbox(&mut self, owner: &Owner, new: Inbox, added: Vec<Body>) -> SessionResult<()> {
        let old = inbox(self, owner)?.unwrap_or_default();
        for (number, body) in added {
            self.write(Table::Bodies, body_key(owner, number), &body);
        }
        let kept: BTreeSet<u64> = new.all().map(|queued| queued.body).collect();
        for gone in old.all().filter(|queued| !kept.contains(&queued.body)) {
            self.remove_row(Table::Bodies, body_key(owner, gone.body));
        }
        let expiry = Expiry::Queues(owner.clone());
        self.reschedule(&expiry, old.first_end(), new.first_end());
        let due = |inbox: &Inbox| inbox.first_due().map(|(at, _)| queue_due_key(at, owner));
        let (before, after) = (due(&old), due(&new));
        if before != after {
            if let Some(row) = before {
                self.remove_row(Table::QueuesDue, row);
            }
            if let Some(row) = after {
                self.add_row(Table::QueuesDue, row, None);
            }
        }
        let key = owner_key(owner).into_vec();
        match new.is_empty() {
            true => self.remove_row(Table::Queues, key),
            false => self.write(Table::Queues, key, &encode_inbox(&new)),
        }
        let queued = u32::try_from(new.len()).unwrap_or(u32::MAX);
        if old.len() == new.len() {
            return Ok(());
        }
        self.change_owner(owner, |state| state.queued = queued)
    }

    /// The rows of `queues_due` and `expiry` are removed when their time comes.
    fn drop_inbox(&mut self, owner: &Owner) -> SessionResult<()> {
        let prefix = owner_key(owner).into_vec();
        for row in self.with_prefix(Table::Bodies, &prefix, None, usize::MAX)? {
            self.remove_row(Table::Bodies, row.key);
        }
        self.remove_row(Table::Queues, prefix);
        self.change_owner(owner, |state| state.queued = 0)
    }

    fn remember(
        &mut self,
        owner: &Owner,
        new: Remembered,
        since: Timestamp,
        limit: usize,
        now: Timestamp,
    ) -> SessionResult<()> {
        self.forget(owner, &new.message)?;
        let row = MessageRow {
            until: new.until,
            secret: new.secret,
            age: self.age(owner, since, now)?,
        };
        let key = message_key(owner, &new.message);
        self.write(Table::Messages, key, &row.encode());
        let age = age_key(owner, row.age);
        self.write(Table::Ages, age, &new.message.0);
        let expiry = Expiry::Message(owner.clone(), new.message);
        self.reschedule(&expiry, None, Some(row.until));
        self.change_owner(owner, |state| {
            state.messages = state.messages.saturating_add(1);
        })?;
        if let Some(reply) = &new.reply {
            self.keep_reply(owner, row.age, reply)?;
        }
        let held = usize::try_from(owner_state(self, owner)?.messages).unwrap_or(usize::MAX);
        self.forget_oldest(owner, held.saturating_sub(limit.max(1)))
    }
}
