//! The queue in front of the writer.
//!
//! Each place in it belongs to a caller that waits: a caller that goes away takes its operation
//! along, and one that was not taken up in time is refused, with nothing done. So a slow disk holds
//! callers back. When all places are taken, further callers are refused at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError};

use super::ledger::DurableLedger;
use super::place::Place;
use super::reply::{Call, Operation, Reply};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// How many operations at once join a batch that is under way: few enough that the writer has some
/// to do while their callers make the rest, and enough that it seldom goes to sleep in between.
const JOIN: usize = 16;

/// The place of an operation in the queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// Marks the call that compacts the file; it cannot share a transaction with others.
pub(super) struct Compaction;

pub(super) type CompactCall = Call<Compaction, u64>;

enum Work {
    Operation(Arc<dyn Operation>),
    Compact(Arc<CompactCall>),
}

impl Work {
    fn refuse(self, error: GreenticError) {
        match self {
            Self::Operation(operation) => operation.refuse(error),
            Self::Compact(call) => call.finish(|_| Err(error)),
        }
    }
}

/// What the writer is to do next.
pub(super) enum Next {
    Batch(Vec<Arc<dyn Operation>>),
    Compact(Arc<CompactCall>),
    /// Nothing came in time.
    Idle,
    /// The store is being closed, and nothing is left to do.
    Closed,
}

struct Waiting {
    deadline: Instant,
    work: Work,
}

struct Taken {
    deadline: Instant,
    batch: Vec<Arc<dyn Operation>>,
}

#[derive(Default)]
struct State {
    last_ticket: u64,
    waiting: BTreeMap<Ticket, Waiting>,
    /// What the writer is busy with.
    taken: Option<Taken>,
    /// From how many operations on the writer wants to be woken.
    wanted: usize,
    timer_sleeps: bool,
    closed: bool,
}

impl State {
    /// Takes the first operations out, up to `limit` or to what cannot share a batch.
    fn take(&mut self, limit: usize) -> Vec<Arc<dyn Operation>> {
        let mut batch = Vec::with_capacity(limit.min(self.waiting.len()));
        while batch.len() < limit {
            let Some(first) = self.waiting.first_entry() else {
                break;
            };
            let Work::Operation(operation) = &first.get().work else {
                break;
            };
            batch.push(Arc::clone(operation));
            first.remove();
        }
        batch
    }

    /// Takes a compaction out, if it is first.
    fn take_compaction(&mut self) -> Option<Arc<CompactCall>> {
        let first = self.waiting.first_entry()?;
        let Work::Compact(call) = &first.get().work else {
            return None;
        };
        let call = Arc::clone(call);
        first.remove();
        Some(call)
    }
}

pub(super) struct Intake {
    state: Mutex<State>,
    work: Condvar,
    timer: Condvar,
    timeout: Duration,
    places: usize,
    place: Place,
}

