//! Faults of the disk at every write, sync and read of a script of operations, one fault in each run.
//! Afterwards the disk holds what was acknowledged (C17).

mod compaction;
mod dropped_claim;
mod idle;
mod log;
mod opening;
mod relaxed;
mod repair;
pub(super) mod run;
mod sharing;
mod stall;

use std::sync::Arc;

use greentic_session_testkit::{DiskFault, FaultyDisk, Lasting};
use greentic_types::ErrorCode;

use crate::claim::Commit;
use crate::clock::ManualClock;
use crate::error::SessionResult;
use crate::options::{CreateOptions, RemoveOptions, UpdateOptions};
use run::{MINUTE, NAME, Run, ctx, data, found_on, fresh, key, scope, user};

type Step = fn(&mut Run) -> SessionResult<()>;

/// Each step is at most one commit. Together they write, change and empty all tables.
const STEPS: [Step; 16] = [
    |run| run.park("a", "s-1", "first", None),
    |run| run.park("b", "s-2", "second", Some(MINUTE)),
    |run| {
        let options = CreateOptions::new().key(key("c"));
        run.api
            .create(&ctx(), data("third"), options)
            .map(|_outcome| ())
    },
    |run| {
        let longer = data(&"x".repeat(9_000));
        let updated = run.api.update(&key("a"), longer, UpdateOptions::new());
        updated.map(|_revision| ())
    },
    |run| run.claim("s-1", "m-1").map(|_outcome| ()),
    |run| run.commit(Commit::park(scope("s-3"), data("again"))),
    |run| run.park("d", "s-2", "displaces", Some(2 * MINUTE)),
    |run| run.api.remove(&key("c"), RemoveOptions::new()),
    |run| {
        run.api
            .clear(&ctx(), &user(), &scope("s-2"))
            .map(|_outcome| ())
    },
    |run| run.claim("s-3", "m-2").map(|_outcome| ()),
    |run| run.api.release(run.token.as_ref().unwrap()),
    |run| run.claim("s-3", "m-3").map(|_outcome| ()),
    |run| run.commit(Commit::Finish),
    |run| run.park("e", "s-4", &"y".repeat(20_000), None),
    |run| {
        run.clock.advance(MINUTE);
        Ok(())
    },
    // Removes what has expired.
    |run| run.park("f", "s-1", "last", None),
];

/// What the disk holds after each number of steps.
fn expected() -> Vec<Vec<String>> {
    let disk = fresh();
    let clock = Arc::new(ManualClock::default());
    let mut run = Run::open(&disk, &clock).unwrap();
    let mut all = vec![found_on(&disk.after_crash(), &clock)];
    for step in STEPS {
        step(&mut run).unwrap();
        all.push(found_on(&disk.after_crash(), &clock));
    }
    run.close().unwrap();
    assert_eq!(found_on(&disk, &clock), all[STEPS.len()]);
    all
}

/// How the steps ended on a faulty disk.
struct Ended {
    disk: FaultyDisk,
    clock: Arc<ManualClock>,
    acknowledged: usize,
    /// The error of the step that was not acknowledged, or of closing.
    error: Option<ErrorCode>,
}

/// Runs the steps until one fails. The fault occurs after `successes` operations of the disk.
fn run_to_the_fault(
    empty: &FaultyDisk,
    successes: usize,
    fault: DiskFault,
    lasting: Lasting,
) -> Ended {
    let disk = empty.after_crash();
    let clock = Arc::new(ManualClock::default());
    let mut run = Run::open(&disk, &clock).unwrap();
    let mut before = run.visible().unwrap();
    disk.fail_after(successes, fault, lasting);
    let mut ended = Ended {
        disk,
        clock,
        acknowledged: 0,
        error: None,
    };
    for step in STEPS {
        if let Err(error) = step(&mut run) {
            assert!(error.message.contains(NAME), "{error}");
            ended.error = Some(error.code);
            break;
        }
        ended.acknowledged += 1;
        if fault != DiskFault::ShortRead {
            before = run.visible().unwrap();
        }
    }
    if ended.error.is_some() {
        assert_stopped(&run, &before, fault);
    }
    if let Err(error) = run.close() {
        ended.error.get_or_insert(error.code);
    }
    ended
}

/// Further writes are refused, and reads see the last commit, unless the fault is one of reads.
fn assert_stopped(run: &Run, before: &[String], fault: DiskFault) {
    let refused = run.park("late", "s-1", "late", None).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable, "{refused}");
    if fault != DiskFault::ShortRead {
        assert_eq!(run.visible().unwrap(), before);
        let warnings = run.api.health().unwrap().warnings;
        assert_eq!(warnings[0].code, "writes_stopped");
    }
}

fn every_time(fault: DiskFault, lasting: Lasting) {
    let (empty, expected) = (fresh(), expected());
    for successes in 0.. {
        let ended = run_to_the_fault(&empty, successes, fault, lasting);
        if !ended.disk.has_failed() {
            assert!(successes > STEPS.len(), "{fault:?} occurred too rarely");
            assert_eq!((ended.acknowledged, ended.error), (STEPS.len(), None));
            return;
        }
        assert_ended_well(&ended, &expected, fault, successes);
    }
}

fn assert_ended_well(ended: &Ended, expected: &[Vec<String>], fault: DiskFault, successes: usize) {
    let context = format!("{fault:?} after {successes} successes: {:?}", ended.error);
    assert!(
        ended.error.is_some() || fault == DiskFault::ShortRead,
        "not reported: {context}"
    );
    if fault != DiskFault::ShortRead {
        assert_eq!(ended.disk.changes_since_fault(), 0, "{context}");
    }
    let done = &expected[ended.acknowledged];
    // Timeout is the one error that says "done or not done".
    let half_done = match ended.error {
        Some(ErrorCode::Timeout) => expected.get(ended.acknowledged + 1),
        _ => None,
    };
    let seed = successes as u64;
    for left in [ended.disk.after_crash(), ended.disk.after_power_loss(seed)] {
        let found = found_on(&left, &ended.clock);
        let is_right = found == *done || Some(&found) == half_done;
        assert!(is_right, "{context}\nfound {found:#?}\nexpected {done:#?}");
    }
}

#[test]
fn c17_torn_writes_lose_nothing() {
    every_time(DiskFault::TornWrite, Lasting::Once);
}

#[test]
fn c17_a_full_disk_loses_nothing() {
    every_time(DiskFault::NoSpace, Lasting::Forever);
}

#[test]
fn c17_a_sync_that_fails_once_stops_all_writes() {
    every_time(DiskFault::FailedSync, Lasting::Once);
}

#[test]
fn c17_short_reads_are_reported_and_lose_nothing() {
    every_time(DiskFault::ShortRead, Lasting::Once);
}
