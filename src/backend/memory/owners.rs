//! The state of owners and their deadlines, sharded by owner.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use greentic_types::SessionKey;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::due::{DueItem, DueItems, Earliest};
use super::hashing::{Hasher, OwnerHash};
use super::keys::KeyHash;
use super::messages::Messages;
use super::routes::Routes;
use super::sharding::{Padded, SHARDS, shrink, smallest};
use crate::clock::Timestamp;
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::rules::{Body, Inbox, Remembered, Start};
use crate::scope::ScopeDigest;
use crate::sync::Mutex;

/// After how many writes a shard sweeps another one.
const WRITES_PER_SWEEP: usize = 8;

/// All state of one owner except the sessions. It is removed as soon as it is empty (C13).
pub struct OwnerState {
    hash: OwnerHash,
    owner: Owner,
    pub routes: Routes,
    pub latest_created: Option<Box<SessionKey>>,
    /// Boxed, because most owners have none, and are kept small.
    messages: Option<Box<Messages>>,
    /// The start claims, by scope.
    #[expect(
        clippy::box_collection,
        reason = "most owners have no start claims, and are kept small"
    )]
    starts: Option<Box<BTreeMap<ScopeDigest, Start>>>,
    /// The queues. Boxed, because few owners have any.
    inbox: Option<Box<StoredInbox>>,
}

/// The queues of an owner, and the bodies of their messages.
#[derive(Default)]
struct StoredInbox {
    inbox: Inbox,
    bodies: BTreeMap<u64, Arc<[u8]>>,
}

impl StoredInbox {
    /// Replaces the queues, and drops the bodies of messages that are gone.
    fn replace(&mut self, inbox: Inbox, added: Vec<Body>) {
        self.inbox = inbox;
        self.bodies.extend(added);
        let named: BTreeSet<_> = self.inbox.all().map(|queued| queued.body).collect();
        if named.len() < self.bodies.len() {
            self.bodies.retain(|number, _| named.contains(number));
        }
    }
}

impl OwnerState {
    fn new(hash: OwnerHash, owner: Owner) -> Self {
        Self {
            hash,
            owner,
            routes: Routes::default(),
            latest_created: None,
            messages: None,
            starts: None,
            inbox: None,
        }
    }

    pub fn start(&self, scope: &ScopeDigest) -> Option<&Start> {
        self.starts.as_deref()?.get(scope)
    }

    pub fn inbox(&self) -> Option<&Inbox> {
        self.inbox.as_deref().map(|stored| &stored.inbox)
    }

    pub fn body(&self, number: u64) -> Option<&Arc<[u8]>> {
        self.inbox.as_deref()?.bodies.get(&number)
    }

    /// The instants at which a queue is due, and at which a message of a queue ends.
    fn inbox_instants(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        let inbox = self.inbox();
        let due = inbox.and_then(Inbox::first_due).map(|(at, _)| at);
        (due, inbox.and_then(Inbox::first_end))
    }

    /// Counts the waits and the start claims.
    pub fn wait_count(&self) -> usize {
        let starts = self.starts.as_deref();
        self.routes.len() + starts.map_or(0, BTreeMap::len)
    }

    /// Stores or removes a start claim, and returns when the one before would have expired.
    fn set_start(&mut self, scope: &ScopeDigest, start: Option<Start>) -> Option<Timestamp> {
        let starts = self.starts.get_or_insert_default();
        let before = match start {
            Some(start) => starts.insert(*scope, start),
            None => starts.remove(scope),
        };
        if starts.is_empty() {
            self.starts = None;
        }
        before.map(|before| before.keep_until)
    }

    pub fn remembered(&self, message: &MessageDigest) -> Option<&Remembered> {
        self.messages.as_deref()?.get(message)
    }

    /// All remembered messages, oldest first.
    pub fn messages(&self) -> impl Iterator<Item = &Remembered> {
        self.messages
            .as_deref()
            .into_iter()
            .flat_map(Messages::iter)
    }

    /// The instant at which the next remembered message is forgotten.
    fn next_message_expiry(&self) -> Option<Timestamp> {
        self.messages.as_deref()?.next_expiry()
    }

    fn forget_expired(&mut self, now: Timestamp) {
        let Some(messages) = &mut self.messages else {
            return;
        };
        messages.forget_expired(now);
        if messages.is_empty() {
            self.messages = None;
        }
    }

    fn is_empty(&self) -> bool {
        self.routes.is_empty()
            && self.latest_created.is_none()
            && self.messages.is_none()
            && self.starts.is_none()
            && self.inbox.is_none()
    }
}

/// The owners under one lock.
pub struct OwnerShard {
    pub index: usize,
    table: HashTable<Box<OwnerState>>,
    session_expiry: BTreeSet<(Timestamp, KeyHash)>,
    message_expiry: BTreeSet<(Timestamp, OwnerHash)>,
    start_expiry: BTreeSet<(Timestamp, (OwnerHash, ScopeDigest))>,
    inbox_expiry: BTreeSet<(Timestamp, OwnerHash)>,
    /// How many owners have queues.
    inboxes: usize,
    pub due: DueItems,
    last_number: u64,
    writes: usize,
}

