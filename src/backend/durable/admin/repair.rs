//! Repair of rows that contradict each other (C23). Sessions, their data, messages and start claims
//! are the source; all other rows are derived from them. A start claim that cannot be read is removed:
//! it would end soon by itself. What else cannot be read is left, or set aside.

use std::collections::BTreeSet;

use super::check::{Check, Fault, FaultyRow, count_replies, quarantine_key};
use crate::admin::{Finding, FindingKind, VerifyMode};
use crate::backend::durable::format::{
    Expiry, MessageRow, OwnerState, Table, age_key, body_key, decode_digest, decode_head,
    decode_inbox, decode_scope, decode_session_key, decode_start, due_key, owner_key,
    queue_due_key, route_key, split_owner_key, unseal,
};
use crate::backend::durable::rows::{Rows, leads_to, owner_state, route};
use crate::backend::durable::writer::DurableLedger;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::rules::{Ledger, View, delete_session};

/// Checks each row again, now that no other operation writes, and does to those still at fault what the
/// mode says. An owner whose rows changed is counted once, at the end.
pub fn repair(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    mode: VerifyMode,
    rows: Vec<FaultyRow>,
) -> SessionResult<Vec<Finding>> {
    let (mut findings, mut owners) = (Vec::new(), BTreeSet::new());
    for row in rows {
        let Some(fault) = fault_of(ledger, now, &row)? else {
            continue;
        };
        // Derived rows are written again; rows that cannot be derived stay (C17).
        let derived = !matches!(
            row.table,
            Table::Sessions
                | Table::Payloads
                | Table::Messages
                | Table::Replies
                | Table::Queues
                | Table::Bodies
        );
        let readable = fault.kind != FindingKind::Unreadable;
        let repairable = readable || (fault.is_damaged && derived);
        let is_lost = fault.is_damaged && !derived;
        let is_aside = fault.kind == FindingKind::Quarantined;
        let mut finding = fault.finding(row.table, &row.key);
        if is_aside {
            if mode == VerifyMode::Discard {
                ledger.remove_row(row.table, row.key);
                finding.repaired = true;
            }
        } else if is_lost && mode == VerifyMode::Quarantine {
            set_aside(ledger, now, &row)?;
            finding.kind = FindingKind::Quarantined;
            finding.repaired = true;
        } else if repairable && mode.repairs() {
            owners.extend(repair_row(ledger, now, &row)?);
            findings.push((finding, Some(row)));
            continue;
        }
        findings.push((finding, None));
    }
    for owner in &owners {
        recount(ledger, owner)?;
    }
    let result = |(mut finding, row): (Finding, Option<FaultyRow>)| {
        if let Some(row) = row {
            finding.repaired = fault_of(ledger, now, &row)?.is_none();
        }
        Ok(finding)
    };
    findings.into_iter().map(result).collect()
}

/// Sets a row aside as it is; the data of a session together with its head.
fn set_aside(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    row: &FaultyRow,
) -> SessionResult<()> {
    let tables: &[Table] = match row.table {
        Table::Sessions | Table::Payloads => &[Table::Sessions, Table::Payloads],
        _ => &[row.table],
    };
    for table in tables {
        if let Some(value) = ledger.get(*table, &row.key, |value| Ok(value.to_vec()))? {
            let aside = quarantine_key(now, *table, &row.key);
            ledger.add_row(Table::Quarantine, aside, Some(&value));
            ledger.remove_row(*table, row.key.clone());
        }
    }
    Ok(())
}

fn fault_of(
    ledger: &DurableLedger<'_, '_>,
    now: Timestamp,
    row: &FaultyRow,
) -> SessionResult<Option<Fault>> {
    let value = ledger.get(row.table, &row.key, |value| Ok(value.to_vec()))?;
    let fault = |value: Vec<u8>| Check(ledger, now).row(row.table, &row.key, &value).err();
    Ok(value.and_then(fault))
}