impl Intake {
    pub fn new(timeout: Duration, places: usize, place: Place) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            timer: Condvar::new(),
            timeout,
            places,
            place,
        }
    }

    /// Queues an operation for the next batch.
    pub fn submit<F, T>(&self, run: F) -> Reply<'_, F, T>
    where
        F: FnOnce(&mut DurableLedger<'_, '_>, Timestamp) -> SessionResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let call = Arc::new(Call::new(run));
        let ticket = self.push(Work::Operation(Arc::clone(&call) as Arc<dyn Operation>));
        Reply {
            call,
            ticket,
            intake: self,
            is_answered: false,
        }
    }

    pub fn submit_compaction(&self) -> Reply<'_, Compaction, u64> {
        let call = Arc::new(Call::new(Compaction));
        let ticket = self.push(Work::Compact(Arc::clone(&call)));
        Reply {
            call,
            ticket,
            intake: self,
            is_answered: false,
        }
    }

    fn push(&self, work: Work) -> Ticket {
        let deadline = Instant::now() + self.timeout;
        let mut state = self.state.lock();
        state.last_ticket += 1;
        let ticket = Ticket(state.last_ticket);
        if state.waiting.len() >= self.places {
            drop(state);
            let reason = "is too busy: its queue is full, and nothing was done";
            work.refuse(self.place.error(ErrorCode::RateLimited, reason));
            return ticket;
        }
        state.waiting.insert(ticket, Waiting { deadline, work });
        if state.waiting.len() >= state.wanted {
            self.work.notify_one();
        }
        if std::mem::take(&mut state.timer_sleeps) {
            self.timer.notify_one();
        }
        ticket
    }

    /// Takes an operation back, if the writer has not taken it up.
    pub fn cancel(&self, ticket: Ticket) {
        let waiting = self.state.lock().waiting.remove(&ticket);
        drop(waiting);
    }

    /// Waits for work until `until`, and takes up to `limit` operations.
    pub fn next(&self, limit: usize, until: Instant) -> Next {
        let mut state = self.state.lock();
        // The operations before are answered; dropping them may run their callers' code.
        if let Some(done) = state.taken.take() {
            drop(state);
            drop(done);
            state = self.state.lock();
        }
        state = self.gather(state, 1, until);
        if let Some(call) = state.take_compaction() {
            return Next::Compact(call);
        }
        let batch = state.take(limit);
        if batch.is_empty() {
            return if state.closed {
                Next::Closed
            } else {
                Next::Idle
            };
        }
        state.taken = Some(Taken {
            deadline: Instant::now() + self.timeout,
            batch: batch.clone(),
        });
        Next::Batch(batch)
    }

    /// Adds operations to the batch that is under way until there are `wanted` in all: those that
    /// wait, or else those that come until `until`.
    pub fn join(&self, batch: &mut Vec<Arc<dyn Operation>>, wanted: usize, until: Instant) {
        let missing = wanted.saturating_sub(batch.len());
        if missing == 0 {
            return;
        }
        let mut state = self.gather(self.state.lock(), missing.min(JOIN), until);
        // The callers of a batch that is late have been refused; nobody else is to share that.
        if state.taken.is_none() {
            return;
        }
        let more = state.take(missing);
        if let Some(taken) = &mut state.taken {
            taken.batch.extend_from_slice(&more);
        }
        batch.extend(more);
    }

    /// How many wait to be taken up.
    pub fn waiting(&self) -> usize {
        self.state.lock().waiting.len()
    }

    /// Waits until so much is queued, or it is late, or the store is being closed.
    fn gather<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        wanted: usize,
        until: Instant,
    ) -> MutexGuard<'a, State> {
        state.wanted = wanted;
        while state.waiting.len() < wanted && !state.closed {
            let is_over;
            (state, is_over) = self.work.wait_until(state, until);
            if is_over {
                break;
            }
        }
        state.wanted = usize::MAX;
        state
    }

    /// Ends the writer and the timer once all that was queued is done.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_all();
        self.timer.notify_all();
    }

    /// Refuses what waits too long, until the store is closed: the timer thread's work.
    pub fn keep_time(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            let now = Instant::now();
            let late = self.take_late(&mut state, now);
            if !late.is_empty() {
                drop(state);
                late.into_iter().for_each(|refuse| refuse());
                state = self.state.lock();
                continue;
            }
            let first = state
                .waiting
                .values()
                .next()
                .map(|waiting| waiting.deadline);
            let taken = state.taken.as_ref().map(|taken| taken.deadline);
            match first.into_iter().chain(taken).min() {
                Some(deadline) => {
                    (state, _) = self.timer.wait_until(state, deadline);
                }
                None => {
                    state.timer_sleeps = true;
                    state = self.timer.wait(state);
                }
            }
        }
    }

    /// What is overdue, to be refused without the lock: a refusal wakes the caller's code.
    fn take_late(&self, state: &mut State, now: Instant) -> Vec<Box<dyn FnOnce() + '_>> {
        let mut late: Vec<Box<dyn FnOnce() + '_>> = Vec::new();
        while let Some(first) = state.waiting.first_entry() {
            if first.get().deadline > now {
                break;
            }
            let work = first.remove().work;
            late.push(Box::new(move || {
                let error = self.place.error(
                    ErrorCode::Timeout,
                    "is too busy: the call was not taken up in time, and nothing was done",
                );
                work.refuse(error);
            }));
        }
        if state
            .taken
            .as_ref()
            .is_some_and(|taken| taken.deadline <= now)
        {
            let batch = state.taken.take().map(|taken| taken.batch);
            late.push(Box::new(move || {
                for operation in batch.into_iter().flatten() {
                    let cause = "the disk does not answer in time";
                    operation.refuse(self.place.outcome_unknown(cause));
                }
            }));
        }
        late
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::path::PathBuf;

    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    fn intake(timeout: Duration) -> Intake {
        Intake::new(timeout, 100, Place(PathBuf::from("joined.redb")))
    }

    fn first(intake: &Intake) -> Vec<Arc<dyn Operation>> {
        match intake.next(10, Instant::now()) {
            Next::Batch(batch) => batch,
            _ => Vec::new(),
        }
    }

    /// A call that is queued as long as this is held.
    fn call(intake: &Intake) -> impl Future {
        intake.submit(|_ledger, _now| Ok(()))
    }

    #[test]
    fn c14_what_comes_meanwhile_joins_the_batch_as_far_as_it_is_wanted() {
        let intake = intake(NEVER);
        let _calls = [call(&intake)];
        let mut batch = first(&intake);
        let _more = [call(&intake), call(&intake), call(&intake)];
        intake.join(&mut batch, 1, Instant::now() + NEVER);
        assert_eq!((batch.len(), intake.waiting()), (1, 3));
        intake.join(&mut batch, 3, Instant::now() + NEVER);
        assert_eq!((batch.len(), intake.waiting()), (3, 1));
        // One that comes late is not waited for.
        intake.join(&mut batch, 10, Instant::now());
        intake.join(&mut batch, 10, Instant::now());
        assert_eq!((batch.len(), intake.waiting()), (4, 0));
    }

    #[test]
    fn c14_a_compaction_joins_no_batch_and_is_not_overtaken() {
        let intake = intake(NEVER);
        let _call = call(&intake);
        let mut batch = first(&intake);
        assert_eq!(batch.len(), 1);
        let _compaction = intake.submit_compaction();
        let _later = call(&intake);
        intake.join(&mut batch, 10, Instant::now());
        assert_eq!((batch.len(), intake.waiting()), (1, 2));
        let next = intake.next(10, Instant::now());
        assert!(matches!(next, Next::Compact(_)));
        assert_eq!(first(&intake).len(), 1);
    }

    #[test]
    fn c17_nobody_joins_a_batch_that_was_refused_as_late() {
        let intake = intake(Duration::ZERO);
        let _call = call(&intake);
        let mut batch = first(&intake);
        for late in intake.take_late(&mut intake.state.lock(), Instant::now()) {
            late();
        }
        let other = call(&intake);
        intake.join(&mut batch, 10, Instant::now());
        assert_eq!((batch.len(), intake.waiting()), (1, 1));
        drop(other);
        assert_eq!(intake.waiting(), 0, "who goes takes the operation along");
    }
}
