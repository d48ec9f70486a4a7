//! What is kept per owner, and what falls due in a shard of owners.

use std::collections::{BTreeSet, VecDeque};

use greentic_types::SessionKey;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::hashing::Hasher;
use super::keys::KeyHash;
use super::routes::Routes;
use super::{Padded, SHARDS, shrink, smallest};
use crate::claim::MessageDigest;
use crate::clock::Timestamp;
use crate::owner::Owner;
use crate::rules::Remembered;
use crate::sync::Mutex;

/// After how many writes a shard looks after another one.
const WRITES_PER_TURN: usize = 8;

/// All state of one owner but the sessions themselves; dropped as soon as it is empty (C13).
pub(super) struct OwnerState {
    hash: OwnerHash,
    owner: Owner,
    pub routes: Routes,
    pub latest_created: Option<Box<SessionKey>>,
    #[expect(
        clippy::box_collection,
        reason = "most owners have none, and should be small"
    )]
    messages: Option<Box<VecDeque<Remembered>>>,
}

impl OwnerState {
    fn new(hash: OwnerHash, owner: Owner) -> Self {
        Self {
            hash,
            owner,
            routes: Routes::default(),
            latest_created: None,
            messages: None,
        }
    }

    pub fn remembered(&self, message: &MessageDigest) -> Option<&Remembered> {
        let messages = self.messages.as_deref()?;
        messages
            .iter()
            .rev()
            .find(|known| known.message == *message)
    }

    /// All remembered messages, oldest first.
    pub fn messages(&self) -> impl Iterator<Item = &Remembered> {
        self.messages.as_deref().into_iter().flatten()
    }

    /// When the first of the remembered messages is to be forgotten.
    fn messages_due(&self) -> Option<Timestamp> {
        let messages = self.messages.as_deref()?;
        messages.iter().map(|known| known.until).min()
    }

    fn forget_messages_until(&mut self, now: Timestamp) {
        let Some(messages) = &mut self.messages else {
            return;
        };
        messages.retain(|known| now < known.until);
        if messages.is_empty() {
            self.messages = None;
        } else if messages.len() < messages.capacity() / 4 {
            messages.shrink_to(messages.len() * 2);
        }
    }

    fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.latest_created.is_none() && self.messages.is_none()
    }
}

/// One lock's worth of owners.
pub(super) struct OwnerShard {
    pub index: usize,
    table: HashTable<Box<OwnerState>>,
    due_sessions: BTreeSet<(Timestamp, KeyHash)>,
    due_messages: BTreeSet<(Timestamp, OwnerHash)>,
    last_number: u64,
    writes: usize,
}

impl OwnerShard {
    /// A number above all that were given here before. All owners of the shard share the count, so
    /// that none needs state of its own for it, and none gets a number again after it was forgotten.
    pub fn next_number(&mut self, now: Timestamp) -> u64 {
        self.last_number = now.as_millis().max(self.last_number.saturating_add(1));
        self.last_number
    }

    /// The last number that was given.
    pub const fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Numbers that are given from now on are above this one.
    pub fn skip_numbers(&mut self, number: u64) {
        self.last_number = self.last_number.max(number);
    }

    /// The next `limit` owners, by hash; more only where hashes are the same.
    pub fn after(&self, after: Option<OwnerHash>, limit: usize) -> Vec<(OwnerHash, Owner)> {
        let hashed = self.table.iter().map(|state| (state.hash, &state.owner));
        let next = smallest(hashed.filter(|(hash, _)| Some(*hash) > after), limit);
        let owned = next.into_iter().map(|(hash, owner)| (hash, owner.clone()));
        owned.collect()
    }

    pub fn get(&self, hash: OwnerHash, owner: &Owner) -> Option<&OwnerState> {
        let found = self.table.find(hash.0, |state| state.owner == *owner);
        found.map(Box::as_ref)
    }