/// Repairs a row. Returns the owner whose rows may have changed in number.
fn repair_row(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    row: &FaultyRow,
) -> SessionResult<Option<Owner>> {
    match row.table {
        Table::Sessions => session(ledger, &row.key),
        Table::Messages => message(ledger, &row.key),
        Table::Starts => start(ledger, &row.key),
        Table::Owners => Ok(owner_of(&row.key)),
        Table::Meta | Table::Quarantine => Ok(None),
        Table::Queues => queues(ledger, now, &row.key),
        Table::Payloads | Table::Bodies | Table::Expiry | Table::Due | Table::QueuesDue => {
            ledger.remove_row(row.table, row.key.clone());
            Ok(None)
        }
        Table::Routes => {
            ledger.remove_row(row.table, row.key.clone());
            Ok(owner_of(&row.key))
        }
        Table::Ages => {
            // Its reply was checked before, on the same page, and would stay without it.
            ledger.remove_row(Table::Replies, row.key.clone());
            ledger.remove_row(row.table, row.key.clone());
            Ok(owner_of(&row.key))
        }
        Table::Replies => {
            if ledger.get(Table::Ages, &row.key, |_| Ok(()))?.is_none() {
                ledger.remove_row(row.table, row.key.clone());
            }
            Ok(owner_of(&row.key))
        }
    }
}

fn session(ledger: &mut DurableLedger<'_, '_>, bytes: &[u8]) -> SessionResult<Option<Owner>> {
    let value = ledger.get(Table::Sessions, bytes, |value| Ok(value.to_vec()))?;
    let head = value.and_then(|value| unseal(bytes, &value).and_then(decode_head).ok());
    let (Some(head), Ok(key)) = (head, decode_session_key(bytes)) else {
        return Ok(None);
    };
    if ledger.get(Table::Payloads, bytes, |_| Ok(()))?.is_none() {
        delete_session(ledger, &key, &head)?;
        return Ok(None);
    }
    if let Some(deadline) = head.deadline {
        ledger.add_row(
            Table::Expiry,
            Expiry::Session(key.clone()).key(deadline),
            None,
        );
    }
    if let Some(at) = head.due_at() {
        ledger.add_row(Table::Due, due_key(at, &key), None);
    }
    let Some(wait) = head.routed_wait() else {
        return Ok(None);
    };
    // A route that cannot be read counts as missing.
    let routed = route(ledger, &head.owner, &wait.scope).ok().flatten();
    let other = match routed.filter(|routed| *routed != key) {
        Some(other) => ledger.head(&other)?.map(|head| (other, head)),
        None => None,
    };
    let scope = route_key(&head.owner, &wait.scope);
    let other = other.filter(|(_, other)| leads_to(&scope, other));
    // Of two sessions that wait on one scope, the newer wait stays; the routed one if both are as old.
    match other {
        Some((_, other)) if other.order() >= head.order() => {
            ledger.write_head(&key, &head.displaced());
        }
        other => {
            if let Some((key, displaced)) = other {
                ledger.write_head(&key, &displaced.displaced());
            }
            ledger.write_route(&head.owner, wait, &key);
        }
    }
    Ok(Some(head.owner))
}

fn message(ledger: &mut DurableLedger<'_, '_>, key: &[u8]) -> SessionResult<Option<Owner>> {
    let value = ledger.get(Table::Messages, key, |value| Ok(value.to_vec()))?;
    let row = value.and_then(|value| unseal(key, &value).and_then(MessageRow::decode).ok());
    let parts = split_owner_key(key).and_then(|(owner, rest)| Ok((owner, decode_digest(rest)?)));
    let (Some(row), Ok((owner, digest))) = (row, parts) else {
        return Ok(None);
    };
    let age = age_key(&owner, row.age);
    ledger.add_row(Table::Ages, age, Some(&digest.0));
    let expiry = Expiry::Message(owner.clone(), digest).key(row.until);
    ledger.add_row(Table::Expiry, expiry, None);
    Ok(Some(owner))
}

