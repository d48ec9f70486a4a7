//! Both sets of shards, and access to one owner under its lock.

use super::keys::Keys;
use super::ledger::MemoryLedger;
use super::owners::{OwnerShard, Owners};
use crate::owner::Owner;
use crate::sync::hand_over;

pub struct Shards {
    pub keys: Keys,
    pub owners: Owners,
}

impl Shards {
    pub fn new() -> Self {
        Self {
            keys: Keys::new(),
            owners: Owners::new(),
        }
    }

    /// Runs `act` under the lock of an owner.
    pub fn locked<R>(&self, owner: &Owner, act: impl FnOnce(&mut MemoryLedger<'_>) -> R) -> R {
        let hash = self.owners.hash(owner);
        let mut shard = self.owners.shard(self.owners.index(hash)).lock();
        let shard: &mut OwnerShard = &mut shard;
        act(&mut MemoryLedger {
            keys: &self.keys,
            owners: &self.owners,
            shard,
            hashed_owner: Some((owner, hash)),
        })
    }

    /// Gives the lock of an owner to a thread that waits for it.
    pub fn hand_over(&self, owner: &Owner) {
        let index = self.owners.index(self.owners.hash(owner));
        hand_over(self.owners.shard(index));
    }

    /// The ledger of a locked shard, for no owner in particular.
    pub fn ledger<'a>(&'a self, shard: &'a mut OwnerShard) -> MemoryLedger<'a> {
        MemoryLedger {
            keys: &self.keys,
            owners: &self.owners,
            shard,
            hashed_owner: None,
        }
    }
}