    pub fn get_or_insert(&mut self, hash: OwnerHash, owner: &Owner) -> &mut OwnerState {
        let slot = self
            .table
            .entry(hash.0, |state| state.owner == *owner, |state| state.hash.0);
        match slot {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                let state = OwnerState::new(hash, owner.clone());
                slot.insert(Box::new(state)).into_mut()
            }
        }
    }

    /// Changes an owner that is there, and drops it if nothing of it is left.
    pub fn change(&mut self, hash: OwnerHash, owner: &Owner, change: impl FnOnce(&mut OwnerState)) {
        let found = self.table.find_entry(hash.0, |state| state.owner == *owner);
        let Ok(mut slot) = found else {
            return;
        };
        change(slot.get_mut());
        if slot.get().is_empty() {
            slot.remove();
            shrink(&mut self.table, |state| state.hash.0);
        }
    }

    pub fn remember(
        &mut self,
        hash: OwnerHash,
        owner: &Owner,
        message: Remembered,
        limit: usize,
        now: Timestamp,
    ) {
        let state = self.get_or_insert(hash, owner);
        let before = state.messages_due();
        let messages = state.messages.get_or_insert_default();
        messages.retain(|known| known.message != message.message && now < known.until);
        messages.push_back(message);
        while messages.len() > limit.max(1) {
            messages.pop_front();
        }
        let after = state.messages_due();
        reschedule(&mut self.due_messages, hash, before, after);
    }

    /// Forgets all messages of an owner, and tells which they were.
    pub fn forget_messages(&mut self, hash: OwnerHash, owner: &Owner) -> Vec<Remembered> {
        let (mut forgotten, mut due) = (None, None);
        self.change(hash, owner, |state| {
            due = state.messages_due();
            forgotten = state.messages.take();
        });
        reschedule(&mut self.due_messages, hash, due, None);
        forgotten.map(|all| Vec::from(*all)).unwrap_or_default()
    }

    /// Tells whether a session's deadline is scheduled.
    pub fn is_scheduled(&self, hash: KeyHash, deadline: Timestamp) -> bool {
        self.due_sessions.contains(&(deadline, hash))
    }

    pub fn reschedule_session(
        &mut self,
        hash: KeyHash,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) {
        reschedule(&mut self.due_sessions, hash, before, after);
    }

    /// Forgets the messages of one owner that are due; false if there are none.
    pub fn forget_due_messages(&mut self, now: Timestamp) -> bool {
        let Some((_, hash)) = pop_due(&mut self.due_messages, now) else {
            return false;
        };
        let meant = self.table.find(hash.0, |state| {
            state.hash == hash && state.messages_due().is_some_and(|due| due <= now)
        });
        if let Some(owner) = meant.map(|state| state.owner.clone()) {
            let mut next = None;
            self.change(hash, &owner, |state| {
                state.forget_messages_until(now);
                next = state.messages_due();
            });
            reschedule(&mut self.due_messages, hash, None, next);
        }
        true
    }

    /// Counts a write. Every few of them it names another shard, each in turn: one that nobody
    /// writes to must give its room back too (C13).
    pub fn take_turn(&mut self) -> Option<usize> {
        self.writes = self.writes.wrapping_add(1);
        let turn = self.writes / WRITES_PER_TURN % SHARDS;
        let is_due = self.writes.is_multiple_of(WRITES_PER_TURN);
        is_due.then_some((self.index + turn) % SHARDS)
    }

    /// Takes the first session that is due.
    pub fn pop_due_session(&mut self, now: Timestamp) -> Option<(Timestamp, KeyHash)> {
        pop_due(&mut self.due_sessions, now)
    }
}

fn reschedule<T: Copy + Ord>(
    due: &mut BTreeSet<(Timestamp, T)>,
    what: T,
    before: Option<Timestamp>,
    after: Option<Timestamp>,
) {
    if before == after {
        return;
    }
    if let Some(before) = before {
        due.remove(&(before, what));
    }
    if let Some(after) = after {
        due.insert((after, what));
    }
}

fn pop_due<T: Ord>(due: &mut BTreeSet<(Timestamp, T)>, now: Timestamp) -> Option<(Timestamp, T)> {
    if due.first()?.0 > now {
        return None;
    }
    due.pop_first()
}

/// The owner's hash, computed once for the shard, the table in it and all look-ups of one call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct OwnerHash(u64);

impl OwnerHash {
    pub const fn number(self) -> u64 {
        self.0
    }

    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
}

pub(super) struct Owners {
    shards: Box<[Padded<Mutex<OwnerShard>>]>,
    hasher: Hasher,
}

impl Owners {
    pub fn new() -> Self {
        let shard = |index| {
            Padded(Mutex::new(OwnerShard {
                index,
                table: HashTable::new(),
                due_sessions: BTreeSet::new(),
                due_messages: BTreeSet::new(),
                last_number: 0,
                writes: 0,
            }))
        };
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            hasher: Hasher::new(),
        }
    }

    pub fn hash(&self, owner: &Owner) -> OwnerHash {
        OwnerHash(self.hasher.hash(owner.as_str()))
    }

    /// Which shard keeps an owner.
    pub fn index(&self, hash: OwnerHash) -> usize {
        usize::try_from(hash.0 >> 40).unwrap_or_default() % self.shards.len()
    }

    pub fn shard(&self, index: usize) -> &Mutex<OwnerShard> {
        &self.shards[index].0
    }

    pub fn shards(&self) -> impl Iterator<Item = &Mutex<OwnerShard>> {
        self.shards.iter().map(|shard| &shard.0)
    }

    pub fn len(&self) -> usize {
        self.shards().map(|shard| shard.lock().table.len()).sum()
    }
}
