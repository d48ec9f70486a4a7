//! The removal of expired sessions, message ids, start claims and queued messages from a shard, in small steps (C13).

use super::ledger::MemoryLedger;
use super::stored::Stored;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::rules::{delete_session, drop_ended};

/// How many expired sessions and messages a write removes besides its own work.
pub const BUDGET: usize = 4;
/// How many it removes in another shard, which it sweeps less often.
pub const OTHER_SHARD_BUDGET: usize = 32;
/// How many a call that needs all of them removed removes under one lock.
pub const STEP: usize = 256;

/// Removes up to `budget` expired sessions, messages of as many owners, as many start claims and the
/// queued messages of as many owners, so that no write takes long. Returns how many.
pub fn sweep(ledger: &mut MemoryLedger<'_>, now: Timestamp, budget: usize) -> SessionResult<usize> {
    for swept in 0..budget {
        let removed = sweep_session(ledger, now)?
            || ledger.shard.forget_expired_messages(now)
            || ledger.shard.drop_expired_start(now)
            || sweep_queues(ledger, now)?;
        if !removed {
            return Ok(swept);
        }
    }
    Ok(budget)
}

fn sweep_session(ledger: &mut MemoryLedger<'_>, now: Timestamp) -> SessionResult<bool> {
    let Some((deadline, hash)) = ledger.shard.pop_expired_session(now) else {
        return Ok(false);
    };
    let is_meant = |stored: &Stored| {
        stored.session.deadline == Some(deadline)
            && ledger.keys.hash(&stored.session.key) == hash
            && ledger.is_ours(stored.owner())
    };
    let read = |stored: &Stored| (stored.session.key.clone(), stored.head());
    if let Some((key, head)) = ledger.keys.read_hashed(hash, is_meant, read) {
        delete_session(ledger, &key, &head)?;
    }
    Ok(true)
}

/// Removes the queued messages of one owner that have ended.
fn sweep_queues(ledger: &mut MemoryLedger<'_>, now: Timestamp) -> SessionResult<bool> {
    let Some(ended) = ledger.shard.pop_ended_inbox(now) else {
        return Ok(false);
    };
    if let Some(owner) = ended {
        drop_ended(ledger, now, &owner)?;
    }
    Ok(true)
}
