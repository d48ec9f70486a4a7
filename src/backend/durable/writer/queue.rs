//! The queue in front of the writer.
//!
//! An entry belongs to a caller that waits. A caller that stops waiting removes its entry, and an
//! entry that the writer does not take up in time is refused, with nothing done. For the release of a
//! dropped claim nobody waits. A full queue
//! refuses further callers at once. So a slow disk slows callers down.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError};

use super::ledger::DurableLedger;
use super::queued_call::{Operation, QueuedCall};
use crate::backend::durable::file::StoreFile;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// How many operations join a batch in progress at a time: few, so that the writer runs them while
/// callers queue the next ones, but enough that it seldom sleeps in between.
const JOIN: usize = 16;

/// The position of an entry in the queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket(u64);

/// Marks the call that compacts the file. It cannot share a transaction with others.
pub struct Compaction;

pub type CompactCall = QueuedCall<Compaction, u64>;

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

/// What the writer does next.
pub enum Next {
    Batch(Vec<Arc<dyn Operation>>),
    Compact(Arc<CompactCall>),
    /// Nothing was queued in time.
    Idle,
    /// The store is being closed, and the queue is empty.
    Closed,
}

struct Entry {
    deadline: Instant,
    work: Work,
}

/// The batch that the writer works on.
struct InProgress {
    deadline: Instant,
    batch: Vec<Arc<dyn Operation>>,
}

#[derive(Default)]
struct State {
    last_ticket: u64,
    queued: BTreeMap<Ticket, Entry>,
    in_progress: Option<InProgress>,
    /// The number of queued entries at which the writer is woken.
    wake_at: usize,
    timer_sleeps: bool,
    closed: bool,
}

impl State {
    /// Takes the first operations, up to `limit` or up to an entry that cannot share a batch.
    fn take(&mut self, limit: usize) -> Vec<Arc<dyn Operation>> {
        let mut batch = Vec::with_capacity(limit.min(self.queued.len()));
        while batch.len() < limit {
            let Some(first) = self.queued.first_entry() else {
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

    /// Takes a compaction, if it is first.
    fn take_compaction(&mut self) -> Option<Arc<CompactCall>> {
        let first = self.queued.first_entry()?;
        let Work::Compact(call) = &first.get().work else {
            return None;
        };
        let call = Arc::clone(call);
        first.remove();
        Some(call)
    }
}

pub struct Queue {
    state: Mutex<State>,
    work: Condvar,
    timer: Condvar,
    timeout: Duration,
    capacity: usize,
    file: StoreFile,
}

impl Queue {
    pub fn new(timeout: Duration, capacity: usize, file: StoreFile) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            timer: Condvar::new(),
            timeout,
            capacity,
            file,
        }
    }

    /// Queues an operation for the next batch.
    pub fn submit<F, T>(&self, run: F) -> PendingCall<'_, F, T>
    where
        F: FnOnce(&mut DurableLedger<'_, '_>, Timestamp) -> SessionResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let call = Arc::new(QueuedCall::new(run));
        let ticket = self.push(Work::Operation(Arc::clone(&call) as Arc<dyn Operation>));
        self.pending(call, ticket)
    }

