//! Makes rows agree again (C23). The sessions are what is true; all else is made from them.

use super::format::{Due, MessageRow, OwnerState, decode_digest, decode_head, decode_key};
use super::format::{owner_key, split_owner_key, unseal};
use super::ledger::DurableLedger;
use super::tables::Table;
use super::verify::{Check, Fault, Faulty};
use super::view::{Rows, leads_to, numbered_key, owner_state, route, route_key};
use crate::admin::{Finding, FindingKind};
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::rules::View;

/// Looks at each row again, now that nobody else writes, and repairs those still at fault.
pub(super) fn repair(
    ledger: &mut DurableLedger<'_, '_>,
    rows: Vec<Faulty>,
) -> SessionResult<Vec<Finding>> {
    let mut findings = Vec::new();
    for row in rows {
        let Some(fault) = fault_of(ledger, &row)? else {
            continue;
        };
        // What leads to a session is made anew; what cannot be made anew stays (C17).
        let derived = !matches!(
            row.table,
            Table::Sessions | Table::Payloads | Table::Messages
        );
        let readable = fault.kind != FindingKind::Unreadable;
        let repairable = readable || (fault.is_damaged && derived);
        let mut finding = fault.finding(row.table, &row.key);
        if repairable {
            repair_row(ledger, &row)?;
            finding.repaired = fault_of(ledger, &row)?.is_none();
        }
        findings.push(finding);
    }
    Ok(findings)
}

fn fault_of(ledger: &DurableLedger<'_, '_>, row: &Faulty) -> SessionResult<Option<Fault>> {
    let check = |value: &[u8]| Ok(value.to_vec());
    let value = ledger.get(row.table, &row.key, check)?;
    Ok(value.and_then(|value| Check(ledger).row(row.table, &row.key, &value).err()))
}

fn repair_row(ledger: &mut DurableLedger<'_, '_>, row: &Faulty) -> SessionResult<()> {
    match row.table {
        Table::Sessions => session(ledger, &row.key),
        Table::Messages => message(ledger, &row.key),
        Table::Owners => {
            let Ok((owner, _)) = split_owner_key(&row.key) else {
                return Ok(());
            };
            recount(ledger, &owner)
        }
        Table::Meta => Ok(()),
        Table::Payloads | Table::Due => {
            ledger.drop_row(row.table, row.key.clone());
            Ok(())
        }
        Table::Routes | Table::Ages => {
            ledger.drop_row(row.table, row.key.clone());
            match split_owner_key(&row.key) {
                Ok((owner, _)) => recount(ledger, &owner),
                Err(_damage) => Ok(()),
            }
        }
    }
}

fn session(ledger: &mut DurableLedger<'_, '_>, bytes: &[u8]) -> SessionResult<()> {
    let value = ledger.get(Table::Sessions, bytes, |value| Ok(value.to_vec()))?;
    let head = value.and_then(|value| unseal(bytes, &value).and_then(decode_head).ok());
    let (Some(head), Ok(key)) = (head, decode_key(bytes)) else {
        return Ok(());
    };
    if ledger.get(Table::Payloads, bytes, |_| Ok(()))?.is_none() {
        return crate::rules::delete_session(ledger, &key, &head);
    }
    if let Some(deadline) = head.deadline {
        ledger.add_row(Table::Due, Due::Session(key.clone()).key(deadline), None);
    }
    let Some(wait) = &head.wait else {
        return Ok(());
    };
    // A route that cannot be read leads nowhere.
    let routed = route(ledger, &head.owner, &wait.scope).ok().flatten();
    let other = match routed.filter(|routed| *routed != key) {
        Some(other) => ledger.head(&other)?.map(|head| (other, head)),
        None => None,
    };
    let scope = route_key(&head.owner, &wait.scope);
    let other = other.filter(|(_, other)| leads_to(&scope, other));
    // Of two, the newer one waits; the one that is routed if neither is.
    match other {
        Some((_, other)) if other.order() >= head.order() => {
            ledger.write_head(&key, &head.displaced());
        }
        other => {
            if let Some((key, displaced)) = other {
                ledger.write_head(&key, &displaced.displaced());
            }
            ledger.index_route(&head.owner, wait, &key);
        }
    }
    recount(ledger, &head.owner)
}

fn message(ledger: &mut DurableLedger<'_, '_>, key: &[u8]) -> SessionResult<()> {
    let value = ledger.get(Table::Messages, key, |value| Ok(value.to_vec()))?;
    let row = value.and_then(|value| unseal(key, &value).and_then(MessageRow::decode).ok());
    let parts = split_owner_key(key).and_then(|(owner, rest)| Ok((owner, decode_digest(rest)?)));
    let (Some(row), Ok((owner, digest))) = (row, parts) else {
        return Ok(());
    };
    let age = numbered_key(&owner, row.age);
    ledger.add_row(Table::Ages, age, Some(&digest.0));
    let due = Due::Message(owner.clone(), digest).key(row.until);
    ledger.add_row(Table::Due, due, None);
    recount(ledger, &owner)
}

/// Counts what an owner has; a latest session that is another's or none is forgotten.
fn recount(ledger: &mut DurableLedger<'_, '_>, owner: &Owner) -> SessionResult<()> {
    let prefix = owner_key(owner).into_vec();
    let count = |table| {
        let rows = ledger.starting_with(table, &prefix, usize::MAX)?;
        SessionResult::Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
    };
    // A row that cannot be read tells nothing.
    let latest = owner_state(ledger, owner).ok();
    let latest = latest.and_then(|state| state.latest_created);
    let own = match &latest {
        Some(latest) => ledger
            .head(latest)?
            .is_some_and(|head| head.owner == *owner),
        None => false,
    };
    let state = OwnerState {
        waits: count(Table::Routes)?,
        messages: count(Table::Messages)?,
        latest_created: latest.filter(|_| own),
    };
    ledger.write_owner(owner, &state);
    Ok(())
}
