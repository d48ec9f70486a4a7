//! Group commit: the writer thread, which runs a batch of operations, commits once, and then answers
//! every caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError};
use redb::{Database, WriteTransaction};

use super::changes::Changes;
use super::compaction::compact;
use super::ledger::DurableLedger;
use super::queue::{CompactCall, Next};
use super::queued_call::Operation;
use super::shared::Shared;
use super::sweep::Sweeper;
use crate::backend::durable::config::Durability;
use crate::backend::durable::file::{
    Journal, Opened, StorageErrorKind, catch_corruption, error_kind, write_state,
};
use crate::backend::durable::format::{StoreState, Table};
use crate::backend::durable::rows::{WriteTables, expired_keys};
use crate::error::SessionResult;
use crate::ids::random_bits;
use crate::observe::{Event, Fact, Level, Storage};

/// How often an idle writer looks for expired rows.
const IDLE: Duration = Duration::from_secs(1);
/// How much an idle writer removes in one commit. Little, because callers wait behind it.
const IDLE_BUDGET: usize = 256;
/// After which pause a writer that left expired rows behind removes the next ones.
const PAUSE: Duration = Duration::from_millis(10);
/// How much a batch removes per operation, besides its own work.
const SWEPT_PER_OPERATION: usize = 4;

pub struct Writer {
    shared: Arc<Shared>,
    database: Database,
    state: StoreState,
    sweeper: Sweeper,
    /// Whether the last batch may have left expired rows behind.
    has_backlog: bool,
    /// How many callers are likely to share the next commit. A lone caller is not delayed.
    expected: usize,
    journal: Journal,
    /// When the first commit was made that is in the journal alone.
    unsynced: Option<Instant>,
}

/// Why a batch was not committed.
enum Abort {
    NotDone(StorageErrorKind, String),
    Unknown(String),
}

impl Abort {
    fn before_commit(error: &redb::Error) -> Self {
        Self::NotDone(error_kind(error), error.to_string())
    }
}

impl Writer {
    pub fn new(shared: Arc<Shared>, opened: Opened) -> SessionResult<Self> {
        let writer = Self {
            shared,
            database: opened.database,
            state: opened.state,
            journal: opened.journal,
            sweeper: Sweeper::default(),
            has_backlog: false,
            expected: 1,
            unsynced: None,
        };
        let published = writer.shared.publish_snapshot(&writer.database);
        published.map_err(|error| writer.shared.file.storage_error(&error))?;
        Ok(writer)
    }

    /// Works until the store is closed, and closes the file.
    pub fn run(mut self) -> SessionResult<()> {
        loop {
            let until = self.wake_at();
            let limit = self.shared.config.max_batch;
            match self.shared.queue.next(limit, until) {
                Next::Batch(batch) => self.commit_batch(batch),
                Next::Compact(call) => self.compact(&call),
                Next::Idle => self.use_idle_time(),
                Next::Closed => break,
            }
            if self.is_sync_due() {
                self.sync();
            }
        }
        self.close()
    }

    fn is_sync_due(&self) -> bool {
        let is_long = self.journal.is_long();
        self.unsynced.is_some() && (is_long || Instant::now() >= self.wake_at())
    }

    fn wake_at(&self) -> Instant {
        let pause = if self.has_backlog { PAUSE } else { IDLE };
        let idle = Instant::now() + pause;
        match (self.unsynced, self.shared.config.durability) {
            (Some(since), Durability::SurvivesProcessCrash { sync_every }) => {
                idle.min(since + sync_every)
            }
            _ => idle,
        }
    }

    /// Removes what has expired, and syncs the file if there is no more of that. With relaxed
    /// durability the file is synced in time anyway.
    fn use_idle_time(&mut self) {
        if self.shared.failure.cause().is_none() && self.can_sweep() {
            self.commit_batch(Vec::new());
        }
        let is_strict = self.shared.config.durability == Durability::SurvivesPowerLoss;
        if is_strict && !self.has_backlog && self.unsynced.is_some() {
            self.sync();
        }
    }

    /// Whether anything has expired that can be removed.
    fn can_sweep(&self) -> bool {
        let Some(snapshot) = self.shared.snapshot() else {
            return false;
        };
        let now = self.shared.clock.now();
        let expiry = snapshot.tables.table(Table::Expiry);
        let keys = catch_corruption(|| expired_keys(expiry, now, self.sweeper.look_ahead()));
        match keys {
            Ok(Ok(keys)) => keys.iter().any(|key| self.sweeper.can_sweep(key)),
            _ => false,
        }
    }