impl OwnerShard {
    /// Returns a number above all earlier ones of this shard. The owners of a shard share the counter, so
    /// that an owner needs no state for it and never gets a number twice.
    pub fn next_number(&mut self, now: Timestamp) -> u64 {
        self.last_number = now.as_millis().max(self.last_number.saturating_add(1));
        self.last_number
    }

    /// The last number that was assigned.
    pub const fn last_number(&self) -> u64 {
        self.last_number
    }

    /// Makes all later numbers greater than this one.
    pub fn skip_numbers(&mut self, number: u64) {
        self.last_number = self.last_number.max(number);
    }

    /// Returns the next `limit` owners by hash, and more only if their hashes are equal.
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

    /// Changes the state of an owner, if there is one, and removes it if it is empty then.
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
        since: Timestamp,
        limit: usize,
        now: Timestamp,
    ) {
        let state = self.get_or_insert(hash, owner);
        let before = state.next_message_expiry();
        let messages = state.messages.get_or_insert_default();
        messages.remember(message, since, limit, now);
        let after = state.next_message_expiry();
        reschedule(&mut self.message_expiry, hash, before, after);
    }

    /// Forgets and returns the oldest messages of an owner, at most `limit`.
    pub fn forget_messages(
        &mut self,
        hash: OwnerHash,
        owner: &Owner,
        limit: usize,
    ) -> Vec<Remembered> {
        let (mut forgotten, mut before, mut after) = (Vec::new(), None, None);
        self.change(hash, owner, |state| {
            before = state.next_message_expiry();
            if let Some(messages) = &mut state.messages {
                forgotten = messages.forget(limit);
                if messages.is_empty() {
                    state.messages = None;
                }
            }
            after = state.next_message_expiry();
        });
        reschedule(&mut self.message_expiry, hash, before, after);
        forgotten
    }

    /// Stores the start claim on a scope, or removes it.
    pub fn set_start(
        &mut self,
        hash: OwnerHash,
        owner: &Owner,
        scope: &ScopeDigest,
        start: Option<Start>,
    ) {
        let after = start.as_ref().map(|start| start.keep_until);
        let mut before = None;
        if after.is_some() {
            before = self.get_or_insert(hash, owner).set_start(scope, start);
        } else {
            self.change(hash, owner, |state| before = state.set_start(scope, None));
        }
        reschedule(&mut self.start_expiry, (hash, *scope), before, after);
    }

    /// Removes some start claims of an owner, at most `limit`, and returns how many.
    pub fn drop_starts(&mut self, hash: OwnerHash, owner: &Owner, limit: usize) -> usize {
        let starts = self
            .get(hash, owner)
            .and_then(|state| state.starts.as_ref());
        let scopes: Vec<_> = starts.map_or_else(Vec::new, |starts| {
            starts.keys().take(limit).copied().collect()
        });
        for scope in &scopes {
            self.set_start(hash, owner, scope, None);
        }
        scopes.len()
    }

    /// Removes one expired start claim. False if there is none.
    pub fn drop_expired_start(&mut self, now: Timestamp) -> bool {
        let Some((at, (hash, scope))) = pop_expired(&mut self.start_expiry, now) else {
            return false;
        };
        let meant = self.table.find(hash.0, |state| {
            let start = state.start(&scope);
            state.hash == hash && start.is_some_and(|start| start.keep_until == at)
        });
        if let Some(owner) = meant.map(|state| state.owner.clone()) {
            self.set_start(hash, &owner, &scope, None);
        }
        true
    }

    /// Whether an owner of the shard has a queue.
    pub const fn has_inboxes(&self) -> bool {
        self.inboxes > 0
    }

    /// Stores the queues of an owner, or removes them if they are empty.
    pub fn put_inbox(&mut self, hash: OwnerHash, owner: &Owner, inbox: Inbox, added: Vec<Body>) {
        let (mut before, mut after) = ((None, None), (None, None));
        if inbox.is_empty() {
            self.change(hash, owner, |state| {
                before = state.inbox_instants();
                state.inbox = None;
            });
        } else {
            let state = self.get_or_insert(hash, owner);
            before = state.inbox_instants();
            let stored = state.inbox.get_or_insert_default();
            stored.replace(inbox, added);
            after = state.inbox_instants();
        }
        // Each message has an end, and so each owner with queues.
        self.inboxes += usize::from(after.1.is_some());
        self.inboxes -= usize::from(before.1.is_some());
        self.due.reschedule(DueItem::Queue(hash), before.0, after.0);
        reschedule(&mut self.inbox_expiry, hash, before.1, after.1);
    }

    /// Returns the owner whose queue is due at this instant, as the index says.
    pub fn owner_due(&self, hash: OwnerHash, at: Timestamp) -> Option<&Owner> {
        let meant = self.table.find(hash.0, |state| {
            state.hash == hash && state.inbox_instants().0 == Some(at)
        });
        meant.map(|state| &state.owner)
    }

    /// Returns an owner with messages of queues that have ended.
    pub fn pop_ended_inbox(&mut self, now: Timestamp) -> Option<Option<Owner>> {
        let (_, hash) = pop_expired(&mut self.inbox_expiry, now)?;
        let meant = self.table.find(hash.0, |state| {
            state.hash == hash && state.inbox_instants().1.is_some_and(|at| at <= now)
        });
        Some(meant.map(|state| state.owner.clone()))
    }

    /// Whether the index has when the queues of an owner are due, and when their messages end.
    pub fn schedules_inbox(&self, hash: OwnerHash, owner: &Owner) -> bool {
        let state = self.get(hash, owner);
        let (due, end) = state.map_or((None, None), OwnerState::inbox_instants);
        due.is_none_or(|at| self.due.contains(DueItem::Queue(hash), at))
            && end.is_none_or(|at| self.inbox_expiry.contains(&(at, hash)))
    }

    /// Whether the deadline of a session is scheduled.
    pub fn is_scheduled(&self, hash: KeyHash, deadline: Timestamp) -> bool {
        self.session_expiry.contains(&(deadline, hash))
    }

    pub fn reschedule_session(
        &mut self,
        hash: KeyHash,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) {
        reschedule(&mut self.session_expiry, hash, before, after);
    }

    /// Forgets the expired messages of one owner. False if no owner has any.
    pub fn forget_expired_messages(&mut self, now: Timestamp) -> bool {
        let Some((_, hash)) = pop_expired(&mut self.message_expiry, now) else {
            return false;
        };
        let meant = self.table.find(hash.0, |state| {
            state.hash == hash && state.next_message_expiry().is_some_and(|at| at <= now)
        });
        if let Some(owner) = meant.map(|state| state.owner.clone()) {
            let mut next = None;
            self.change(hash, &owner, |state| {
                state.forget_expired(now);
                next = state.next_message_expiry();
            });
            reschedule(&mut self.message_expiry, hash, None, next);
        }
        true
    }

    /// Counts a write. After every few writes it returns another shard to sweep, each shard in turn: a
    /// shard without writers must be swept too (C13).
    pub fn count_write(&mut self) -> Option<usize> {
        self.writes = self.writes.wrapping_add(1);
        let offset = self.writes / WRITES_PER_SWEEP % SHARDS;
        let sweeps = self.writes.is_multiple_of(WRITES_PER_SWEEP);
        sweeps.then_some((self.index + offset) % SHARDS)
    }

    /// Removes and returns the first expired entry of a session.
    pub fn pop_expired_session(&mut self, now: Timestamp) -> Option<(Timestamp, KeyHash)> {
        pop_expired(&mut self.session_expiry, now)
    }
}

