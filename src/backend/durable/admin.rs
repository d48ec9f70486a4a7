//! The operator's verbs: walks over the rows of a commit, in order of their keys.

use greentic_types::{GreenticError, SessionKey};

use super::format::{decode_head, decode_key, split_owner_key, unseal};
use super::store::DurableSessionStore;
use super::tables::{Table, read_state};
use super::verify;
use super::view::{Row, Rows, Snapshot, owner_state, session_of};
use crate::admin::{
    Finding, FindingKind, ImportOutcome, Progress, RevokeOutcome, ScanCursor, VerifyMode,
    VerifyPage, unknown_cursor,
};
use crate::backend::{Admin, Backend, Depth, Detail, Entry, OwnerEntry, WalkPage};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::payload::{self, Summary};
use crate::request;
use crate::rules::{self, Erased, View};

/// A place in a walk over tables: after this key of this table.
pub(super) struct Mark {
    table: Table,
    after: Option<Vec<u8>>,
    /// How many rows are behind.
    seen: u64,
}

impl Mark {
    const fn start(table: Table, seen: u64) -> Self {
        Self {
            table,
            after: None,
            seen,
        }
    }

    /// Reads a cursor: the number of the table, the key in hex, and how many rows are behind.
    pub fn of(cursor: Option<&ScanCursor>, tables: &[Table]) -> SessionResult<Self> {
        match (cursor, tables.first()) {
            (None, Some(first)) => Ok(Self::start(*first, 0)),
            (Some(cursor), _) => Self::parse(cursor.as_str(), tables).ok_or_else(unknown_cursor),
            (None, None) => Err(unknown_cursor()),
        }
    }

    fn parse(text: &str, tables: &[Table]) -> Option<Self> {
        let (number, rest) = text.split_once(':')?;
        let (key, seen) = rest.split_once(':')?;
        let number = number.strip_prefix('t')?.parse().ok()?;
        let table = Table::from_number(number)?;
        let after = Some(hex::decode(key).ok()?);
        let seen = seen.parse().ok()?;
        let mark = Self { table, after, seen };
        tables.contains(&table).then_some(mark)
    }

    fn cursor(&self) -> ScanCursor {
        let key = self.after.as_deref().unwrap_or_default();
        let (table, key) = (self.table.number(), hex::encode(key));
        ScanCursor::new(format!("t{table}:{key}:{}", self.seen))
    }
}

/// Shows the next `limit` rows of some tables, one after the other, and tells where to go on, and how
/// much is behind.
pub(super) fn tour(
    snapshot: &Snapshot,
    tables: &[Table],
    mut mark: Mark,
    limit: usize,
    mut show: impl FnMut(Table, Vec<Row>) -> SessionResult<()>,
) -> SessionResult<(Option<ScanCursor>, Progress)> {
    let mut left = limit;
    loop {
        let rows = snapshot.after(mark.table, mark.after.as_deref(), left)?;
        let seen = rows.len();
        let last = rows.last().map(|row| row.key.clone());
        show(mark.table, rows)?;
        mark.seen = mark.seen.saturating_add(seen as u64);
        if seen >= left {
            mark.after = last;
            let progress = Progress::part(mark.seen as f64, snapshot.rows(tables)? as f64);
            return Ok((Some(mark.cursor()), progress));
        }
        left -= seen;
        let position = tables.iter().position(|table| *table == mark.table);
        match position.and_then(|position| tables.get(position + 1)) {
            Some(next) => mark = Mark::start(*next, mark.seen),
            None => return Ok((None, Progress::COMPLETE)),
        }
    }
}

fn unreadable(table: Table, session: Option<SessionKey>, reason: &str) -> Finding {
    Finding::new(FindingKind::Unreadable, table.name(), session, reason)
}

/// What a walk found, or why it cannot be read. Trouble with the storage ends the walk.
fn found(snapshot: &Snapshot, depth: Depth, row: &Row) -> Result<Entry, Box<Finding>> {
    let key = decode_key(&row.key);
    let key = key.map_err(|damage| Box::new(unreadable(Table::Sessions, None, damage.0)))?;
    let told = |reason: &str| Box::new(unreadable(Table::Sessions, Some(key.clone()), reason));
    let failed = |error: GreenticError| told(&error.message);
    let head = unseal(&row.key, &row.value).and_then(decode_head);
    let head = head.map_err(|damage| told(damage.0))?;
    let mut found = Entry {
        key: key.clone(),
        latest: false,
        fencing: 0,
        detail: Detail::None,
        head,
    };
    match depth {
        Depth::Heads => {}
        Depth::Summary => {
            let summary = summary(snapshot, &key).map_err(failed)?;
            found.detail = Detail::Summary(summary);
        }
        Depth::Full => {
            let session = session_of(snapshot, &key, &found.head).map_err(failed)?;
            found.detail = Detail::Session(session);
            let state = owner_state(snapshot, &found.head.owner).map_err(failed)?;
            found.latest = state.latest_created.as_ref() == Some(&key);
            let state = read_state(snapshot.tables.table(Table::Meta));
            let state = state.map_err(|error| failed(snapshot.place.storage_error(&error)))?;
            found.fencing = state.and_then(Result::ok).map_or(0, |state| state.number);
        }
    }
    Ok(found)
}

