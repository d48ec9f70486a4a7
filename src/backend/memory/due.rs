//! The waits with timeouts and the queues, by when they are due (C30, C33).

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};

use super::hashing::OwnerHash;
use super::keys::KeyHash;
use super::sharding::SHARDS;
use crate::clock::Timestamp;

/// Something that is due. Of two at the same instant a queue is the first, so that an answer that came in time
/// is not overtaken by a timeout (C30).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueItem {
    /// The queue of an owner that is due first.
    Queue(OwnerHash),
    /// The timeout of a session.
    Wait(KeyHash),
}

/// What is due of one shard of owners.
#[derive(Default)]
pub struct DueItems(BTreeSet<(Timestamp, DueItem)>);

impl DueItems {
    /// Moves an entry from one instant to another.
    pub fn reschedule(
        &mut self,
        item: DueItem,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.0.remove(&(before, item));
        }
        if let Some(after) = after {
            self.0.insert((after, item));
        }
    }

    pub fn contains(&self, item: DueItem, at: Timestamp) -> bool {
        self.0.contains(&(at, item))
    }

    /// Returns the next `limit` entries.
    pub fn after(
        &self,
        after: Option<(Timestamp, DueItem)>,
        limit: usize,
    ) -> Vec<(Timestamp, DueItem)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.0.range((from, Bound::Unbounded));
        next.take(limit).copied().collect()
    }

    pub fn first(&self) -> Option<(Timestamp, DueItem)> {
        self.0.first().copied()
    }

    pub fn remove(&mut self, entry: (Timestamp, DueItem)) {
        self.0.remove(&entry);
    }
}

/// The earliest instant of each shard, for readers without its lock.
pub struct Earliest(Box<[AtomicU64]>);

/// Stands for a shard in which nothing will be due.
const NEVER: u64 = u64::MAX;

impl Earliest {
    pub fn new() -> Self {
        Self((0..SHARDS).map(|_| AtomicU64::new(NEVER)).collect())
    }

    /// The caller holds the lock of the shard.
    pub fn publish(&self, shard: usize, due: &DueItems) {
        let earliest = due.first().map_or(NEVER, |(at, _)| at.as_millis());
        let known = &self.0[shard];
        if known.load(Ordering::Relaxed) != earliest {
            known.store(earliest, Ordering::Release);
        }
    }

    pub fn is_due(&self, shard: usize, now: Timestamp) -> bool {
        self.0[shard].load(Ordering::Acquire) <= now.as_millis()
    }

    /// The earliest instant of all shards.
    pub fn of_all(&self) -> Option<Timestamp> {
        let all = self.0.iter().map(|at| at.load(Ordering::Acquire)).min();
        all.filter(|at| *at != NEVER).map(Timestamp::from_millis)
    }
}