    /// Commits a batch together with the operations that join it, and answers all. An empty batch
    /// only removes what has expired.
    fn commit_batch(&mut self, mut batch: Vec<Arc<dyn Operation>>) {
        let shared = Arc::clone(&self.shared);
        if let Some(cause) = shared.failure.cause() {
            refuse(&batch, || shared.file.writes_stopped(cause));
            return;
        }
        let before = self.state;
        let begun = shared.config.watch.begin();
        let committed = catch_corruption(|| self.run_and_commit(&mut batch))
            .unwrap_or_else(|reason| Err(Abort::Unknown(reason.to_owned())));
        if let Some(took) = begun.took().filter(|_| !batch.is_empty()) {
            self.tell(took, batch.len(), committed.as_ref().err());
        }
        match committed {
            Ok(()) => {
                // The answered callers may call again, besides those that wait already.
                self.expected = match batch.len() {
                    0 | 1 => 1,
                    shared_by => shared_by + shared.queue.len(),
                };
                batch.iter().for_each(|operation| operation.answer());
            }
            Err(abort) => {
                self.state = before;
                self.refuse_batch(&batch, &abort);
            }
        }
    }

    /// Tells the observer of a commit.
    fn tell(&self, took: Duration, batch: usize, abort: Option<&Abort>) {
        let watch = &self.shared.config.watch;
        let error = abort.map(|abort| match abort {
            Abort::NotDone(StorageErrorKind::Damaged, _) => ErrorCode::Internal,
            Abort::NotDone(StorageErrorKind::Io, _) => ErrorCode::Unavailable,
            Abort::Unknown(_) => ErrorCode::Timeout,
        });
        watch.tell(&Event::Storage(Storage::new(
            "durable", "commit", took, error,
        )));
        let levels = [
            (Level::Batch, batch),
            (Level::Queued, self.shared.queue.len()),
        ];
        for (level, value) in levels {
            let (backend, value) = ("durable", value as u64);
            watch.tell(&Event::Level {
                backend,
                level,
                value,
            });
        }
    }

    fn refuse_batch(&self, batch: &[Arc<dyn Operation>], abort: &Abort) {
        let file = &self.shared.file;
        match abort {
            Abort::NotDone(StorageErrorKind::Damaged, cause) => {
                refuse(batch, || file.damaged(cause));
            }
            Abort::NotDone(StorageErrorKind::Io, cause) => {
                self.shared.failure.set(cause.as_str());
                refuse(batch, || file.writes_stopped(cause));
            }
            Abort::Unknown(cause) => {
                self.shared.failure.set(cause.as_str());
                refuse(batch, || file.outcome_unknown(cause));
            }
        }
    }

    fn run_and_commit(&mut self, batch: &mut Vec<Arc<dyn Operation>>) -> Result<(), Abort> {
        let follows = self.state.commit;
        let txn = self.begin(false)?;
        let changes = self.run_batch(&txn, batch)?;
        // After a failed write nothing may be committed. A commit that fails may be done or not.
        if let Some(cause) = self.shared.failure.cause() {
            return Err(Abort::NotDone(StorageErrorKind::Io, cause.to_owned()));
        }
        if changes.all.is_empty() {
            let aborted = txn.abort();
            return aborted.map_err(|error| Abort::before_commit(&error.into()));
        }
        self.commit(txn)?;
        let appended = self.journal.append(follows, &self.state, &changes.all);
        let appended = appended.map_err(|error| Abort::Unknown(error.to_string()))?;
        self.unsynced.get_or_insert_with(Instant::now);
        if !appended {
            self.sync();
            if let Some(cause) = self.shared.failure.cause() {
                return Err(Abort::Unknown(cause.to_owned()));
            }
        }
        if let Err(error) = self.shared.publish_snapshot(&self.database) {
            // The snapshot that readers have is out of date.
            drop(self.shared.withdraw_snapshot());
            self.shared.failure.set(&error);
        }
        Ok(())
    }

    fn begin(&self, is_immediate: bool) -> Result<WriteTransaction, Abort> {
        let begun = self.database.begin_write();
        let mut txn = begun.map_err(|error| Abort::before_commit(&error.into()))?;
        txn.set_two_phase_commit(true);
        if is_immediate {
            txn.set_quick_repair(self.shared.config.quick_repair);
        } else {
            txn.set_durability(redb::Durability::None)
                .map_err(|error| Abort::before_commit(&error.into()))?;
        }
        Ok(txn)
    }

