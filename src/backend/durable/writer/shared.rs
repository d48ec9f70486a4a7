//! The state that the store, its writer thread and its timer thread share.

use std::sync::Arc;

use parking_lot::RwLock;
use redb::{Database, ReadableDatabase};

use super::queue::Queue;
use crate::backend::durable::clock::StoreClock;
use crate::backend::durable::config::DurableConfig;
use crate::backend::durable::file::{Failure, StoreFile};
use crate::backend::durable::rows::{ReadTables, Snapshot};
use crate::claim::ClaimToken;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::rules;
use crate::sealing::Sealing;

pub struct Shared {
    pub config: DurableConfig,
    pub file: StoreFile,
    pub sealing: Sealing,
    pub clock: StoreClock,
    pub queue: Queue,
    pub failure: Failure,
    /// The last commit. None while the file is compacted, or after it could not be read.
    snapshot: RwLock<Option<Arc<Snapshot>>>,
}

impl Shared {
    /// # Errors
    /// `InvalidInput` if the keyring of the configuration is wrong, `Unavailable` if it cannot be read.
    pub fn new(config: DurableConfig, clock: StoreClock, failure: Failure) -> SessionResult<Self> {
        #[cfg(feature = "encryption")]
        let sealing = Sealing::new(config.encryption.as_ref(), config.timeout)?;
        #[cfg(not(feature = "encryption"))]
        let sealing = Sealing::default();
        let file = StoreFile::new(&config.path);
        Ok(Self {
            queue: Queue::new(config.timeout, config.max_queued, file.clone()),
            config,
            file,
            sealing,
            clock,
            failure,
            snapshot: RwLock::new(None),
        })
    }

    /// Queues the release of a claim for which nobody waits.
    pub fn release_dropped(&self, token: ClaimToken) {
        self.queue
            .submit_unattended(move |ledger, now| rules::release(ledger, now, &token));
    }

    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.read().clone()
    }

    /// Returns the last commit and the time, read together: an older commit with a later time could
    /// miss a session whose deadline was extended in between.
    pub fn snapshot_now(&self) -> Option<(Arc<Snapshot>, Timestamp)> {
        let snapshot = self.snapshot.read();
        let now = self.clock.now();
        snapshot.clone().map(|snapshot| (snapshot, now))
    }

    /// Makes the last commit the one that readers see.
    pub fn publish_snapshot(&self, database: &Database) -> Result<(), redb::Error> {
        let txn = database.begin_read()?;
        let next = Snapshot {
            tables: ReadTables::open(&txn)?,
            file: self.file.clone(),
            sealing: self.sealing.clone(),
        };
        let previous = self.snapshot.write().replace(Arc::new(next));
        drop(previous);
        Ok(())
    }

    /// Takes the snapshot away from new readers, and returns it.
    pub fn withdraw_snapshot(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.write().take()
    }
}
