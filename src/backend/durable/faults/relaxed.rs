//! Faults of the disk with relaxed durability: the journal holds what was acknowledged, so nothing is
//! lost as long as the system runs.

use std::sync::Arc;
use std::time::Duration;

use greentic_session_testkit::{DiskFault, FaultyDisk, Lasting};

use super::log::logged;
use super::run::{NAME, Run, fresh, key};
use crate::backend::durable::config::{Durability, DurableConfig};
use crate::backend::durable::file::{Journal, StoreFile, open_on, replay};
use crate::backend::durable::format::encode_record;
use crate::clock::ManualClock;

const SESSIONS: usize = 6;

/// Opens a store. A sync follows every commit.
fn open(disk: &FaultyDisk) -> Run {
    let sync_every = Duration::ZERO;
    let config = DurableConfig::new(NAME)
        .cache_bytes(0)
        .durability(Durability::SurvivesProcessCrash { sync_every });
    Run::open_with(config, disk, &Arc::new(ManualClock::default())).unwrap()
}

fn names() -> impl Iterator<Item = String> {
    (0..SESSIONS).map(|index| format!("k-{index}"))
}

fn every_time(fault: DiskFault) {
    let empty = fresh();
    for successes in 0.. {
        let disk = empty.after_crash();
        let run = open(&disk);
        disk.fail_after(successes, fault, Lasting::Forever);
        let acknowledged = names()
            .take_while(|name| run.park(name, name, name, None).is_ok())
            .count();
        let _ = run.close();

        let run = open(&disk.after_crash());
        assert_eq!(run.store.inconsistencies().unwrap(), []);
        for name in names().take(acknowledged) {
            let found = run.api.get(&key(&name)).unwrap();
            assert!(
                found.is_some(),
                "{fault:?} after {successes}: {name} is lost"
            );
        }
        if !disk.has_failed() {
            assert_eq!(acknowledged, SESSIONS);
            return;
        }
    }
}

#[test]
fn c17_what_the_journal_holds_survives_a_failed_disk() {
    for fault in [
        DiskFault::TornWrite,
        DiskFault::NoSpace,
        DiskFault::FailedSync,
    ] {
        every_time(fault);
    }
}

#[test]
fn c17_a_journal_that_was_cut_short_is_logged() {
    let (disk, directory) = (fresh(), tempfile::tempdir().unwrap());
    let file = StoreFile::new(directory.path().join("faulty.redb"));
    let config = DurableConfig::new(file.path());
    let mut journal = Journal::create(&file, config.durability)
        .unwrap()
        .small(64, 4096);
    let opened = open_on(disk.clone(), disk.beside(), &config).unwrap();
    let (follows, mut state) = (opened.state.commit, opened.state);
    state.commit = 7;
    journal.append(follows, &state, &[]).unwrap();
    let replay = || {
        logged(|| {
            replay(&opened.database, &file, opened.state)
                .unwrap()
                .commit
        })
    };
    let record = encode_record(follows, &state, &[]);
    let written = std::fs::read(file.journal_path()).unwrap();
    assert_eq!(written[..record.len()], record);
    let cut_short = |lines: &[String]| lines.iter().any(|line| line.contains("cut short"));
    let (commit, lines) = replay();
    assert_eq!((commit, cut_short(&lines)), (7, false), "{lines:?}");
    std::fs::write(file.journal_path(), [&record[..], &[1; 5]].concat()).unwrap();
    let (_, lines) = replay();
    assert!(cut_short(&lines), "{lines:?}");
    assert!(lines.contains(&"bytes=5".to_owned()), "{lines:?}");
}
