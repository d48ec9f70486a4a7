//! Removal of expired sessions, messages, start claims and messages of queues, in small steps (C13).

use std::collections::HashSet;

use super::ledger::DurableLedger;
use crate::backend::durable::format::{Damage, Expiry, Table};
use crate::backend::durable::rows::{message, start, unreadable_row};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::rules::{Ledger, View, delete_session, drop_ended};

/// Removes what has expired. Rows that it could not read are left as they are (C17), and skipped the
/// next time, so that they do not block the others.
#[derive(Default)]
pub struct Sweeper {
    unreadable: HashSet<Vec<u8>>,
}

impl Sweeper {
    /// How many keys must be read to see at least one that can be swept.
    pub fn look_ahead(&self) -> usize {
        self.unreadable.len() + 1
    }

    pub fn can_sweep(&self, key: &[u8]) -> bool {
        !self.unreadable.contains(key)
    }

    /// Removes up to `budget` expired sessions, messages and start claims, and returns how many it
    /// removed.
    pub fn sweep(
        &mut self,
        ledger: &mut DurableLedger<'_, '_>,
        now: Timestamp,
        budget: usize,
    ) -> SessionResult<usize> {
        let mut swept = 0;
        for key in ledger.expired_keys(now, budget + self.unreadable.len())? {
            if !self.can_sweep(&key) {
                continue;
            }
            let removed = remove(ledger, now, &key);
            match ledger.end_operation(removed) {
                Ok(()) => swept += 1,
                Err(error) if ledger.storage_error().is_some() => return Err(error),
                Err(_unreadable) => {
                    self.unreadable.insert(key);
                }
            }
        }
        Ok(swept)
    }
}

/// Removes what a row of `expiry` refers to, or only the row if that has another deadline by now.
fn remove(ledger: &mut DurableLedger<'_, '_>, now: Timestamp, key: &[u8]) -> SessionResult<()> {
    let (at, expiry) =
        Expiry::from_key(key).map_err(|damage: Damage| unreadable_row(Table::Expiry, damage))?;
    match expiry {
        Expiry::Session(session) => match ledger.head(&session)? {
            Some(head) if head.deadline == Some(at) => {
                return delete_session(ledger, &session, &head);
            }
            _ => {}
        },
        Expiry::Message(owner, digest) => match message(ledger, &owner, &digest)? {
            Some(row) if row.until == at => return ledger.forget(&owner, &digest),
            _ => {}
        },
        Expiry::Start(owner, scope) => match start(ledger, &owner, &scope)? {
            Some(start) if start.keep_until == at => return ledger.set_start(&owner, &scope, None),
            _ => {}
        },
        Expiry::Queues(owner) => match ledger.inbox(&owner)? {
            Some(inbox) if inbox.first_end() == Some(at) => {
                return drop_ended(ledger, now, &owner);
            }
            _ => {}
        },
    }
    ledger.remove_row(Table::Expiry, key.to_vec());
    Ok(())
}
