//! Claims of what is due, in one transaction (C33).

use super::ledger::DurableLedger;
use crate::backend::durable::format::{Damage, Table, decode_due};
use crate::backend::durable::rows::{first_due, unreadable_row};
use crate::claim::Turn;
use crate::clock::Timestamp;
use crate::due::{DuePage, LONGEST_POLL};
use crate::error::SessionResult;
use crate::request;
use crate::rules;

/// Claims what is due, the earliest first. Looks at as many rows as it may hand out.
pub fn claim_due(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    request: &request::ClaimDue,
) -> SessionResult<DuePage> {
    let mut turns = Vec::new();
    let mut rows = ledger.due_keys(now, request.limit + 1)?;
    let more = rows.len() > request.limit;
    rows.truncate(request.limit);
    for row in rows {
        let taken = claim_row(ledger, now, &row, request);
        match ledger.end_operation(taken) {
            Ok(turn) => turns.extend(turn),
            Err(error) if ledger.storage_error().is_some() => return Err(error),
            // Nobody can resume what cannot be read. It stays (C17), and does not block the others.
            Err(_unreadable) => {
                ledger.remove_row(Table::Due, row);
                ledger.end_operation(Ok(()))?;
            }
        }
    }
    let next = first_due(ledger)?;
    let next = next.map_or(LONGEST_POLL, |next| next.since(now));
    Ok(DuePage::new(turns, more, next))
}

fn claim_row(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    row: &[u8],
    request: &request::ClaimDue,
) -> SessionResult<Option<Turn>> {
    let (_, key) = decode_due(row).map_err(|damage: Damage| unreadable_row(Table::Due, damage))?;
    let turn = rules::claim_due(ledger, now, &key, request)?;
    // Also if the row led nowhere.
    ledger.remove_row(Table::Due, row.to_vec());
    Ok(turn)
}