fn summary(snapshot: &Snapshot, key: &SessionKey) -> SessionResult<Summary> {
    let bytes = key.as_str().as_bytes();
    let read = snapshot.get(Table::Payloads, bytes, |value| {
        let json = unseal(bytes, value).map_err(|damage| payload::unreadable(key, damage.0))?;
        payload::summary(key, json, json.len())
    })?;
    read.ok_or_else(|| payload::unreadable(key, "its data is missing"))
}

fn found_owner(snapshot: &Snapshot, row: &Row) -> SessionResult<OwnerEntry> {
    let owner = split_owner_key(&row.key).map(|(owner, _)| owner);
    let owner = owner.map_err(|damage| super::view::unreadable_row(Table::Owners, damage))?;
    let messages = snapshot.messages(&owner)?;
    Ok(OwnerEntry::new(owner, messages))
}

const WALKED: [Table; 2] = [Table::Sessions, Table::Owners];

fn walk(
    snapshot: &Snapshot,
    now: Timestamp,
    depth: Depth,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<WalkPage> {
    // A scan is about sessions alone.
    let tables = match depth {
        Depth::Summary => &WALKED[..1],
        Depth::Heads | Depth::Full => &WALKED[..],
    };
    let mut walked = WalkPage::new(now);
    let mark = Mark::of(after, tables)?;
    (walked.next, walked.progress) = tour(snapshot, tables, mark, limit, |table, rows| {
        for row in rows {
            match table {
                Table::Owners => match found_owner(snapshot, &row) {
                    Ok(owner) => walked.owners.push(owner),
                    Err(error) => {
                        let finding = unreadable(table, None, &error.message);
                        walked.unreadable.push(finding);
                    }
                },
                _ => match found(snapshot, depth, &row) {
                    Ok(found) => walked.sessions.push(found),
                    Err(finding) => walked.unreadable.push(*finding),
                },
            }
        }
        Ok(())
    })?;
    Ok(walked)
}

/// One session, as a walk at this depth sees it.
fn look(
    snapshot: &Snapshot,
    now: Timestamp,
    depth: Depth,
    key: &SessionKey,
) -> SessionResult<WalkPage> {
    let key = key.as_str().as_bytes();
    let row = snapshot.get(Table::Sessions, key, |value| {
        Ok(Row {
            key: key.to_vec(),
            value: value.to_vec(),
        })
    })?;
    let mut walked = WalkPage::new(now);
    match row.map(|row| found(snapshot, depth, &row)) {
        Some(Ok(found)) => walked.sessions.push(found),
        Some(Err(finding)) => walked.unreadable.push(*finding),
        None => {}
    }
    Ok(walked)
}

impl Admin for DurableSessionStore {
    async fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<WalkPage> {
        self.read(|snapshot, now| walk(snapshot, now, depth, after, limit))
            .await
    }

    async fn walk_one(&self, key: &SessionKey) -> SessionResult<WalkPage> {
        self.read(|snapshot, now| look(snapshot, now, Depth::Summary, key))
            .await
    }

    async fn erase_owner(
        &self,
        owner: &Owner,
        request: request::EraseOwner,
    ) -> SessionResult<Erased> {
        let owner = owner.clone();
        self.write(move |ledger, now| rules::erase_owner(ledger, now, &owner, request))
            .await
    }

    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        let (mut page, faulty) = self
            .read(|snapshot, _now| verify::page(snapshot, after, limit))
            .await?;
        if mode == VerifyMode::Repair && !faulty.is_empty() {
            page.findings = self
                .write(move |ledger, _now| super::repair::repair(ledger, faulty))
                .await?;
        }
        Ok(page)
    }

    async fn extend(&self, request: request::Extend) -> SessionResult<Option<Timestamp>> {
        self.write(move |ledger, now| rules::extend(ledger, now, &request))
            .await
    }

    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        let key = key.clone();
        self.write(move |ledger, now| rules::revoke(ledger, now, &key))
            .await
    }

    async fn import(&self, request: request::Import) -> SessionResult<ImportOutcome> {
        self.write(|ledger, now| rules::import(ledger, now, request))
            .await
    }

    async fn import_messages(&self, request: request::ImportMessages) -> SessionResult<()> {
        let options = *self.options();
        self.write(move |ledger, now| rules::import_messages(ledger, now, &options, request))
            .await
    }
}
