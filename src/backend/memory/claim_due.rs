//! Claims of what is due, under the lock of one shard after the other (C30, C33).

use super::due::DueItem;
use super::keys::KeyHash;
use super::ledger::MemoryLedger;
use super::sharding::SHARDS;
use super::shards::Shards;
use super::stored::Stored;
use crate::claim::Turn;
use crate::clock::{Clock, Timestamp};
use crate::due::{DuePage, LONGEST_POLL};
use crate::error::SessionResult;
use crate::options::StoreOptions;
use crate::request;
use crate::rules;

/// Claims what is due, shard by shard from the shard `first` on, the earliest of each shard first. Looks at
/// as many entries as it may hand out turns.
pub fn claim_due(
    shards: &Shards,
    clock: &dyn Clock,
    options: &StoreOptions,
    first: usize,
    request: &request::ClaimDue,
) -> SessionResult<DuePage> {
    let (mut turns, mut left) = (Vec::new(), request.limit);
    let asked = clock.now();
    for index in (0..SHARDS).map(|offset| (first + offset) % SHARDS) {
        if left == 0 {
            break;
        }
        if !shards.owners.earliest_due().is_due(index, asked) {
            continue;
        }
        let mut shard = shards.owners.shard(index).lock();
        let now = clock.now();
        let mut ledger = shards.ledger(&mut shard);
        while left > 0
            && let Some((at, item)) = ledger.shard.due.first().filter(|(at, _)| *at <= now)
        {
            left -= 1;
            let turn = match item {
                DueItem::Wait(hash) => due_wait(&mut ledger, now, (at, hash), request)?,
                DueItem::Queue(hash) => {
                    let owner = ledger.shard.owner_due(hash, at).cloned();
                    match owner {
                        Some(owner) => {
                            rules::claim_due_queue(&mut ledger, now, options, &owner, request)?
                        }
                        None => {
                            ledger.shard.due.remove((at, item));
                            None
                        }
                    }
                }
            };
            turns.extend(turn);
        }
        ledger.owners.publish_due(ledger.shard);
    }
    let now = clock.now();
    let next = shards.owners.earliest_due().of_all();
    let next = next.map_or(LONGEST_POLL, |next| next.since(now));
    Ok(DuePage::new(turns, next.is_zero(), next))
}

/// Claims the wait that an entry leads to, and removes the entry.
fn due_wait(
    ledger: &mut MemoryLedger<'_>,
    now: Timestamp,
    (at, hash): (Timestamp, KeyHash),
    request: &request::ClaimDue,
) -> SessionResult<Option<Turn>> {
    let is_meant =
        |stored: &Stored| stored.head().due_at() == Some(at) && ledger.is_ours(stored.owner());
    let read = |stored: &Stored| stored.session.key.clone();
    let key = ledger.keys.read_hashed(hash, is_meant, read);
    let turn = match key {
        Some(key) => rules::claim_due(ledger, now, &key, request)?,
        None => None,
    };
    // Also if the entry led nowhere, so that it does not hide those behind it.
    ledger.shard.due.remove((at, DueItem::Wait(hash)));
    Ok(turn)
}
