//! Faults of the disk while a store is opened: the error names the path, and the file stays intact.

use std::sync::Arc;

use greentic_session_testkit::{DiskFault, FaultyDisk, Lasting};

use super::run::{NAME, Run, found_on, fresh};
use crate::clock::ManualClock;

const FAULTS: [DiskFault; 4] = [
    DiskFault::TornWrite,
    DiskFault::NoSpace,
    DiskFault::FailedSync,
    DiskFault::ShortRead,
];

/// Opens the disk again and again, with the fault one operation later each time. What the disk holds
/// must not change.
fn every_time(disk: &FaultyDisk, fault: DiskFault) {
    let clock = Arc::new(ManualClock::default());
    let expected = found_on(&disk.after_crash(), &clock);
    let mut refused = 0;
    for successes in 0.. {
        let disk = disk.after_crash();
        disk.fail_after(successes, fault, Lasting::Once);
        match Run::open(&disk, &clock) {
            Ok(run) => drop(run),
            Err(error) => {
                refused += 1;
                assert!(error.message.contains(NAME), "{error}");
            }
        }
        for left in [disk.after_crash(), disk.after_power_loss(successes as u64)] {
            assert_eq!(
                found_on(&left, &clock),
                expected,
                "{fault:?} after {successes}"
            );
        }
        if !disk.has_failed() {
            break;
        }
    }
    assert!(refused > 0, "{fault:?} had no effect");
}

fn filled() -> (FaultyDisk, Run) {
    let disk = fresh();
    let run = Run::open(&disk, &Arc::new(ManualClock::default())).unwrap();
    for name in ["a", "b"] {
        run.park(name, name, &"x".repeat(5_000), None).unwrap();
    }
    (disk, run)
}

#[test]
fn c17_faults_while_a_closed_store_is_opened_harm_nothing() {
    let (disk, run) = filled();
    run.close().unwrap();
    for fault in FAULTS {
        every_time(&disk, fault);
    }
}

#[test]
fn c17_faults_while_a_store_is_repaired_harm_nothing() {
    let (disk, run) = filled();
    let crashed = disk.after_crash();
    run.close().unwrap();
    for fault in FAULTS {
        every_time(&crashed, fault);
    }
}

#[test]
fn c17_faults_while_a_store_is_created_are_reported() {
    let clock = Arc::new(ManualClock::default());
    for fault in FAULTS {
        for successes in 0.. {
            let disk = FaultyDisk::new();
            disk.fail_after(successes, fault, Lasting::Forever);
            let made = Run::open(&disk, &clock);
            if !disk.has_failed() {
                drop(made.unwrap());
                break;
            }
            if let Err(error) = made {
                assert!(error.message.contains(NAME), "{error}");
            }
        }
    }
}
