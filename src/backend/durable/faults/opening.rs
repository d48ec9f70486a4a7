//! Opening meets the faults: it is refused with the path, and the file is as good as before.

use std::fmt::Debug;
use std::sync::Arc;

use greentic_session_testkit::{DiskFault, FaultyDisk, Lasting};
use redb::StorageBackend;

use super::run::{NAME, Run, found_on, fresh};
use crate::admin::{ScanFilter, SessionInfo};
use crate::backend::durable::verify::Inconsistency;
use crate::clock::ManualClock;

const FAULTS: [DiskFault; 4] = [
    DiskFault::TornWrite,
    DiskFault::NoSpace,
    DiskFault::FailedSync,
    DiskFault::ShortRead,
];

/// Opens the disk again and again, with the fault one operation later each time. What is found on it
/// must stay.
fn every_time<T: PartialEq + Debug>(
    disk: &FaultyDisk,
    fault: DiskFault,
    found_on: impl Fn(&FaultyDisk, &Arc<ManualClock>) -> T,
) {
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
    assert!(refused > 0, "{fault:?} struck nothing");
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
        every_time(&disk, fault, found_on);
    }
}

#[test]
fn c17_faults_while_a_store_is_repaired_harm_nothing() {
    let (disk, run) = filled();
    let crashed = disk.after_crash();
    run.close().unwrap();
    for fault in FAULTS {
        every_time(&crashed, fault, found_on);
    }
}

/// All that the fixture of version 1 holds, and whether it agrees with itself.
fn all_on(disk: &FaultyDisk, clock: &Arc<ManualClock>) -> (Vec<SessionInfo>, Vec<Inconsistency>) {
    let run = Run::open(disk, clock).unwrap();
    let scanned = run.face.scan(&ScanFilter::default(), None, 100).unwrap();
    assert_eq!(scanned.next, None);
    assert_eq!(scanned.sessions.len(), 6);
    (scanned.sessions, run.store.inconsistencies().unwrap())
}

#[test]
fn c17_faults_while_an_older_store_is_brought_up_harm_nothing() {
    let disk = FaultyDisk::new();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/durable-v1.redb"
    );
    let file = std::fs::read(path).unwrap();
    disk.set_len(file.len() as u64).unwrap();
    disk.write(0, &file).unwrap();
    disk.sync_data().unwrap();
    for fault in FAULTS {
        every_time(&disk, fault, all_on);
    }
}

#[test]
fn c17_faults_while_a_store_is_made_are_told() {
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
