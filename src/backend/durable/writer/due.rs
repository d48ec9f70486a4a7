//! Claims of what is due, in one transaction (C30, C33).

use super::ledger::DurableLedger;
use crate::backend::durable::format::{Damage, Table, decode_due, decode_queue_due};
use crate::backend::durable::rows::{Rows, first_due, unreadable_row};
use crate::claim::Turn;
use crate::clock::Timestamp;
use crate::due::{DuePage, LONGEST_POLL};
use crate::error::SessionResult;
use crate::options::StoreOptions;
use crate::request;
use crate::rules::{self, View};

/// Claims what is due, waits and queues together, the earliest first. Looks at as many rows as it may hand
/// out. What needs a key that is not in memory is put off, or left as it is.
pub fn claim_due(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    options: &StoreOptions,
    request: &request::ClaimDue,
    puts_off: bool,
) -> SessionResult<DuePage> {
    let mut turns = Vec::new();
    let mut rows = Vec::new();
    for table in [Table::Due, Table::QueuesDue] {
        let keys = ledger.due_keys(table, now, request.limit + 1)?;
        rows.extend(keys.into_iter().map(|key| (key, table)));
    }
    // Both kinds of keys begin with the instant. At the same instant a queue is the first (C30).
    rows.sort_by_key(|(key, table)| (key.get(..8).map(<[u8]>::to_vec), *table == Table::Due));
    let mut more = rows.len() > request.limit;
    rows.truncate(request.limit);
    for (row, table) in rows {
        let taken = match table {
            Table::QueuesDue => claim_queue(ledger, now, options, &row, request),
            _ => claim_row(ledger, now, &row, request, puts_off),
        };
        match ledger.end_operation(taken) {
            Ok(turn) => turns.extend(turn),
            Err(error) if ledger.storage_error().is_some() => return Err(error),
            Err(error) if ledger.sealing().is_lacking(&error) => {
                // Else its vault does not answer now.
                if puts_off
                    && let (Table::QueuesDue, Ok((_, owner))) = (table, decode_queue_due(&row))
                {
                    let put_off = rules::put_off_queue(ledger, now, &owner);
                    ledger.end_operation(put_off)?;
                }
            }
            // Nobody can resume what cannot be read. It stays (C17), and does not block the others.
            Err(_unreadable) => {
                ledger.remove_row(table, row);
                ledger.end_operation(Ok(()))?;
            }
        }
    }
    let next = first_due(ledger)?;
    let next = next.map_or(LONGEST_POLL, |next| next.since(now));
    // Another queue of an owner can be due too.
    more |= next.is_zero();
    Ok(DuePage::new(turns, more, next))
}

fn claim_row(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    row: &[u8],
    request: &request::ClaimDue,
    puts_off: bool,
) -> SessionResult<Option<Turn>> {
    let (_, key) = decode_due(row).map_err(|damage: Damage| unreadable_row(Table::Due, damage))?;
    let turn = rules::take_due(ledger, now, &key, request)?;
    // Also if the row led nowhere.
    ledger.remove_row(Table::Due, row.to_vec());
    let Some(mut turn) = turn else {
        return Ok(None);
    };
    match ledger.session(&key) {
        Ok(session) => turn.session = session,
        // It stays claimed, so that it comes again later and less and less often, and hides nothing.
        Err(error) if puts_off && ledger.sealing().is_lacking(&error) => return Ok(None),
        Err(error) => return Err(error),
    }
    Ok(turn.session.is_some().then_some(turn))
}

fn claim_queue(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    options: &StoreOptions,
    row: &[u8],
    request: &request::ClaimDue,
) -> SessionResult<Option<Turn>> {
    let decoded = decode_queue_due(row);
    let (at, owner) = decoded.map_err(|damage: Damage| unreadable_row(Table::QueuesDue, damage))?;
    let due = ledger.inbox(&owner)?.and_then(|inbox| inbox.first_due());
    if due.is_none_or(|(due, _)| due != at) {
        ledger.remove_row(Table::QueuesDue, row.to_vec());
        return Ok(None);
    }
    rules::claim_due_queue(ledger, now, options, &owner, request)
}