    /// Runs the batch over a transaction, and returns what there is to commit. Operations that are
    /// queued meanwhile join the batch.
    fn run_batch(
        &mut self,
        txn: &WriteTransaction,
        batch: &mut Vec<Arc<dyn Operation>>,
    ) -> Result<Changes, Abort> {
        let shared = Arc::clone(&self.shared);
        let tables = WriteTables::open(txn).map_err(|error| Abort::before_commit(&error))?;
        let edge = (&shared.file, &shared.sealing);
        let mut ledger = DurableLedger::new(tables, &mut self.state, edge);
        let linger_end = Instant::now() + shared.config.linger;
        let wanted = self.expected.min(shared.config.max_batch);
        let mut ran = 0;
        while ran < batch.len() {
            for operation in &batch[ran..] {
                operation.run(&mut ledger, shared.clock.now());
                if let Some(kind) = ledger.storage_error() {
                    let cause = "a page cannot be reached".to_owned();
                    return Err(Abort::NotDone(kind, cause));
                }
            }
            ran = batch.len();
            shared.queue.join(batch, wanted, linger_end);
        }
        let budget = match ran {
            0 => IDLE_BUDGET,
            _ => ran * SWEPT_PER_OPERATION,
        };
        let now = shared.clock.now();
        let swept = self.sweeper.sweep(&mut ledger, now, budget);
        self.has_backlog = swept.as_ref().is_ok_and(|swept| *swept == budget);
        let count = *swept.as_ref().unwrap_or(&0);
        shared.config.watch.fact("durable", Fact::Swept, count);
        if let (Err(error), Some(kind)) = (&swept, ledger.storage_error()) {
            return Err(Abort::NotDone(kind, error.to_string()));
        }
        if ledger.has_changes() {
            let saved = ledger.save_state(now, random_bits().get());
            saved.map_err(|error| Abort::NotDone(StorageErrorKind::Io, error.to_string()))?;
        }
        Ok(ledger.into_changes())
    }

    fn commit(&self, txn: WriteTransaction) -> Result<(), Abort> {
        let committed = txn.commit();
        if let Some(cause) = self.shared.failure.cause() {
            return Err(Abort::Unknown(cause.to_owned()));
        }
        committed.map_err(|error| Abort::Unknown(error.to_string()))
    }

    /// Syncs the commits that are in the journal alone, and the time.
    fn sync(&mut self) {
        self.unsynced = None;
        if self.shared.failure.cause().is_some() {
            return;
        }
        self.state.clock = self.state.clock.max(self.shared.clock.now());
        let synced = catch_corruption(|| {
            let txn = self.begin(true)?;
            self.save_state(&txn)
                .map_err(|error| Abort::before_commit(&error))?;
            self.commit(txn)
        });
        match synced {
            Ok(Ok(())) => self.clear_journal(),
            Ok(Err(abort)) => self.refuse_batch(&[], &abort),
            Err(reason) => self.shared.failure.set(reason),
        }
    }

    fn clear_journal(&mut self) {
        if let Err(error) = self.journal.clear() {
            self.shared.failure.set(&error);
        }
    }

    fn save_state(&self, txn: &WriteTransaction) -> Result<(), redb::Error> {
        write_state(&mut txn.open_table(Table::Meta.definition())?, &self.state)
    }

    fn compact(&mut self, call: &CompactCall) {
        // Compaction syncs the file, and the journal must not contain what the synced file has.
        if self.unsynced.is_some() {
            self.sync();
        }
        let compacted = compact(&mut self.database, &self.shared);
        call.finish(|_| compacted);
    }

    /// Whether the time that readers have seen is well ahead of the time in the file.
    fn is_clock_behind(&self) -> bool {
        self.shared.clock.now().since(self.state.clock) >= IDLE
    }

    fn close(mut self) -> SessionResult<()> {
        let shared = Arc::clone(&self.shared);
        if self.unsynced.is_some() || self.is_clock_behind() {
            self.sync();
        }
        drop(shared.withdraw_snapshot());
        let closed = catch_corruption(|| self.database.close());
        if let Some(cause) = shared.failure.cause() {
            return Err(shared.file.writes_stopped(cause));
        }
        match closed {
            Ok(Ok(())) => {
                self.journal.remove();
                Ok(())
            }
            Ok(Err(error)) => Err(shared.file.storage_error(&error.into())),
            Err(reason) => Err(shared.file.damaged(reason)),
        }
    }
}

fn refuse(batch: &[Arc<dyn Operation>], error: impl Fn() -> GreenticError) {
    for operation in batch {
        operation.refuse(error());
    }
}
