//! A disk that stalls: writers are refused in time, and reads go on (C17).

use std::sync::Arc;
use std::time::Duration;

use greentic_session_testkit::{FaultyDisk, wait_until};
use greentic_types::ErrorCode;

use super::run::{NAME, Run, fresh, key};
use crate::backend::durable::config::DurableConfig;
use crate::clock::ManualClock;
use crate::error::SessionResult;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A store that holds one session.
fn open(config: DurableConfig) -> (FaultyDisk, Run) {
    let disk = fresh();
    let run = Run::open_with(config, &disk, &Arc::new(ManualClock::default())).unwrap();
    run.park("a", "s-1", "first", None).unwrap();
    (disk, run)
}

fn holds(run: &Run, name: &str) -> bool {
    run.api.get(&key(name)).unwrap().is_some()
}

#[test]
fn c17_a_stalled_disk_is_reported_and_queued_calls_are_not_done() {
    let (disk, run) = open(DurableConfig::new(NAME).timeout(Duration::from_millis(500)));
    disk.stall();
    let taken = run.park("b", "s-2", "taken up", None).unwrap_err();
    let queued = run.park("c", "s-3", "queued", None).unwrap_err();
    disk.go_on();
    assert_eq!(taken.code, ErrorCode::Timeout);
    assert!(taken.message.contains("done or not done"), "{taken}");
    assert_eq!(queued.code, ErrorCode::Timeout);
    assert!(queued.message.contains("nothing was done"), "{queued}");
    wait_until("the commit ends", TIMEOUT, || holds(&run, "b"));
    assert!(!holds(&run, "c"));
    run.close().unwrap();
}

#[test]
fn c17_reads_do_not_wait_for_a_commit() {
    let (disk, run) = open(DurableConfig::new(NAME));
    disk.stall();
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| run.park("a", "s-1", "second", None));
        // The commit cannot end before the reads have.
        for _ in 0..100 {
            let found = run.api.get(&key("a")).unwrap().unwrap();
            assert_eq!(found.revision, 1);
        }
        disk.go_on();
        writer.join().unwrap().unwrap();
    });
    assert_eq!(run.api.get(&key("a")).unwrap().unwrap().revision, 2);
}

#[test]
fn c17_a_full_queue_refuses_at_once_and_keeps_what_it_accepted() {
    let (disk, run) = open(DurableConfig::new(NAME).max_queued(2).max_batch(1));
    disk.stall();
    std::thread::scope(|threads| {
        let (names, run) = (["b", "c", "d", "e", "f"], &run);
        let park = |name| threads.spawn(move || run.park(name, name, name, None));
        let writers: Vec<_> = names.map(park).into();
        // While the disk stalls, one is taken up, two are queued and the others are refused.
        let refused = || writers.iter().filter(|writer| writer.is_finished()).count();
        wait_until("some are refused", TIMEOUT, || refused() >= 2);
        disk.go_on();
        let outcomes: Vec<_> = writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .collect();
        for (name, outcome) in names.into_iter().zip(outcomes) {
            assert_eq!(holds(run, name), is_done(outcome), "{name}");
        }
    });
}

fn is_done(outcome: SessionResult<()>) -> bool {
    match outcome {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.code, ErrorCode::RateLimited, "{error}");
            false
        }
    }
}
