//! Gives back what has expired, in small steps (C13).

use std::collections::HashSet;

use super::format::{Damage, Due};
use super::ledger::DurableLedger;
use super::tables::Table;
use super::view::{message, unreadable_row};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::rules::{View, delete_session};

/// Remembers what it could not read, so that it does not stand in the way of the rest. Such rows
/// are left as they are (C17).
#[derive(Default)]
pub(super) struct Sweeper {
    unreadable: HashSet<Vec<u8>>,
}

impl Sweeper {
    /// How many keys to ask for to see at least one that can be swept.
    pub fn look_ahead(&self) -> usize {
        self.unreadable.len() + 1
    }

    pub fn can_sweep(&self, key: &[u8]) -> bool {
        !self.unreadable.contains(key)
    }

    /// Removes up to `budget` things that are due, and tells how many it removed.
    pub fn sweep(
        &mut self,
        ledger: &mut DurableLedger<'_, '_>,
        now: Timestamp,
        budget: usize,
    ) -> SessionResult<usize> {
        let mut swept = 0;
        for key in ledger.due(now, budget + self.unreadable.len())? {
            if !self.can_sweep(&key) {
                continue;
            }
            let reclaimed = reclaim(ledger, &key);
            match ledger.settle(reclaimed) {
                Ok(()) => swept += 1,
                Err(error) if ledger.trouble().is_some() => return Err(error),
                Err(_unreadable) => {
                    self.unreadable.insert(key);
                }
            }
        }
        Ok(swept)
    }
}

fn reclaim(ledger: &mut DurableLedger<'_, '_>, key: &[u8]) -> SessionResult<()> {
    let (at, due) =
        Due::from_key(key).map_err(|damage: Damage| unreadable_row(Table::Due, damage))?;
    match due {
        Due::Session(session) => match ledger.head(&session)? {
            Some(head) if head.deadline == Some(at) => {
                return delete_session(ledger, &session, &head);
            }
            _ => {}
        },
        Due::Message(owner, digest) => match message(ledger, &owner, &digest)? {
            Some(row) if row.until == at => return ledger.forget(&owner, &digest),
            _ => {}
        },
    }
    ledger.remove_due(key.to_vec());
    Ok(())
}
