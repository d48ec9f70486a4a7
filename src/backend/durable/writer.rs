//! The one thread that writes: a batch of operations, one commit, then all answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_types::GreenticError;
use redb::{Database, ReadableDatabase, WriteTransaction};

use super::changes::Changes;
use super::config::Durability;
use super::intake::{CompactCall, Next};
use super::journal::Journal;
use super::ledger::DurableLedger;
use super::open::Opened;
use super::place::{Trouble, contained, trouble};
use super::reply::Operation;
use super::shared::Shared;
use super::state::StoreState;
use super::sweep::Sweeper;
use super::tables::{ReadTables, Table, WriteTables, write_state};
use super::view::{Snapshot, due_keys};
use crate::error::SessionResult;
use crate::ids::random_bits;

/// How often an idle writer looks for what has expired.
const IDLE: Duration = Duration::from_secs(1);
/// How much an idle writer reclaims in one commit.
const IDLE_BUDGET: usize = 1024;
/// How much a batch reclaims for each of its operations, besides its own work.
const SHARE: usize = 4;
/// How long a compaction waits for reads that are under way.
const READS_END_WITHIN: Duration = Duration::from_secs(5);

pub(super) struct Writer {
    shared: Arc<Shared>,
    database: Database,
    state: StoreState,
    sweeper: Sweeper,
    /// How many callers are likely to share the next commit; a lone caller is not kept waiting.
    expected: usize,
    /// Where commits go that are not synced at once; none if all are.
    journal: Option<Journal>,
    /// Since when a commit stands in the journal alone.
    unsynced: Option<Instant>,
}

/// Why a batch was not committed.
enum Stop {
    NotDone(Trouble, String),
    Unknown(String),
}

