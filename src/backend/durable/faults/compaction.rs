//! Faults of the disk during a compaction: no row is lost.

use std::sync::Arc;

use greentic_session_testkit::{DiskFault, FaultyDisk, Lasting};

use super::run::{Run, ctx, found_on, fresh, scope, user};
use crate::clock::ManualClock;

/// A crashed disk whose file has free pages between used ones.
fn with_free_pages() -> FaultyDisk {
    let disk = fresh();
    let run = Run::open(&disk, &Arc::new(ManualClock::default())).unwrap();
    for index in 0..8 {
        let name = format!("gone-{index}");
        run.park(&name, &name, &"x".repeat(30_000), None).unwrap();
    }
    for name in ["a", "b", "c"] {
        run.park(name, name, &"y".repeat(5_000), None).unwrap();
    }
    for index in 0..8 {
        let gone = scope(&format!("gone-{index}"));
        let _cleared = run.api.clear(&ctx(), &user(), &gone).unwrap();
    }
    let left = disk.after_crash();
    run.close().unwrap();
    left
}

fn every_time(fault: DiskFault) {
    let full = with_free_pages();
    let clock = Arc::new(ManualClock::default());
    let expected = found_on(&full.after_crash(), &clock);
    for successes in 0.. {
        let disk = full.after_crash();
        let run = Run::open(&disk, &clock).unwrap();
        disk.fail_after(successes, fault, Lasting::Once);
        let compacted = run.store.compact();
        let has_failed = disk.has_failed();
        // A read may also fail after the compaction is done.
        if fault != DiskFault::ShortRead {
            let context = format!("{fault:?} after {successes}");
            assert_eq!(compacted.is_err(), has_failed, "{context}");
            run.visible().unwrap();
        }
        let seed = successes as u64;
        for left in [disk.after_crash(), disk.after_power_loss(seed)] {
            assert_eq!(
                found_on(&left, &clock),
                expected,
                "{fault:?} after {successes}"
            );
        }
        if !has_failed {
            return;
        }
    }
}

#[test]
fn c17_a_compaction_that_fails_loses_nothing() {
    for fault in [
        DiskFault::TornWrite,
        DiskFault::NoSpace,
        DiskFault::FailedSync,
        DiskFault::ShortRead,
    ] {
        every_time(fault);
    }
}