    /// Queues an operation whose result nobody waits for.
    pub fn submit_unattended<F, T>(&self, run: F)
    where
        F: FnOnce(&mut DurableLedger<'_, '_>, Timestamp) -> SessionResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.push(Work::Operation(Arc::new(QueuedCall::new(run))));
    }

    pub fn submit_compaction(&self) -> PendingCall<'_, Compaction, u64> {
        let call = Arc::new(QueuedCall::new(Compaction));
        let ticket = self.push(Work::Compact(Arc::clone(&call)));
        self.pending(call, ticket)
    }

    fn pending<F, T>(&self, call: Arc<QueuedCall<F, T>>, ticket: Ticket) -> PendingCall<'_, F, T> {
        PendingCall {
            call,
            ticket,
            queue: self,
            is_answered: false,
        }
    }

    fn push(&self, work: Work) -> Ticket {
        let deadline = Instant::now() + self.timeout;
        let mut state = self.state.lock();
        state.last_ticket += 1;
        let ticket = Ticket(state.last_ticket);
        if state.queued.len() >= self.capacity {
            drop(state);
            let reason = "is too busy: its queue is full, and nothing was done";
            work.refuse(self.file.error(ErrorCode::RateLimited, reason));
            return ticket;
        }
        state.queued.insert(ticket, Entry { deadline, work });
        if state.queued.len() >= state.wake_at {
            self.work.notify_one();
        }
        if std::mem::take(&mut state.timer_sleeps) {
            self.timer.notify_one();
        }
        ticket
    }

    /// Removes an entry, if the writer has not taken it up.
    fn cancel(&self, ticket: Ticket) {
        let entry = self.state.lock().queued.remove(&ticket);
        drop(entry);
    }

    /// Waits for work until `until`, and takes up to `limit` operations.
    pub fn next(&self, limit: usize, until: Instant) -> Next {
        let mut state = self.state.lock();
        // The last batch is answered. Dropping it may run code of its callers.
        if let Some(done) = state.in_progress.take() {
            drop(state);
            drop(done);
            state = self.state.lock();
        }
        state = self.wait_for_entries(state, 1, until);
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
        state.in_progress = Some(InProgress {
            deadline: Instant::now() + self.timeout,
            batch: batch.clone(),
        });
        Next::Batch(batch)
    }

    /// Adds operations to the batch in progress, up to `wanted` in all: those that are queued, or
    /// else those that are queued before `until`.
    pub fn join(&self, batch: &mut Vec<Arc<dyn Operation>>, wanted: usize, until: Instant) {
        let missing = wanted.saturating_sub(batch.len());
        if missing == 0 {
            return;
        }
        let mut state = self.wait_for_entries(self.state.lock(), missing.min(JOIN), until);
        // The callers of an overdue batch were refused. No other operation may join it.
        if state.in_progress.is_none() {
            return;
        }
        let more = state.take(missing);
        if let Some(in_progress) = &mut state.in_progress {
            in_progress.batch.extend_from_slice(&more);
        }
        batch.extend(more);
    }

    /// The number of queued entries.
    pub fn len(&self) -> usize {
        self.state.lock().queued.len()
    }

    /// Waits until `wanted` entries are queued, `until` has passed, or the store is being closed.
    fn wait_for_entries<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        wanted: usize,
        until: Instant,
    ) -> MutexGuard<'a, State> {
        state.wake_at = wanted;
        while state.queued.len() < wanted && !state.closed {
            let timed_out;
            (state, timed_out) = self.work.wait_until(state, until);
            if timed_out {
                break;
            }
        }
        state.wake_at = usize::MAX;
        state
    }

    /// Ends the writer thread after all queued work, and the timer thread.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.work.notify_all();
        self.timer.notify_all();
    }

    /// Refuses entries and batches whose deadline has passed, until the store is closed. The timer
    /// thread runs this.
    pub fn run_deadlines(&self) {
        let mut state = self.state.lock();
        while !state.closed {
            let now = Instant::now();
            let overdue = self.take_overdue(&mut state, now);
            if !overdue.is_empty() {
                drop(state);
                overdue.into_iter().for_each(|refuse| refuse());
                state = self.state.lock();
                continue;
            }
            let first = state.queued.values().next().map(|entry| entry.deadline);
            let batch = state.in_progress.as_ref().map(|batch| batch.deadline);
            match first.into_iter().chain(batch).min() {
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

    /// Takes what is overdue. It is refused without the lock, because that wakes the caller's code.
    fn take_overdue(&self, state: &mut State, now: Instant) -> Vec<Box<dyn FnOnce() + '_>> {
        let mut overdue: Vec<Box<dyn FnOnce() + '_>> = Vec::new();
        while let Some(first) = state.queued.first_entry() {
            if first.get().deadline > now {
                break;
            }
            let work = first.remove().work;
            overdue.push(Box::new(move || {
                let error = self.file.error(
                    ErrorCode::Timeout,
                    "is too busy: the call was not taken up in time, and nothing was done",
                );
                work.refuse(error);
            }));
        }
        let is_overdue = |batch: &InProgress| batch.deadline <= now;
        if state.in_progress.as_ref().is_some_and(is_overdue) {
            let batch = state.in_progress.take().map(|taken| taken.batch);
            overdue.push(Box::new(move || {
                for operation in batch.into_iter().flatten() {
                    let cause = "the disk does not answer in time";
                    operation.refuse(self.file.outcome_unknown(cause));
                }
            }));
        }
        overdue
    }
}

/// A call whose caller waits for the answer. Dropping it cancels the call, unless the writer has
/// taken it up.
pub struct PendingCall<'a, F, T> {
    call: Arc<QueuedCall<F, T>>,
    ticket: Ticket,
    queue: &'a Queue,
    is_answered: bool,
}