fn start(ledger: &mut DurableLedger<'_, '_>, key: &[u8]) -> SessionResult<Option<Owner>> {
    let value = ledger.get(Table::Starts, key, |value| Ok(value.to_vec()))?;
    let start = value.and_then(|value| unseal(key, &value).and_then(decode_start).ok());
    let parts = split_owner_key(key).and_then(|(owner, rest)| Ok((owner, decode_scope(rest)?)));
    let Ok((owner, scope)) = parts else {
        ledger.remove_row(Table::Starts, key.to_vec());
        return Ok(None);
    };
    match start {
        Some(start) => {
            let expiry = Expiry::Start(owner.clone(), scope).key(start.keep_until);
            ledger.add_row(Table::Expiry, expiry, None);
        }
        None => ledger.remove_row(Table::Starts, key.to_vec()),
    }
    Ok(Some(owner))
}

/// Writes the index entries of an owner's queues again, all of them due now. A message without a body is
/// dropped.
fn queues(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    key: &[u8],
) -> SessionResult<Option<Owner>> {
    let value = ledger.get(Table::Queues, key, |value| Ok(value.to_vec()))?;
    let row = value.and_then(|value| unseal(key, &value).and_then(decode_inbox).ok());
    let (Some(mut inbox), Some(owner)) = (row, owner_of(key)) else {
        return Ok(None);
    };
    let mut lost = Vec::new();
    for queued in inbox.all() {
        let body = body_key(&owner, queued.body);
        if ledger.get(Table::Bodies, &body, |_| Ok(()))?.is_none() {
            lost.push(queued.body);
        }
    }
    for queue in inbox.queues.values_mut() {
        queue.messages.retain(|queued| !lost.contains(&queued.body));
        queue.due = Some(now);
    }
    inbox.dead.retain(|dead| !lost.contains(&dead.queued.body));
    inbox.drop_empty();
    ledger.put_inbox(&owner, inbox.clone(), Vec::new())?;
    // Also where the row said already what is to be indexed.
    if let Some((at, _)) = inbox.first_due() {
        ledger.add_row(Table::QueuesDue, queue_due_key(at, &owner), None);
    }
    if let Some(at) = inbox.first_end() {
        let expiry = Expiry::Queues(owner.clone()).key(at);
        ledger.add_row(Table::Expiry, expiry, None);
    }
    Ok(Some(owner))
}

/// The owner that a key names.
fn owner_of(key: &[u8]) -> Option<Owner> {
    split_owner_key(key).ok().map(|(owner, _)| owner)
}

/// Counts the messages in the queues of an owner. A row that cannot be read counts as one.
fn queued(ledger: &DurableLedger<'_, '_>, owner: &Owner) -> u32 {
    match ledger.inbox(owner) {
        Ok(inbox) => inbox.map_or(0, |inbox| u32::try_from(inbox.len()).unwrap_or(u32::MAX)),
        Err(_damage) => 1,
    }
}

/// Rewrites the state of an owner from its rows. A latest session that is missing or another owner's
/// is dropped.
fn recount(ledger: &mut DurableLedger<'_, '_>, owner: &Owner) -> SessionResult<()> {
    let prefix = owner_key(owner).into_vec();
    let count = |table| {
        let rows = ledger.with_prefix(table, &prefix, None, usize::MAX)?;
        SessionResult::Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
    };
    // A row that cannot be read counts as missing.
    let latest = owner_state(ledger, owner).ok();
    let latest = latest.and_then(|state| state.latest_created);
    let own = match &latest {
        Some(latest) => ledger
            .head(latest)?
            .is_some_and(|head| head.owner == *owner),
        None => false,
    };
    let state = OwnerState {
        waits: count(Table::Routes)?.saturating_add(count(Table::Starts)?),
        messages: count(Table::Messages)?,
        replies: count_replies(ledger, &prefix)?,
        latest_created: latest.filter(|_| own),
        queued: queued(ledger, owner),
    };
    ledger.write_owner(owner, &state);
    Ok(())
}
