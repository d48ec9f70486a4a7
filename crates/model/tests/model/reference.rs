//! The reference model: the contract as a flat map that is searched linearly.
//!
//! It is written from the contract's text and shares no code with the stores.

use std::collections::BTreeMap;
use std::time::Duration;

use super::answer::{Answer, Failure, Key, Seen, Tick};
use super::op::{Caller, Op, Parked, Slot};
use super::reference_timeouts::{Message, Timeout};
use crate::world::{KEYS, Who};

/// An owner: a place and a user, or a place and the one session that has no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    pub(super) place: Who,
    pub(super) alone: Option<Key>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Entry {
    pub owner: Owner,
    pub names_user: bool,
    pub content: u32,
    pub revision: u64,
    pub deadline: Option<Tick>,
    /// The TTL that a commit keeps.
    pub ttl: Option<Tick>,
    pub operation: Option<u64>,
    /// Whether it is the session that was created last for its user (C6).
    pub newest: bool,
    pub wait: Option<Wait>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Wait {
    pub scope: usize,
    pub order: u64,
    pub attempt: u32,
    pub lease: Option<Lease>,
    pub released: Option<u64>,
    pub timeout: Option<Timeout>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Lease {
    pub secret: u64,
    pub message: Message,
    pub until: Tick,
    /// The deadline without the claim.
    pub own_deadline: Option<Tick>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Token {
    pub owner: Owner,
    pub key: Key,
    pub message: Message,
    pub secret: u64,
    /// The scope of a start.
    pub start: Option<usize>,
}

/// The record of a start claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Start {
    pub key: Key,
    pub attempt: u32,
    pub secret: u64,
    pub message: Message,
    pub until: Tick,
    pub keep_until: Tick,
    pub released: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Done {
    pub owner: Owner,
    pub message: Message,
    pub secret: u64,
    pub until: Tick,
    pub reply: Option<u32>,
}

/// What the store under test was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    pub default_ttl: Option<Tick>,
    pub message_window: Tick,
    pub max_messages: usize,
    /// For how long the record of a start stays after its lease, at least (C27).
    pub shortest_stay: Tick,
    /// The length of a tick, for the pauses after lapsed leases (C33).
    pub tick: Duration,
}

impl Limits {
    /// These limits for ticks of this length.
    pub fn in_ticks_of(self, tick: Duration) -> Self {
        let shortest_stay = Duration::from_secs(60).as_millis();
        Self {
            shortest_stay: Tick::try_from(shortest_stay.div_ceil(tick.as_millis())).unwrap(),
            tick,
            ..self
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Model {
    pub(super) limits: Limits,
    pub(super) now: Tick,
    pub(super) sessions: BTreeMap<Key, Entry>,
    pub(super) done: Vec<Done>,
    pub(super) tokens: BTreeMap<Slot, Token>,
    pub(super) starts: BTreeMap<(Owner, usize), Start>,
    /// How many keys have a number: the callers' own, then the fresh ones.
    keys: usize,
    counter: u64,
}

pub(super) type Outcome = Result<Answer, Failure>;

impl Entry {
    /// C12: a claim holds off the deadline until its lease ends.
    pub fn set_lease(&mut self, mut lease: Lease) {
        lease.own_deadline = self.own_deadline();
        let until = lease.until;
        self.deadline = lease.own_deadline.map(|own| own.max(until));
        if let Some(wait) = &mut self.wait {
            wait.lease = Some(lease);
        }
    }

    pub fn end_lease(&mut self) -> Option<Lease> {
        self.deadline = self.own_deadline();
        self.wait.as_mut()?.lease.take()
    }

    pub fn own_deadline(&self) -> Option<Tick> {
        let lease = self.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        lease.map_or(self.deadline, |lease| lease.own_deadline)
    }
}

impl Model {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            now: 0,
            sessions: BTreeMap::new(),
            done: Vec::new(),
            tokens: BTreeMap::new(),
            starts: BTreeMap::new(),
            keys: KEYS,
            counter: 0,
        }
    }

    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    pub fn keys(&self) -> usize {
        self.keys
    }

    pub fn advance(&mut self, ticks: Tick) {
        self.now += ticks;
        let now = self.now;
        let is_live = |deadline: Option<Tick>| deadline.is_none_or(|deadline| now < deadline);
        self.sessions.retain(|_, entry| is_live(entry.deadline));
        self.done.retain(|done| now < done.until);
        self.starts.retain(|_, start| now < start.keep_until);
    }

    /// How long until everything that has an end has ended: sessions, leases, message windows. The
    /// records of starts can stay longer.
    pub fn quiet_in(&self) -> Tick {
        let entries = self.sessions.values();
        let leases = entries.clone().filter_map(|entry| {
            let lease = entry.wait.as_ref()?.lease.as_ref()?;
            Some(lease.until)
        });
        let deadlines = entries.filter_map(|entry| entry.deadline);
        let windows = self.done.iter().map(|done| done.until);
        let starts = self.starts.values().map(|start| start.until);
        let last = leases.chain(deadlines).chain(windows).chain(starts).max();
        last.map_or(0, |last| last.saturating_sub(self.now))
    }

    /// The callers and scopes of all records of starts.
    pub fn starts(&self) -> Vec<(Caller, usize)> {
        let starts = self.starts.keys().map(|(owner, scope)| {
            let (ctx, user) = (owner.place, owner.place.user.unwrap_or_default());
            (Caller { ctx, user }, *scope)
        });
        starts.collect()
    }

    pub fn apply(&mut self, op: &Op) -> Answer {
        self.outcome(op).unwrap_or_else(Answer::Failed)
    }

    fn outcome(&mut self, op: &Op) -> Outcome {
        match *op {
            Op::Create { .. } => self.create(op),
            Op::Get(key) => Ok(Answer::Session(self.seen(key))),
            Op::GetFenced(by, key) => {
                let own = self.within(Some(by), key).is_ok();
                Ok(Answer::Session(self.seen(key).filter(|_| own)))
            }
            Op::Update { .. } => self.update(op),
            Op::Remove {
                fence,
                key,
                if_revision,
            } => {
                let entry = self.within(fence, key)?;
                self.require_unclaimed(entry)?;
                require_revision(entry, if_revision)?;
                self.sessions.remove(&key);
                Ok(Answer::Done)
            }
            Op::Park { .. } => self.park(op),
            Op::Find(by, scope) => Ok(Answer::Found(
                readable(by).and_then(|owner| self.holder(owner, scope)),
            )),
            Op::Waits(by) => Ok(Answer::List(
                readable(by).map_or_else(Vec::new, |owner| self.waits(owner)),
            )),
            Op::Latest(by) => self.latest(by),
            Op::Clear(by, scope) => {
                let owner = readable(by).ok_or(Failure::InvalidInput)?;
                let Some(key) = self.holder(owner, scope) else {
                    return Ok(Answer::NothingToClear);
                };
                self.require_unclaimed(&self.sessions[&key])?;
                self.sessions.remove(&key);
                Ok(Answer::Cleared(key))
            }
            Op::Claim { .. } => self.claim(op),
            Op::Renew(slot, lease) => self.renew(slot, lease),
            Op::Release(slot) => self.release(slot),
            Op::Finish(slot) => self.commit(slot, None),
            Op::ParkAgain(slot, scope, ref next) => self.commit(slot, Some((scope, next))),
            Op::ClaimDue { lease, slot } => self.claim_due(lease, slot),
            Op::SetTimeout {
                fence,
                key,
                timeout,
            } => self.set_timeout(fence, key, timeout),
        }
    }

    /// The session of a key, if it is the caller's (C38).
    pub(super) fn within(&self, fence: Option<Who>, key: Key) -> Result<&Entry, Failure> {
        let entry = self.sessions.get(&key).ok_or(Failure::NotFound)?;
        let own = fence.is_none_or(|by| entry.owner == owner_of_session(by, key));
        own.then_some(entry).ok_or(Failure::NotFound)
    }

    fn latest(&self, by: Caller) -> Outcome {
        let Some(owner) = readable(by) else {
            return Ok(Answer::Session(None));
        };
        let waits = self.waits(owner);
        if waits.len() > 1 {
            return Err(Failure::MultipleWaits);
        }
        let newest = || {
            let mut own = self.sessions.iter();
            own.find_map(|(key, entry)| (entry.owner == owner && entry.newest).then_some(*key))
        };
        let key = waits.first().copied().or_else(newest);
        Ok(Answer::Session(key.and_then(|key| self.seen(key))))
    }

    pub(super) fn seen(&self, key: Key) -> Option<Seen> {
        self.sessions.get(&key).map(|entry| Seen {
            key,
            content: entry.content,
            names_user: entry.names_user,
            revision: entry.revision,
            deadline: entry.deadline,
        })
    }

    pub(super) fn holder(&self, owner: Owner, scope: usize) -> Option<Key> {
        let waits_there = |entry: &Entry| {
            let wait = entry.wait.as_ref().filter(|wait| !wait.is_closed(self.now));
            entry.owner == owner && wait.is_some_and(|wait| wait.scope == scope)
        };
        let mut sessions = self.sessions.iter();
        sessions.find_map(|(key, entry)| waits_there(entry).then_some(*key))
    }

    fn waits(&self, owner: Owner) -> Vec<Key> {
        let mut waits: Vec<(u64, Key)> = Vec::new();
        for (key, entry) in &self.sessions {
            if let (true, Some(wait)) = (entry.owner == owner, &entry.wait)
                && !wait.is_closed(self.now)
            {
                waits.push((wait.order, *key));
            }
        }
        waits.sort_unstable();
        waits.into_iter().map(|(_, key)| key).collect()
    }

    pub(super) fn require_unclaimed(&self, entry: &Entry) -> Result<(), Failure> {
        let lease = entry.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        match lease {
            Some(lease) if self.now < lease.until => Err(Failure::Claimed(lease.until)),
            _ => Ok(()),
        }
    }

    /// C27: while a start claim is live, nothing else takes its scope.
    pub(super) fn require_unstarted(&self, owner: Owner, scope: usize) -> Result<(), Failure> {
        match self.live_start(owner, scope) {
            Some(start) => Err(Failure::Claimed(start.until)),
            None => Ok(()),
        }
    }

    pub(super) fn live_start(&self, owner: Owner, scope: usize) -> Option<&Start> {
        let start = self.starts.get(&(owner, scope));
        start.filter(|start| !start.released && self.now < start.until)
    }

    pub(super) fn deadline(&self, ttl: Option<Tick>) -> Option<Tick> {
        ttl.map(|ttl| self.now + ttl)
    }

    pub(super) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub(super) fn draw_key(&mut self) -> Key {
        self.keys += 1;
        self.keys - 1
    }

    /// Stores data under a key for so long, and routes the scope to it (C9).
    pub(super) fn register(
        &mut self,
        owner: Owner,
        key: Key,
        scope: usize,
        next: &Parked,
        ttl: Option<Tick>,
    ) -> u64 {
        if let Some(holder) = self.holder(owner, scope)
            && let Some(displaced) = self.sessions.get_mut(&holder)
        {
            displaced.wait = None;
        }
        self.take(owner, scope);
        self.starts.remove(&(owner, scope));
        let before = self.sessions.get(&key);
        let revision = before.map_or(1, |entry| entry.revision + 1);
        let newest = before.is_some_and(|entry| entry.newest);
        let operation = before.and_then(|entry| entry.operation);
        let wait = Wait {
            scope,
            order: self.count(),
            attempt: 0,
            lease: None,
            released: None,
            timeout: next.timeout.map(|after| Timeout::new(after, self.now)),
        };
        let entry = Entry {
            owner,
            names_user: true,
            content: next.content,
            revision,
            deadline: self.deadline(ttl),
            ttl,
            operation,
            newest,
            wait: Some(wait),
        };
        self.sessions.insert(key, entry);
        revision
    }
}

/// The owner that a caller looks at by naming a user; none if the context is another user's.
pub(super) fn readable(by: Caller) -> Option<Owner> {
    let place = Who {
        user: Some(by.user),
        ..by.ctx
    };
    let own = by.ctx.user.is_none_or(|user| user == by.user);
    own.then_some(Owner { place, alone: None })
}

/// The owner of a session that this caller creates.
pub(super) fn owner_of_session(by: Who, key: Key) -> Owner {
    let alone = by.user.is_none().then_some(key);
    Owner { place: by, alone }
}

pub(super) fn require_revision(entry: &Entry, expected: Option<u64>) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != entry.revision => Err(Failure::RevisionMismatch {
            expected,
            current: entry.revision,
        }),
        _ => Ok(()),
    }
}
