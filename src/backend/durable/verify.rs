//! Walks all rows and compares them with each other.

use std::fmt;

use greentic_types::{GreenticError, SessionKey};
use redb::ReadableTable;

use super::admin::{Mark, tour};
use super::format::{
    Damage, Due, MessageRow, OwnerState, decode_digest, decode_head, decode_key, split_owner_key,
    unseal,
};
use super::tables::{ReadTables, Table};
use super::view::{Rows, Snapshot, leads_to, message, numbered_key, owner_state, route_key};
use crate::admin::{Finding, FindingKind, ScanCursor, VerifyPage};
use crate::error::{SessionResult, printable};
use crate::rules::{Head, View};

/// Two rows of the file that contradict each other, or one that cannot be read.
///
/// It tells the table and what is wrong; of the keys only session keys are told (C18).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inconsistency {
    /// The table of the row that was looked at.
    pub table: &'static str,
    /// The session that it is about, if it is about one.
    pub session: Option<SessionKey>,
    /// What is wrong, in a few words.
    pub reason: String,
}

impl fmt::Display for Inconsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.reason)?;
        match &self.session {
            Some(key) => write!(f, " (session {})", printable(key)),
            None => Ok(()),
        }
    }
}

/// Tells everything that is wrong with a commit.
pub(super) fn inconsistencies(snapshot: &Snapshot) -> SessionResult<Vec<Inconsistency>> {
    let mut found = Vec::new();
    let mut report = |table: Table, session, reason: &str| {
        found.push(Inconsistency {
            table: table.name(),
            session,
            reason: reason.to_owned(),
        });
    };
    let mut bytes = 0;
    for table in CHECKED {
        let failed = |error: redb::StorageError| snapshot.place.storage_error(&error.into());
        for entry in snapshot.tables.table(table).iter().map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            let (key, value) = (key.value(), value.value());
            bytes += u64::try_from(key.len() + value.len()).unwrap_or_default();
            if let Err(fault) = Check(snapshot).row(table, key, value) {
                report(table, session_of_row(table, key), &fault.reason);
            }
        }
    }
    let place = &snapshot.place;
    let state = super::tables::read_state(snapshot.tables.table(Table::Meta));
    match state.map_err(|error| place.storage_error(&error))? {
        Some(Ok(state)) if state.live_bytes == bytes => {}
        Some(Ok(_)) => report(Table::Meta, None, "the count of live bytes is wrong"),
        Some(Err(damage)) => report(Table::Meta, None, damage.0),
        None => report(Table::Meta, None, "the state is missing"),
    }
    Ok(found)
}

/// The session that a row belongs to, if it belongs to one alone.
pub(super) fn session_of_row(table: Table, key: &[u8]) -> Option<SessionKey> {
    let by_session = matches!(table, Table::Sessions | Table::Payloads);
    by_session.then(|| decode_key(key).ok()).flatten()
}

/// Every table but that of the store's own state. Those from which others are made come first, so
/// that one run repairs all.
const CHECKED: [Table; 7] = [
    Table::Sessions,
    Table::Payloads,
    Table::Messages,
    Table::Routes,
    Table::Ages,
    Table::Due,
    Table::Owners,
];

/// A row that is at fault.
pub(super) struct Faulty {
    pub table: Table,
    pub key: Vec<u8>,
}

/// C23: checks the next rows of one commit. The rows at fault come along, to be repaired.
pub(super) fn page(
    snapshot: &Snapshot,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<(VerifyPage, Vec<Faulty>)> {
    let (mut checked, mut findings, mut faulty) = (0, Vec::new(), Vec::new());
    let mark = Mark::of(after, &CHECKED)?;
    let (next, progress) = tour(snapshot, &CHECKED, mark, limit, |table, rows| {
        checked += rows.len() as u64;
        for row in rows {
            if let Err(fault) = Check(snapshot).row(table, &row.key, &row.value) {
                findings.push(fault.finding(table, &row.key));
                let key = row.key;
                faulty.push(Faulty { table, key });
            }
        }
        Ok(())
    })?;
    let page = VerifyPage {
        checked,
        findings,
        progress,
        next,
    };
    Ok((page, faulty))
}

/// Sessions, and owners with state of their own.
pub(super) fn count(tables: &ReadTables) -> Result<(u64, u64), redb::Error> {
    use redb::ReadableTableMetadata;
    let sessions = tables.table(Table::Sessions).len()?;
    let owners = tables.table(Table::Owners).len()?;
    Ok((sessions, owners))
}

/// What is wrong with a row.
pub(super) struct Fault {
    pub kind: FindingKind,
    pub reason: String,
    /// It is the row itself that cannot be read, and not one that it leads to.
    pub is_damaged: bool,
}

impl Fault {
    pub fn finding(self, table: Table, key: &[u8]) -> Finding {
        let session = session_of_row(table, key);
        Finding::new(self.kind, table.name(), session, self.reason)
    }
}

impl From<Damage> for Fault {
    fn from(damage: Damage) -> Self {
        Self {
            kind: FindingKind::Unreadable,
            reason: damage.0.to_owned(),
            is_damaged: true,
        }
    }
}

/// A row that this one leads to cannot be read.
impl From<GreenticError> for Fault {
    fn from(error: GreenticError) -> Self {
        Self {
            kind: FindingKind::Unreadable,
            reason: error.message,
            is_damaged: false,
        }
    }
}

type Checked = Result<(), Fault>;

fn expect(truth: bool, kind: FindingKind, otherwise: &str) -> Checked {
    if truth {
        return Ok(());
    }
    Err(Fault {
        kind,
        reason: otherwise.to_owned(),
        is_damaged: false,
    })
}

/// Compares one row with those that it leads to.
pub(super) struct Check<'a, R>(pub &'a R);

