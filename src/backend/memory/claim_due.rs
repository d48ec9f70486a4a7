//! Claims of what is due, under the lock of one shard after the other (C33).

use super::sharding::SHARDS;
use super::shards::Shards;
use super::stored::Stored;
use crate::clock::Clock;
use crate::due::{DuePage, LONGEST_POLL};
use crate::error::SessionResult;
use crate::request;
use crate::rules;

/// Claims what is due, shard by shard from the shard `first` on, the earliest of each shard first. Looks at
/// as many waits as it may hand out.
pub fn claim_due(
    shards: &Shards,
    clock: &dyn Clock,
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
            && let Some((at, hash)) = ledger.shard.due.first().filter(|(at, _)| *at <= now)
        {
            left -= 1;
            let is_meant = |stored: &Stored| {
                stored.head().due_at() == Some(at) && ledger.is_ours(stored.owner())
            };
            let read = |stored: &Stored| stored.session.key.clone();
            let key = ledger.keys.read_hashed(hash, is_meant, read);
            let turn = match key {
                Some(key) => rules::claim_due(&mut ledger, now, &key, request)?,
                None => None,
            };
            // Also if the entry led nowhere, so that it does not hide those behind it.
            ledger.shard.due.remove((at, hash));
            turns.extend(turn);
        }
        ledger.owners.publish_due(ledger.shard);
    }
    let now = clock.now();
    let next = shards.owners.earliest_due().of_all();
    let next = next.map_or(LONGEST_POLL, |next| next.since(now));
    Ok(DuePage::new(turns, next.is_zero(), next))
}
