//! Interleavings of callers, writer and timer at the queue, explored:
//! `RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --features durable --lib explored`.
//!
//! A call that is never answered shows as a deadlock. The writer here refuses each operation in
//! words of its own, which takes the same way as an answer and needs no file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError};
use shuttle::future::block_on;
use shuttle::thread;

use super::intake::{Intake, Next};
use super::place::Place;

const RUNS: usize = 3_000;
const NEVER: Duration = Duration::from_secs(3600);
const CALLERS: usize = 3;

/// A queue with its writer and its timer; `taken` counts what the writer took up.
struct World {
    intake: Arc<Intake>,
    taken: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl World {
    fn start(timeout: Duration, places: usize, max_batch: usize) -> Self {
        let mut world = Self::stalled(timeout, places);
        let (queue, count) = (Arc::clone(&world.intake), Arc::clone(&world.taken));
        let writer = thread::spawn(move || write(&queue, max_batch, &count));
        world.threads.push(writer);
        world
    }

    /// A queue whose writer takes nothing up.
    fn stalled(timeout: Duration, places: usize) -> Self {
        let place = Place(PathBuf::from("explored.redb"));
        let intake = Arc::new(Intake::new(timeout, places, place));
        let queue = Arc::clone(&intake);
        Self {
            intake,
            taken: Arc::default(),
            threads: vec![thread::spawn(move || queue.keep_time())],
        }
    }

    fn call(&self) -> thread::JoinHandle<ErrorCode> {
        let intake = Arc::clone(&self.intake);
        thread::spawn(move || {
            let reply = intake.submit(|_ledger, _now| Ok(()));
            block_on(reply).expect_err("the writer refuses all").code
        })
    }

    /// Closes the queue, and tells how many operations the writer took up.
    fn close(self) -> usize {
        self.intake.close();
        for thread in self.threads {
            thread.join().unwrap();
        }
        self.taken.load(Ordering::SeqCst)
    }
}

fn write(intake: &Intake, max_batch: usize, taken: &AtomicUsize) {
    loop {
        let until = Instant::now() + NEVER;
        match intake.next(max_batch, until) {
            Next::Batch(mut batch) => {
                intake.join(&mut batch, max_batch, Instant::now());
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
            let world = World::start(NEVER, CALLERS, 2);
            let callers: Vec<_> = (0..CALLERS).map(|_| world.call()).collect();
            for caller in callers {
                assert_eq!(caller.join().unwrap(), ErrorCode::Unknown);
            }
            assert_eq!(world.close(), CALLERS);
        },
        RUNS,
    );
}

#[test]
fn c17_a_call_that_waits_too_long_is_answered_all_the_same() {
    shuttle::check_random(
        || {
            // Every deadline has passed: the timer and the writer race for each call.
            let world = World::start(Duration::ZERO, CALLERS, 2);
            let callers: Vec<_> = (0..CALLERS).map(|_| world.call()).collect();
            for caller in callers {
                let code = caller.join().unwrap();
                assert!(matches!(code, ErrorCode::Unknown | ErrorCode::Timeout));
            }
            assert!(world.close() <= CALLERS);
        },
        RUNS,
    );
}

#[test]
fn c17_a_call_that_is_never_taken_up_is_answered() {
    shuttle::check_random(
        || {
            let world = World::stalled(Duration::ZERO, CALLERS);
            let callers = [world.call(), world.call()];
            for caller in callers {
                assert_eq!(caller.join().unwrap(), ErrorCode::Timeout);
            }
            assert_eq!(world.close(), 0);
        },
        RUNS,
    );
}

#[test]
fn c17_a_full_queue_refuses_and_the_rest_is_answered() {
    shuttle::check_random(
        || {
            let world = World::start(NEVER, 1, 1);
            let callers: Vec<_> = (0..CALLERS).map(|_| world.call()).collect();
            let codes = callers.into_iter().map(|caller| caller.join().unwrap());
            let refused = codes.filter(|code| *code == ErrorCode::RateLimited).count();
            assert_eq!(world.close(), CALLERS - refused);
        },
        RUNS,
    );
}

#[test]
fn c14_a_caller_that_goes_away_takes_its_operation_along_or_it_is_taken_up() {
    shuttle::check_random(
        || {
            let world = World::start(NEVER, CALLERS, 2);
            let intake = Arc::clone(&world.intake);
            let leaver = thread::spawn(move || drop(intake.submit(|_ledger, _now| Ok(()))));
            let stayer = world.call();
            leaver.join().unwrap();
            assert_eq!(stayer.join().unwrap(), ErrorCode::Unknown);
            assert!((1..=2).contains(&world.close()));
        },
        RUNS,
    );
}

#[test]
fn c14_a_compaction_waits_for_its_turn() {
    shuttle::check_random(
        || {
            let world = World::start(NEVER, CALLERS, 2);
            let intake = Arc::clone(&world.intake);
            let compactor = thread::spawn(move || block_on(intake.submit_compaction()));
            let callers = [world.call(), world.call()];
            assert_eq!(compactor.join().unwrap().unwrap(), 0);
            for caller in callers {
                assert_eq!(caller.join().unwrap(), ErrorCode::Unknown);
            }
            assert_eq!(world.close(), 2);
        },
        RUNS,
    );
}
