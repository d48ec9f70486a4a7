//! Walks over sessions and owners, for scans, exports and erasures.

use std::sync::Arc;

use greentic_types::{ErrorCode, GreenticError, SessionKey};

use super::check::quarantined;
use super::walk_tables::{ScanPosition, walk_tables};
use crate::admin::{Finding, FindingKind, ScanCursor};
#[cfg(feature = "encryption")]
use crate::backend::StoredBody;
use crate::backend::durable::file::read_state;
use crate::backend::durable::format::{
    Table, decode_head, decode_session_key, split_owner_key, unseal, unseal_payload,
};
use crate::backend::durable::rows::{Row, Rows, Snapshot, owner_state, unreadable_row};
use crate::backend::{Depth, Detail, Entry, OwnerEntry, WalkPage};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::payload::{self, Summary};
use crate::rules::View;
use crate::sealing::{Sealing, summary_of};
use crate::session::Session;

fn unreadable(table: Table, session: Option<SessionKey>, reason: &str) -> Finding {
    Finding::new(FindingKind::Unreadable, table.name(), session, reason)
}

/// Reads the session of a row of `sessions`, or says why it cannot be read. An error of the storage
/// ends the walk.
fn found(snapshot: &Snapshot, depth: Depth, row: &Row) -> Result<Entry, Box<Finding>> {
    let key = decode_session_key(&row.key);
    let key = key.map_err(|damage| Box::new(unreadable(Table::Sessions, None, damage.0)))?;
    let finding = |reason: &str| Box::new(unreadable(Table::Sessions, Some(key.clone()), reason));
    let failed = |error: GreenticError| finding(&error.message);
    let head = unseal(&row.key, &row.value).and_then(decode_head);
    let head = head.map_err(|damage| finding(damage.0))?;
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
        _ => {
            let stored = snapshot.get(Table::Payloads, &row.key, |value| {
                unseal_payload(&key, value).map(<[u8]>::to_vec)
            });
            let missing = || finding("its data is missing");
            let stored = stored.map_err(failed)?.ok_or_else(missing)?;
            found.detail = Detail::Stored(stored);
            if depth != Depth::Full {
                return Ok(found);
            }
            let state = owner_state(snapshot, &found.head.owner).map_err(failed)?;
            found.latest = state.latest_created.as_ref() == Some(&key);
            let state = read_state(snapshot.tables.table(Table::Meta));
            let state = state.map_err(|error| failed(snapshot.file.storage_error(&error)))?;
            found.fencing = state.and_then(Result::ok).map_or(0, |state| state.number);
        }
    }
    Ok(found)
}

fn summary(snapshot: &Snapshot, key: &SessionKey) -> SessionResult<Summary> {
    let read = snapshot.get(Table::Payloads, key.as_str().as_bytes(), |value| {
        let json = unseal_payload(key, value)?;
        summary_of(key, json, json.len())
    })?;
    read.ok_or_else(|| payload::unreadable(key, "its data is missing"))
}

fn found_owner(snapshot: &Snapshot, row: &Row) -> SessionResult<OwnerEntry> {
    let owner = split_owner_key(&row.key).map(|(owner, _)| owner);
    let owner = owner.map_err(|damage| unreadable_row(Table::Owners, damage))?;
    let messages = snapshot.messages(&owner)?;
    let mut found = OwnerEntry::new(owner, messages);
    found.queued = u64::from(owner_state(snapshot, &found.owner)?.queued);
    Ok(found)
}

/// Adds the bodies of the messages in the queues of an owner, as they are stored.
#[cfg(feature = "encryption")]
fn with_bodies(snapshot: &Snapshot, mut found: OwnerEntry) -> SessionResult<OwnerEntry> {
    let inbox = snapshot.inbox(&found.owner)?.unwrap_or_default();
    for queued in inbox.all() {
        let bytes = snapshot.body(&found.owner, queued.body)?;
        found.bodies.extend(bytes.map(|bytes| StoredBody {
            message: queued.message,
            number: queued.body,
            bytes,
        }));
    }
    Ok(found)
}

/// Reads what a depth needs of an owner.
fn read_owner(snapshot: &Snapshot, depth: Depth, row: &Row) -> SessionResult<OwnerEntry> {
    let found = found_owner(snapshot, row)?;
    match depth {
        #[cfg(feature = "encryption")]
        Depth::Stored => with_bodies(snapshot, found),
        Depth::Summary | Depth::Heads | Depth::Full => Ok(found),
    }
}

const WALKED: [Table; 3] = [Table::Sessions, Table::Owners, Table::Quarantine];

/// Reads the next sessions, and at most depths the owners after them.
pub fn walk(
    snapshot: &Snapshot,
    now: Timestamp,
    depth: Depth,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<WalkPage> {
    // A scan lists sessions alone.
    let tables = match depth {
        Depth::Summary => &WALKED[..1],
        Depth::Full => &WALKED[..2],
        #[cfg(feature = "encryption")]
        Depth::Stored => &WALKED[..2],
        // An erasure reports what was set aside, because it may be of the owner.
        Depth::Heads => &WALKED[..],
    };
    let mut walked = WalkPage::new(now);
    let position = ScanPosition::of(after, tables)?;
    (walked.next, walked.progress) =
        walk_tables(snapshot, tables, position, limit, |table, rows| {
            for row in rows {
                match table {
                    Table::Quarantine => {
                        walked
                            .unreadable
                            .push(quarantined().finding(table, &row.key));
                    }
                    Table::Owners => match read_owner(snapshot, depth, &row) {
                        Ok(owner) => walked.owners.push(owner),
                        Err(error) => {
                            let finding = unreadable(table, None, &error.message);
                            walked.unreadable.push(finding);
                            // An erasure removes also what it cannot read.
                            let owner = split_owner_key(&row.key).map(|(owner, _)| owner);
                            let owner = owner.ok().filter(|_| depth == Depth::Heads);
                            let entry = |owner| OwnerEntry::new(owner, Vec::new());
                            walked.owners.extend(owner.map(entry));
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

/// Opens what a walk has read of sessions and replies.
///
/// # Errors
/// `Unavailable` if the vault does not answer.
pub async fn open_page(sealing: &Sealing, mut walked: WalkPage) -> SessionResult<WalkPage> {
    let mut sessions = Vec::with_capacity(walked.sessions.len());
    for mut found in walked.sessions {
        if let Detail::Stored(stored) = &found.detail {
            let (head, key) = (&found.head, &found.key);
            match sealing.opened_session(&head.owner, key, stored).await {
                Ok(data) => {
                    found.detail = Detail::Session(Arc::new(Session {
                        key: key.clone(),
                        data,
                        revision: head.revision,
                        deadline: head.deadline,
                    }));
                }
                Err(error) if error.code == ErrorCode::Unavailable => return Err(error),
                Err(error) => {
                    let key = Some(key.clone());
                    let finding = unreadable(Table::Sessions, key, &error.message);
                    walked.unreadable.push(finding);
                    continue;
                }
            }
        }
        sessions.push(found);
    }
    walked.sessions = sessions;
    for owner in &mut walked.owners {
        let errors = owner.open_replies(sealing).await?.into_iter();
        let finding = |error: GreenticError| unreadable(Table::Replies, None, &error.message);
        walked.unreadable.extend(errors.map(finding));
    }
    Ok(walked)
}

/// Reads one session, as a walk at this depth does.
pub fn walk_one(
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
