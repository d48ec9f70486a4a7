//! Claims of what is due, in one transaction (C33).

use super::ledger::DurableLedger;
use crate::backend::durable::format::{Damage, Table, decode_due};
use crate::backend::durable::rows::{Rows, first_due, unreadable_row};
use crate::claim::Turn;
use crate::clock::Timestamp;
use crate::due::{DuePage, LONGEST_POLL};
use crate::error::SessionResult;
use crate::request;
use crate::rules::{self, View};

/// Claims what is due, the earliest first. Looks at as many rows as it may hand out. A session whose key is
/// not in memory is put off, or left as it is.
pub fn claim_due(
    ledger: &mut DurableLedger<'_, '_>,
    now: Timestamp,
    request: &request::ClaimDue,
    puts_off: bool,
) -> SessionResult<DuePage> {
    let mut turns = Vec::new();
    let mut rows = ledger.due_keys(now, request.limit + 1)?;
    let more = rows.len() > request.limit;
    rows.truncate(request.limit);
    for row in rows {
        let taken = claim_row(ledger, now, &row, request, puts_off);
        match ledger.end_operation(taken) {
            Ok(turn) => turns.extend(turn),
            Err(error) if ledger.storage_error().is_some() => return Err(error),
            // Its vault does not answer now.
            Err(error) if ledger.sealing().is_lacking(&error) => {}
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