impl<R: Rows> Check<'_, R> {
    pub fn row(&self, table: Table, key: &[u8], value: &[u8]) -> Checked {
        let body = match table {
            Table::Due => value,
            _ => unseal(key, value)?,
        };
        match table {
            Table::Meta => Ok(()),
            Table::Sessions => self.session(key, body),
            Table::Payloads => self.payload(key),
            Table::Routes => self.route(key, body),
            Table::Owners => self.owner(key, body),
            Table::Messages => self.message(key, body),
            Table::Ages => self.age(key, body),
            Table::Due => self.due(key),
        }
    }

    fn head(&self, key: &SessionKey) -> Result<Head, Fault> {
        self.0.head(key)?.ok_or_else(|| Fault {
            kind: FindingKind::Dangling,
            reason: "the session is missing".to_owned(),
            is_damaged: false,
        })
    }

    fn has(&self, table: Table, key: &[u8]) -> Result<bool, Fault> {
        Ok(self.0.get(table, key, |_| Ok(()))?.is_some())
    }

    /// Whether a row leads to this; one that cannot be read leads nowhere.
    fn leads(&self, table: Table, key: &[u8], to: &[u8]) -> Result<bool, Fault> {
        let found = self.0.get(table, key, |value| {
            Ok(unseal(key, value).is_ok_and(|body| body == to))
        })?;
        Ok(found == Some(true))
    }

    fn session(&self, key: &[u8], body: &[u8]) -> Checked {
        let missing = FindingKind::Missing;
        let head = decode_head(body)?;
        let has_data = self.has(Table::Payloads, key)?;
        expect(has_data, FindingKind::Orphan, "the data is missing")?;
        let key = decode_key(key)?;
        self.0.session(&key)?;
        if let Some(deadline) = head.deadline {
            let due = Due::Session(key.clone()).key(deadline);
            let indexed = self.has(Table::Due, &due)?;
            expect(indexed, missing, "the deadline is not indexed")?;
        }
        let Some(wait) = &head.wait else {
            return Ok(());
        };
        let scope = route_key(&head.owner, &wait.scope);
        let is_routed = self.leads(Table::Routes, &scope, key.as_str().as_bytes())?;
        expect(is_routed, missing, "the wait is not routed to")?;
        let state = owner_state(self.0, &head.owner)?;
        expect(state.waits > 0, missing, "the owner is missing")
    }

    fn payload(&self, key: &[u8]) -> Checked {
        let has_head = self.has(Table::Sessions, key)?;
        expect(has_head, FindingKind::Orphan, "the session is missing")
    }

    fn route(&self, key: &[u8], body: &[u8]) -> Checked {
        let head = self.head(&decode_key(body)?)?;
        expect(
            leads_to(key, &head),
            FindingKind::Dangling,
            "the session does not wait there",
        )
    }

    fn owner(&self, key: &[u8], body: &[u8]) -> Checked {
        let missing = FindingKind::Missing;
        let state = OwnerState::decode(body)?;
        let (owner, _) = split_owner_key(key)?;
        let dangling = FindingKind::Dangling;
        expect(
            !state.is_empty(),
            dangling,
            "an owner without state was kept",
        )?;
        let count = |table| Ok::<_, Fault>(self.0.starting_with(table, key, usize::MAX)?.len());
        let counted = count(Table::Routes)? == state.waits as usize;
        expect(counted, missing, "the count of waits is wrong")?;
        let (messages, ages) = (count(Table::Messages)?, count(Table::Ages)?);
        let counted = messages == state.messages as usize;
        expect(counted, missing, "the count of messages is wrong")?;
        expect(messages == ages, missing, "messages and their ages differ")?;
        match &state.latest_created {
            Some(latest) => {
                let own = self.head(latest)?.owner == owner;
                expect(own, dangling, "the latest is another's")
            }
            None => Ok(()),
        }
    }

    fn message(&self, key: &[u8], body: &[u8]) -> Checked {
        let missing = FindingKind::Missing;
        let row = MessageRow::decode(body)?;
        let (owner, digest) = split_owner_key(key)?;
        let digest = decode_digest(digest)?;
        let age = numbered_key(&owner, row.age);
        let age = self.leads(Table::Ages, &age, &digest.0)?;
        expect(age, missing, "the age is not indexed")?;
        let due = Due::Message(owner.clone(), digest).key(row.until);
        let indexed = self.has(Table::Due, &due)?;
        expect(indexed, missing, "the end is not indexed")?;
        let state = owner_state(self.0, &owner)?;
        expect(!state.is_empty(), missing, "the owner is missing")
    }

    fn age(&self, key: &[u8], body: &[u8]) -> Checked {
        let (owner, _) = split_owner_key(key)?;
        let row = message(self.0, &owner, &decode_digest(body)?)?;
        let points_back = row.is_some_and(|row| numbered_key(&owner, row.age) == key);
        expect(points_back, FindingKind::Dangling, "the message is missing")
    }

    fn due(&self, key: &[u8]) -> Checked {
        let (at, due) = Due::from_key(key)?;
        let deadline = match &due {
            Due::Session(session) => self.head(session)?.deadline,
            Due::Message(owner, digest) => message(self.0, owner, digest)?.map(|row| row.until),
        };
        expect(
            deadline == Some(at),
            FindingKind::Dangling,
            "nothing ends then",
        )
    }
}
