//! Verification of all rows against each other.

use std::fmt;

use greentic_types::SessionKey;
use redb::{ReadableTable, ReadableTableMetadata, StorageError};

use super::check::{Check, FaultyRow, session_of_row};
use super::walk_tables::{ScanPosition, walk_tables};
use crate::admin::{ScanCursor, VerifyPage};
use crate::backend::durable::file::read_state;
use crate::backend::durable::format::Table;
use crate::backend::durable::rows::{ReadTables, Snapshot};
use crate::clock::Timestamp;
use crate::error::{SessionResult, printable};

/// Two rows of the file that contradict each other, or one that cannot be read.
///
/// It names the table and the reason. Of all keys only session keys are shown (C18).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inconsistency {
    /// The table of the row that was checked.
    pub table: &'static str,
    /// The session that the row belongs to, if it belongs to a single one.
    pub session: Option<SessionKey>,
    /// What is wrong.
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

/// Checks all rows of one commit.
pub fn inconsistencies(snapshot: &Snapshot, now: Timestamp) -> SessionResult<Vec<Inconsistency>> {
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
        let failed = |error: StorageError| snapshot.file.storage_error(&error.into());
        for entry in snapshot.tables.table(table).iter().map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            let (key, value) = (key.value(), value.value());
            bytes += u64::try_from(key.len() + value.len()).unwrap_or_default();
            if table == Table::Quarantine {
                continue;
            }
            if let Err(fault) = Check(snapshot, now).row(table, key, value) {
                report(table, session_of_row(table, key), &fault.reason);
            }
        }
    }
    let file = &snapshot.file;
    let state = read_state(snapshot.tables.table(Table::Meta));
    match state.map_err(|error| file.storage_error(&error))? {
        Some(Ok(state)) if state.live_bytes == bytes => {}
        Some(Ok(_)) => report(Table::Meta, None, "the count of live bytes is wrong"),
        Some(Err(damage)) => report(Table::Meta, None, damage.0),
        None => report(Table::Meta, None, "the state is missing"),
    }
    Ok(found)
}

/// Every table but `meta`. Tables from which others are derived come first, so that one run repairs
/// all.
const CHECKED: [Table; 14] = [
    Table::Sessions,
    Table::Payloads,
    Table::Messages,
    Table::Starts,
    Table::Queues,
    Table::Routes,
    Table::Ages,
    Table::Replies,
    Table::Bodies,
    Table::Expiry,
    Table::Due,
    Table::QueuesDue,
    Table::Owners,
    Table::Quarantine,
];

/// Checks the next rows of one commit (C23), and returns the rows at fault too, for repair.
pub fn page(
    snapshot: &Snapshot,
    now: Timestamp,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<(VerifyPage, Vec<FaultyRow>)> {
    let (mut checked, mut findings, mut faulty) = (0, Vec::new(), Vec::new());
    let position = ScanPosition::of(after, &CHECKED)?;
    let (next, progress) = walk_tables(snapshot, &CHECKED, position, limit, |table, rows| {
        checked += rows.len() as u64;
        for row in rows {
            if let Err(fault) = Check(snapshot, now).row(table, &row.key, &row.value) {
                findings.push(fault.finding(table, &row.key));
                let key = row.key;
                faulty.push(FaultyRow { table, key });
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

/// Counts sessions, and owners with state of their own.
pub fn count_held(tables: &ReadTables) -> Result<(u64, u64), redb::Error> {
    let sessions = tables.table(Table::Sessions).len()?;
    let owners = tables.table(Table::Owners).len()?;
    Ok((sessions, owners))
}
