//! Random interleavings of callers, writer and timer at the queue, run by shuttle:
//! `RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --features durable --lib shuttle_tests`.
//!
//! A call that is never answered shows as a deadlock. The writer of these tests refuses every
//! operation, which uses the same path as an answer and needs no file.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError};
use shuttle::future::block_on;
use shuttle::thread;

use super::queue::{Next, Queue};
use crate::backend::durable::file::StoreFile;

const RUNS: usize = 3_000;
const NEVER: Duration = Duration::from_secs(3600);
const CALLERS: usize = 3;

/// A queue with its writer and its timer. `taken` counts the operations that the writer took up.
struct TestQueue {
    queue: Arc<Queue>,
    taken: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl TestQueue {
    fn start(timeout: Duration, capacity: usize, max_batch: usize) -> Self {
        let mut test = Self::without_writer(timeout, capacity);
        let (queue, count) = (Arc::clone(&test.queue), Arc::clone(&test.taken));
        let writer = thread::spawn(move || write(&queue, max_batch, &count));
        test.threads.push(writer);
        test
    }

    /// A queue without a writer.
    fn without_writer(timeout: Duration, capacity: usize) -> Self {
        let file = StoreFile::new("shuttle.redb");
        let queue = Arc::new(Queue::new(timeout, capacity, file));
        let timed = Arc::clone(&queue);
        Self {
            queue,
            taken: Arc::default(),
            threads: vec![thread::spawn(move || timed.run_deadlines())],
        }
    }

    fn call(&self) -> thread::JoinHandle<ErrorCode> {
        let queue = Arc::clone(&self.queue);
        thread::spawn(move || {
            let call = queue.submit(|_ledger, _now| Ok(()));
            block_on(call).expect_err("the writer refuses all").code
        })
    }

    /// Closes the queue, and returns how many operations the writer took up.
    fn close(self) -> usize {
        self.queue.close();
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.taken.load(Ordering::SeqCst)
    }
}

fn write(queue: &Queue, max_batch: usize, taken: &AtomicUsize) {
    loop {
        let until = Instant::now() + NEVER;
        match queue.next(max_batch, until) {
            Next::Batch(mut batch) => {
                queue.join(&mut batch, max_batch, Instant::now());
                assert!(!batch.is_empty() && batch.len() <= max_batch);
                taken.fetch_add(batch.len(), Ordering::SeqCst);
                for operation in batch {
                    operation.refuse(GreenticError::new(ErrorCode::Unknown, "taken up"));
                }
            }
            Next::Compact(call) => call.finish(|_| Ok(0)),
            Next::Idle => {}
            Next::Closed => return,
        }
    }
}

#[test]
fn c14_each_call_is_taken_up_and_answered_once() {
    shuttle::check_random(
        || {
            let test = TestQueue::start(NEVER, CALLERS, 2);
            let callers: Vec<_> = (0..CALLERS).map(|_| test.call()).collect();
            for caller in callers {
                assert_eq!(caller.join().unwrap(), ErrorCode::Unknown);
            }
            assert_eq!(test.close(), CALLERS);
        },
        RUNS,
    );
}

#[test]
fn c17_an_overdue_call_is_answered() {
    shuttle::check_random(
        || {
            // Every deadline has passed: the timer and the writer race for each call.
            let test = TestQueue::start(Duration::ZERO, CALLERS, 2);
            let callers: Vec<_> = (0..CALLERS).map(|_| test.call()).collect();
            for caller in callers {
                let code = caller.join().unwrap();
                assert!(matches!(code, ErrorCode::Unknown | ErrorCode::Timeout));
            }
            assert!(test.close() <= CALLERS);
        },
        RUNS,
    );
}

#[test]
fn c17_a_call_that_is_never_taken_up_is_answered() {
    shuttle::check_random(
        || {
            let test = TestQueue::without_writer(Duration::ZERO, CALLERS);
            let callers = [test.call(), test.call()];
            for caller in callers {
                assert_eq!(caller.join().unwrap(), ErrorCode::Timeout);
            }
            assert_eq!(test.close(), 0);
        },
        RUNS,
    );
}

#[test]
fn c17_a_full_queue_refuses_and_the_rest_is_answered() {
    shuttle::check_random(
        || {
            let test = TestQueue::start(NEVER, 1, 1);
            let callers: Vec<_> = (0..CALLERS).map(|_| test.call()).collect();
            let codes = callers.into_iter().map(|caller| caller.join().unwrap());
            let refused = codes.filter(|code| *code == ErrorCode::RateLimited).count();
            assert_eq!(test.close(), CALLERS - refused);
        },
        RUNS,
    );
}

#[test]
fn c14_a_dropped_call_is_removed_or_taken_up() {
    shuttle::check_random(
        || {
            let test = TestQueue::start(NEVER, CALLERS, 2);
            let queue = Arc::clone(&test.queue);
            let dropper = thread::spawn(move || drop(queue.submit(|_ledger, _now| Ok(()))));
            let caller = test.call();
            dropper.join().unwrap();
            assert_eq!(caller.join().unwrap(), ErrorCode::Unknown);
            assert!((1..=2).contains(&test.close()));
        },
        RUNS,
    );
}

#[test]
fn c14_a_compaction_and_the_calls_around_it_are_answered() {
    shuttle::check_random(
        || {
            let test = TestQueue::start(NEVER, CALLERS, 2);
            let queue = Arc::clone(&test.queue);
            let compactor = thread::spawn(move || block_on(queue.submit_compaction()));
            let callers = [test.call(), test.call()];
            assert_eq!(compactor.join().unwrap().unwrap(), 0);
            for caller in callers {
                assert_eq!(caller.join().unwrap(), ErrorCode::Unknown);
            }
            assert_eq!(test.close(), 2);
        },
        RUNS,
    );
}
