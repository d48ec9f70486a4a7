//! The sessions, sharded by session key.

use greentic_types::SessionKey;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::hashing::Hasher;
use super::sharding::{Padded, SHARDS, shrink, smallest};
use super::stored::Stored;
use crate::sync::RwLock;

/// The hash of a key, computed once for the shard and for the table in it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyHash(u64);

impl KeyHash {
    pub const fn number(self) -> u64 {
        self.0
    }

    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

pub struct Keys {
    shards: Box<[Padded<RwLock<HashTable<Stored>>>]>,
    hasher: Hasher,
}

impl Keys {
    pub fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Padded::default()).collect(),
            hasher: Hasher::new(),
        }
    }

    pub fn hash(&self, key: &SessionKey) -> KeyHash {
        KeyHash(self.hasher.hash(key.as_str()))
    }

    /// Passes the session of a key to `read`, if there is one.
    pub fn read<R>(&self, key: &SessionKey, read: impl FnOnce(&Stored) -> R) -> Option<R> {
        let hash = self.hash(key);
        let shard = self.shard(hash).read();
        let found = shard.find(hash.0, |stored| stored.session.key == *key);
        found.map(read)
    }

    /// Passes the session with this hash that `is_meant` accepts to `read`. `is_meant` distinguishes
    /// sessions of the same hash.
    pub fn read_hashed<R>(
        &self,
        hash: KeyHash,
        is_meant: impl Fn(&Stored) -> bool,
        read: impl FnOnce(&Stored) -> R,
    ) -> Option<R> {
        let shard = self.shard(hash).read();
        // The table compares only a few bits of the hash.
        let found = shard.find(hash.0, |stored| {
            is_meant(stored) && self.rehash(stored) == hash.0
        });
        found.map(read)
    }

    /// Changes the session of a key in place. False if there is none.
    pub fn change(
        &self,
        hash: KeyHash,
        key: &SessionKey,
        change: impl FnOnce(&mut Stored),
    ) -> bool {
        let mut shard = self.shard(hash).write();
        match shard.find_mut(hash.0, |stored| stored.session.key == *key) {
            Some(stored) => {
                change(stored);
                true
            }
            None => false,
        }
    }

    /// Stores a new session. False, and nothing changes, if its key is taken.
    pub fn insert(&self, hash: KeyHash, stored: Stored) -> bool {
        let mut shard = self.shard(hash).write();
        let same_key = |other: &Stored| other.session.key == stored.session.key;
        match shard.entry(hash.0, same_key, |stored| self.rehash(stored)) {
            Slot::Occupied(_) => false,
            Slot::Vacant(slot) => {
                slot.insert(stored);
                true
            }
        }
    }

    /// Removes a session and returns it, for the caller to drop outside the lock.
    pub fn remove(&self, hash: KeyHash, key: &SessionKey) -> Option<Stored> {
        let mut shard = self.shard(hash).write();
        let found = shard.find_entry(hash.0, |stored| stored.session.key == *key);
        let (removed, _) = found.ok()?.remove();
        shrink(&mut shard, |stored| self.rehash(stored));
        Some(removed)
    }

    /// Returns the next `limit` keys of a shard by hash, and more only if their hashes are equal.
    pub fn after(
        &self,
        shard: usize,
        after: Option<KeyHash>,
        limit: usize,
    ) -> Vec<(KeyHash, SessionKey)> {
        let shard = self.shards[shard].0.read();
        let hashed = shard.iter().map(|stored| {
            let key = &stored.session.key;
            (self.hash(key), key)
        });
        let next = smallest(hashed.filter(|(hash, _)| Some(*hash) > after), limit);
        let owned = next.into_iter().map(|(hash, key)| (hash, key.clone()));
        owned.collect()
    }

    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().len()).sum()
    }

    fn rehash(&self, stored: &Stored) -> u64 {
        self.hash(&stored.session.key).0
    }

    fn shard(&self, hash: KeyHash) -> &RwLock<HashTable<Stored>> {
        // The table in the shard uses the top and the low bits; other bits choose the shard.
        let index = usize::try_from(hash.0 >> 40).unwrap_or_default() % self.shards.len();
        &self.shards[index].0
    }
}