fn reschedule<T: Copy + Ord>(
    expiry: &mut BTreeSet<(Timestamp, T)>,
    item: T,
    before: Option<Timestamp>,
    after: Option<Timestamp>,
) {
    if before == after {
        return;
    }
    if let Some(before) = before {
        expiry.remove(&(before, item));
    }
    if let Some(after) = after {
        expiry.insert((after, item));
    }
}

fn pop_expired<T: Ord>(
    expiry: &mut BTreeSet<(Timestamp, T)>,
    now: Timestamp,
) -> Option<(Timestamp, T)> {
    if expiry.first()?.0 > now {
        return None;
    }
    expiry.pop_first()
}

pub struct Owners {
    shards: Box<[Padded<Mutex<OwnerShard>>]>,
    earliest_due: Earliest,
    hasher: Hasher,
}

impl Owners {
    pub fn new() -> Self {
        let shard = |index| {
            Padded(Mutex::new(OwnerShard {
                index,
                table: HashTable::new(),
                session_expiry: BTreeSet::new(),
                message_expiry: BTreeSet::new(),
                start_expiry: BTreeSet::new(),
                inbox_expiry: BTreeSet::new(),
                inboxes: 0,
                due: DueItems::default(),
                last_number: 0,
                writes: 0,
            }))
        };
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            earliest_due: Earliest::new(),
            hasher: Hasher::new(),
        }
    }

    pub fn hash(&self, owner: &Owner) -> OwnerHash {
        OwnerHash(self.hasher.hash(owner.as_str()))
    }

    /// The index of an owner's shard.
    pub fn index(&self, hash: OwnerHash) -> usize {
        usize::try_from(hash.0 >> 40).unwrap_or_default() % self.shards.len()
    }

    pub fn shard(&self, index: usize) -> &Mutex<OwnerShard> {
        &self.shards[index].0
    }

    /// The earliest instants at which something is due.
    pub const fn earliest_due(&self) -> &Earliest {
        &self.earliest_due
    }

    /// Lets callers without the lock of the shard know when it has something due.
    pub fn publish_due(&self, shard: &OwnerShard) {
        self.earliest_due.publish(shard.index, &shard.due);
    }

    pub fn shards(&self) -> impl Iterator<Item = &Mutex<OwnerShard>> {
        self.shards.iter().map(|shard| &shard.0)
    }

    pub fn len(&self) -> usize {
        self.shards().map(|shard| shard.lock().table.len()).sum()
    }
}
