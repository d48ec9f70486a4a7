//! Faults of the disk during a commit that many writers share.

use std::sync::Arc;

use greentic_session_testkit::{DiskFault, FaultyDisk, Lasting};

use super::run::{Run, ctx, data, fresh, key};
use crate::backend::durable::format::payload_row;
use crate::blocking::wait_for;
use crate::clock::ManualClock;
use crate::error::ErrorCode;
use crate::options::{CreateOptions, StoreOptions};
use crate::request::Create;
use crate::rules;

const WRITERS: usize = 8;
const EACH: usize = 4;

/// Each writer parks until it is refused; returns what was acknowledged.
fn acknowledged(run: &Run) -> Vec<String> {
    let write = |writer: usize| {
        let names = (0..EACH).map(move |number| format!("k-{writer}-{number}"));
        names
            .take_while(|name| run.park(name, name, name, None).is_ok())
            .collect::<Vec<_>>()
    };
    std::thread::scope(|threads| {
        let start = |writer| threads.spawn(move || write(writer));
        let writers: Vec<_> = (0..WRITERS).map(start).collect();
        let names = writers.into_iter().map(|writer| writer.join().unwrap());
        names.flatten().collect()
    })
}

fn assert_holds(disk: &FaultyDisk, names: &[String], clock: &Arc<ManualClock>) {
    let run = Run::open(disk, clock).unwrap();
    assert_eq!(run.store.inconsistencies().unwrap(), []);
    for name in names {
        let found = run.api.get(&key(name)).unwrap();
        let found = found.unwrap_or_else(|| panic!("{name} was acknowledged and is lost"));
        assert_eq!(found.data, data(name));
    }
}

#[test]
fn c17_what_was_acknowledged_of_a_shared_commit_is_kept() {
    let empty = fresh();
    let clock = Arc::new(ManualClock::default());
    for fault in [DiskFault::TornWrite, DiskFault::FailedSync] {
        for successes in 0.. {
            let disk = empty.after_crash();
            let run = Run::open(&disk, &clock).unwrap();
            disk.fail_after(successes, fault, Lasting::Once);
            let names = acknowledged(&run);
            let seed = successes as u64;
            for left in [disk.after_crash(), disk.after_power_loss(seed)] {
                assert_holds(&left, &names, &clock);
            }
            let _ = run.close();
            if !disk.has_failed() {
                assert_eq!(names.len(), WRITERS * EACH);
                break;
            }
        }
    }
}

#[test]
fn c14_the_data_of_an_operation_is_not_stored_by_the_next_one() {
    let clock = Arc::new(ManualClock::default());
    let run = Run::open(&fresh(), &clock).unwrap();
    let options = CreateOptions::new().key(key("a"));
    let create = Create::new(&StoreOptions::new(), &ctx(), data("mine"), options).unwrap();
    let written = run.store.write(move |ledger, now| {
        let other = payload_row(&key("a"), b"another's");
        ledger.with_payload(Some(other)).end_operation(Ok(()))?;
        rules::create(ledger, now, create)
    });
    let refused = wait_for(written).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Internal);
    assert!(run.api.get(&key("a")).unwrap().is_none());
}