impl<F, T> Future for PendingCall<'_, F, T> {
    type Output = SessionResult<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = self.call.poll(context);
        self.is_answered |= answer.is_ready();
        answer
    }
}

impl<F, T> Drop for PendingCall<'_, F, T> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.queue.cancel(self.ticket);
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    fn queue(timeout: Duration) -> Queue {
        Queue::new(timeout, 100, StoreFile::new("joined.redb"))
    }

    fn first(queue: &Queue) -> Vec<Arc<dyn Operation>> {
        match queue.next(10, Instant::now()) {
            Next::Batch(batch) => batch,
            _ => Vec::new(),
        }
    }

    /// A call that is queued until the returned value is dropped.
    fn call(queue: &Queue) -> impl Future {
        queue.submit(|_ledger, _now| Ok(()))
    }

    #[test]
    fn c14_later_operations_join_the_batch_up_to_the_wanted_number() {
        let queue = queue(NEVER);
        let _calls = [call(&queue)];
        let mut batch = first(&queue);
        let _more = [call(&queue), call(&queue), call(&queue)];
        queue.join(&mut batch, 1, Instant::now() + NEVER);
        assert_eq!((batch.len(), queue.len()), (1, 3));
        queue.join(&mut batch, 3, Instant::now() + NEVER);
        assert_eq!((batch.len(), queue.len()), (3, 1));
        // After `until` the batch does not wait for another.
        queue.join(&mut batch, 10, Instant::now());
        queue.join(&mut batch, 10, Instant::now());
        assert_eq!((batch.len(), queue.len()), (4, 0));
    }

    #[test]
    fn c14_a_compaction_joins_no_batch_and_keeps_its_position() {
        let queue = queue(NEVER);
        let _call = call(&queue);
        let mut batch = first(&queue);
        assert_eq!(batch.len(), 1);
        let _compaction = queue.submit_compaction();
        let _later = call(&queue);
        queue.join(&mut batch, 10, Instant::now());
        assert_eq!((batch.len(), queue.len()), (1, 2));
        let next = queue.next(10, Instant::now());
        assert!(matches!(next, Next::Compact(_)));
        assert_eq!(first(&queue).len(), 1);
    }

    #[test]
    fn c17_no_operation_joins_an_overdue_batch() {
        let queue = queue(Duration::ZERO);
        let _call = call(&queue);
        let mut batch = first(&queue);
        for refuse in queue.take_overdue(&mut queue.state.lock(), Instant::now()) {
            refuse();
        }
        let other = call(&queue);
        queue.join(&mut batch, 10, Instant::now());
        assert_eq!((batch.len(), queue.len()), (1, 1));
        drop(other);
        assert_eq!(queue.len(), 0, "dropping a call removes it");
    }
}