impl Stop {
    fn before_commit(error: &redb::Error) -> Self {
        Self::NotDone(trouble(error), error.to_string())
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
            expected: 1,
            unsynced: None,
        };
        let place = &writer.shared.place;
        let shown = writer.show_commit();
        shown.map_err(|error| place.storage_error(&error))?;
        Ok(writer)
    }

    /// Works until the store is closed, and closes the file.
    pub fn run(mut self) -> SessionResult<()> {
        loop {
            let until = self.wake_at();
            let limit = self.shared.config.max_batch;
            match self.shared.intake.next(limit, until) {
                Next::Batch(batch) => self.carry_out(batch),
                Next::Compact(call) => self.compact(&call),
                Next::Idle => self.rest(),
                Next::Closed => break,
            }
            if self.is_sync_due() {
                self.sync();
            }
        }
        self.close()
    }

    fn is_sync_due(&self) -> bool {
        let is_long = self.journal.as_ref().is_some_and(Journal::is_long);
        self.unsynced.is_some() && (is_long || Instant::now() >= self.wake_at())
    }

    fn wake_at(&self) -> Instant {
        let idle = Instant::now() + IDLE;
        match (self.unsynced, self.shared.config.durability) {
            (Some(since), Durability::SurvivesProcessCrash { sync_every }) => {
                idle.min(since + sync_every)
            }
            _ => idle,
        }
    }

    /// Reclaims what is due, if anything is; stops as soon as there is other work.
    fn rest(&mut self) {
        if self.shared.failure.cause().is_none() && self.is_anything_due() {
            self.carry_out(Vec::new());
        }
    }

    fn is_anything_due(&self) -> bool {
        let Some(snapshot) = self.shared.snapshot() else {
            return false;
        };
        let now = self.shared.clock.now();
        let due = snapshot.tables.table(Table::Due);
        let keys = contained(|| due_keys(due, now, self.sweeper.look_ahead()));
        match keys {
            Ok(Ok(keys)) => keys.iter().any(|key| self.sweeper.can_sweep(key)),
            _ => false,
        }
    }

    /// Does a batch, and what joins it on the way; an empty one only reclaims.
    fn carry_out(&mut self, mut batch: Vec<Arc<dyn Operation>>) {
        let shared = Arc::clone(&self.shared);
        if let Some(cause) = shared.failure.cause() {
            refuse(&batch, || shared.place.stopped(cause));
            return;
        }
        let before = self.state;
        let done = contained(|| self.transact(&mut batch))
            .unwrap_or_else(|panic| Err(Stop::Unknown(panic.to_owned())));
        match done {
            Ok(()) => {
                // Those who are answered may call again, besides those who wait already.
                self.expected = match batch.len() {
                    0 | 1 => 1,
                    shared_by => shared_by + shared.intake.waiting(),
                };
                batch.iter().for_each(|operation| operation.answer());
            }
            Err(stop) => {
                self.state = before;
                self.give_up(&batch, &stop);
            }
        }
    }

    fn give_up(&self, batch: &[Arc<dyn Operation>], stop: &Stop) {
        let place = &self.shared.place;
        match stop {
            Stop::NotDone(Trouble::Damage, cause) => refuse(batch, || place.damaged(cause)),
            Stop::NotDone(Trouble::Io, cause) => {
                self.shared.failure.set(cause.as_str());
                refuse(batch, || place.stopped(cause));
            }
            Stop::Unknown(cause) => {
                self.shared.failure.set(cause.as_str());
                refuse(batch, || place.outcome_unknown(cause));
            }
        }
    }

    fn transact(&mut self, batch: &mut Vec<Arc<dyn Operation>>) -> Result<(), Stop> {
        let follows = self.state.commit;
        let txn = self.begin(self.journal.is_none())?;
        let changes = self.fill(&txn, batch)?;
        // A commit that fails may be done; but nothing is after a write that failed before it.
        if let Some(cause) = self.shared.failure.cause() {
            return Err(Stop::NotDone(Trouble::Io, cause.to_owned()));
        }
        if !changes.are_any {
            let aborted = txn.abort();
            return aborted.map_err(|error| Stop::before_commit(&error.into()));
        }
        self.commit(txn)?;
        if let (Some(journal), Some(changes)) = (&mut self.journal, changes.noted) {
            let noted = journal.append(follows, &self.state, &changes);
            noted.map_err(|error| Stop::Unknown(error.to_string()))?;
            self.unsynced.get_or_insert_with(Instant::now);
        }
        if let Err(error) = self.show_commit() {
            // What readers saw so far is out of date.
            drop(self.shared.replace_snapshot(None));
            self.shared.failure.set(&error);
        }
        Ok(())
    }

    fn begin(&self, is_immediate: bool) -> Result<WriteTransaction, Stop> {
        let begun = self.database.begin_write();
        let mut txn = begun.map_err(|error| Stop::before_commit(&error.into()))?;
        txn.set_two_phase_commit(true);
        if is_immediate {
            txn.set_quick_repair(self.shared.config.quick_repair);
        } else {
            txn.set_durability(redb::Durability::None)
                .map_err(|error| Stop::before_commit(&error.into()))?;
        }
        Ok(txn)
    }

    /// Runs the batch over a transaction, and tells what is to be committed. Further operations join
    /// it meanwhile: their callers make them while it works on the first.
    fn fill(
        &mut self,
        txn: &WriteTransaction,
        batch: &mut Vec<Arc<dyn Operation>>,
    ) -> Result<Changes, Stop> {
        let shared = Arc::clone(&self.shared);
        let tables = WriteTables::open(txn).map_err(|error| Stop::before_commit(&error))?;
        let notes = self.journal.is_some();
        let mut ledger = DurableLedger::new(tables, &mut self.state, &shared.place, notes);
        let linger_end = Instant::now() + shared.config.linger;
        let wanted = self.expected.min(shared.config.max_batch);
        let mut ran = 0;
        while ran < batch.len() {
            for operation in &batch[ran..] {
                operation.run(&mut ledger, shared.clock.now());
                if let Some(trouble) = ledger.trouble() {
                    let cause = "a page cannot be reached".to_owned();
                    return Err(Stop::NotDone(trouble, cause));
                }
            }
            ran = batch.len();
            shared.intake.join(batch, wanted, linger_end);
        }
        let budget = match ran {
            0 => IDLE_BUDGET,
            _ => ran * SHARE,
        };
        let now = shared.clock.now();
        let swept = self.sweeper.sweep(&mut ledger, now, budget);
        if let (Err(error), Some(trouble)) = (&swept, ledger.trouble()) {
            return Err(Stop::NotDone(trouble, error.to_string()));
        }
        if ledger.has_changes() {
            let commit = self.journal.as_ref().map(|_| random_bits().get());
            let saved = ledger.save_state(now, commit);
            saved.map_err(|error| Stop::NotDone(Trouble::Io, error.to_string()))?;
        }
        Ok(ledger.into_changes())
    }

    fn commit(&self, txn: WriteTransaction) -> Result<(), Stop> {
        let committed = txn.commit();
        if let Some(cause) = self.shared.failure.cause() {
            return Err(Stop::Unknown(cause.to_owned()));
        }
        committed.map_err(|error| Stop::Unknown(error.to_string()))
    }

    /// Lets readers see the last commit.
    fn show_commit(&self) -> Result<(), redb::Error> {
        let txn = self.database.begin_read()?;
        let next = Snapshot {
            tables: ReadTables::open(&txn)?,
            place: self.shared.place.clone(),
        };
        drop(self.shared.replace_snapshot(Some(Arc::new(next))));
        Ok(())
    }

    /// Whether the file has not seen the last of the time that readers were told.
    fn is_clock_behind(&self) -> bool {
        self.shared.clock.now().since(self.state.clock) >= IDLE
    }

    /// Puts on the disk what stands in the journal alone, and the time.
    fn sync(&mut self) {
        self.unsynced = None;
        if self.shared.failure.cause().is_some() {
            return;
        }
        self.state.clock = self.state.clock.max(self.shared.clock.now());
        let synced = contained(|| {
            let txn = self.begin(true)?;
            self.save_state(&txn)
                .map_err(|error| Stop::before_commit(&error))?;
            self.commit(txn)
        });
        match synced {
            Ok(Ok(())) => self.clear_journal(),
            Ok(Err(stop)) => self.give_up(&[], &stop),
            Err(panic) => self.shared.failure.set(panic),
        }
    }

    fn clear_journal(&mut self) {
        let cleared = self.journal.as_mut().map_or(Ok(()), Journal::clear);
        if let Err(error) = cleared {
            self.shared.failure.set(&error);
        }
    }

    fn save_state(&self, txn: &WriteTransaction) -> Result<(), redb::Error> {
        write_state(&mut txn.open_table(Table::Meta.definition())?, &self.state)
    }

    fn compact(&mut self, call: &CompactCall) {
        let compacted = self.compact_file();
        call.finish(|_| compacted);
    }

    /// Compacts the file while nobody reads, and tells how many bytes it gave back.
    fn compact_file(&mut self) -> SessionResult<u64> {
        let shared = Arc::clone(&self.shared);
        // Compaction syncs the file, and what is in it must not be in the journal too.
        if self.unsynced.is_some() {
            self.sync();
        }
        if let Some(cause) = shared.failure.cause() {
            return Err(shared.place.stopped(cause));
        }
        let length = || std::fs::metadata(&shared.place.0).map_or(0, |file| file.len());
        let before = length();
        let compacted = match self.end_reads() {
            true => contained(|| self.database.compact()),
            false => return self.reads_go_on(),
        };
        let error = match compacted {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(redb::Error::from(error).to_string()),
            Err(panic) => Some(panic.to_owned()),
        };
        let stopped = shared.failure.cause().map(str::to_owned).or(error);
        if let Err(error) = self.show_commit() {
            shared.failure.set(&error);
        }
        match stopped {
            None => Ok(before.saturating_sub(length())),
            Some(cause) => {
                shared.failure.set(&cause);
                Err(shared.place.stopped(cause))
            }
        }
    }

    /// Takes the snapshot away from readers; false if some did not end in time.
    fn end_reads(&self) -> bool {
        let Some(last) = self.shared.replace_snapshot(None) else {
            return true;
        };
        let in_use = Arc::downgrade(&last);
        drop(last);
        let end = Instant::now() + READS_END_WITHIN;
        while in_use.strong_count() > 0 {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }

    fn reads_go_on(&self) -> SessionResult<u64> {
        let place = &self.shared.place;
        if let Err(error) = self.show_commit() {
            self.shared.failure.set(&error);
        }
        Err(place.error(
            greentic_types::ErrorCode::Unavailable,
            "was not compacted: a read takes too long",
        ))
    }

    fn close(mut self) -> SessionResult<()> {
        let shared = Arc::clone(&self.shared);
        if self.unsynced.is_some() || self.is_clock_behind() {
            self.sync();
        }
        drop(shared.replace_snapshot(None));
        let closed = contained(|| self.database.close());
        if let Some(cause) = shared.failure.cause() {
            return Err(shared.place.stopped(cause));
        }
        match closed {
            Ok(Ok(())) => {
                if let Some(journal) = self.journal.take() {
                    journal.remove();
                }
                Ok(())
            }
            Ok(Err(error)) => Err(shared.place.storage_error(&error.into())),
            Err(panic) => Err(shared.place.damaged(panic)),
        }
    }
}

fn refuse(batch: &[Arc<dyn Operation>], error: impl Fn() -> GreenticError) {
    for operation in batch {
        operation.refuse(error());
    }
}
