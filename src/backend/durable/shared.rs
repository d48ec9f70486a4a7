//! What the store, its writer and its timer share.

use std::sync::Arc;

use parking_lot::RwLock;

use super::clock::StoreClock;
use super::config::DurableConfig;
use super::failstop::Failure;
use super::intake::Intake;
use super::place::Place;
use super::view::Snapshot;
use crate::clock::Timestamp;

pub(super) struct Shared {
    pub config: DurableConfig,
    pub place: Place,
    pub clock: StoreClock,
    pub intake: Intake,
    pub failure: Failure,
    /// The last commit; none while the file is compacted, or once it cannot be read.
    snapshot: RwLock<Option<Arc<Snapshot>>>,
}

impl Shared {
    pub fn new(config: DurableConfig, clock: StoreClock, failure: Failure) -> Self {
        let place = Place(config.path.clone());
        Self {
            intake: Intake::new(config.timeout, config.max_queued, place.clone()),
            config,
            place,
            clock,
            failure,
            snapshot: RwLock::new(None),
        }
    }

    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.read().clone()
    }

    /// The last commit, and the time while it is the last: an older commit is never looked at with a
    /// later time, which could miss what was kept alive in between.
    pub fn snapshot_now(&self) -> Option<(Arc<Snapshot>, Timestamp)> {
        let snapshot = self.snapshot.read();
        let now = self.clock.now();
        snapshot.clone().map(|snapshot| (snapshot, now))
    }

    /// Shows readers another commit, and returns the one they saw so far.
    pub fn replace_snapshot(&self, next: Option<Arc<Snapshot>>) -> Option<Arc<Snapshot>> {
        std::mem::replace(&mut *self.snapshot.write(), next)
    }
}
