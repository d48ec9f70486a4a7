//! Faults of the disk with relaxed durability: the journal holds what was acknowledged, so nothing is
//! lost as long as the system runs.

use std::sync::Arc;
use std::time::Duration;

use greentic_session_testkit::{DiskFault, FaultyDisk, Lasting};

use super::log::logged;
use super::run::{Run, fresh, key};
use crate::backend::durable::config::{Durability, DurableConfig};
use crate::backend::durable::file::{Journal, StoreFile, open_on, replay};
use crate::backend::durable::store::DurableSessionStore;
use crate::clock::ManualClock;

const SESSIONS: usize = 6;

/// Opens a store whose journal is in a directory. A sync follows every commit.
fn open(disk: &FaultyDisk, directory: &tempfile::TempDir) -> Run {
    let sync_every = Duration::ZERO;
    let config = DurableConfig::new(directory.path().join("faulty.redb"))
        .cache_bytes(0)
        .durability(Durability::SurvivesProcessCrash { sync_every });
    let file = StoreFile::new(&config.path);
    let mut opened = open_on(disk.clone(), &config).unwrap();
    opened.state = replay(&opened.database, &file, opened.state).unwrap();
    opened.journal = Some(Journal::create(&file).unwrap());
    let clock = Arc::new(ManualClock::default());
    let store = DurableSessionStore::start(config, opened, Arc::clone(&clock));
    Run::of(Arc::new(store.unwrap()), clock)
}

fn names() -> impl Iterator<Item = String> {
    (0..SESSIONS).map(|index| format!("k-{index}"))
}

fn every_time(fault: DiskFault) {
    let empty = fresh();
    for successes in 0.. {
        let (disk, directory) = (empty.after_crash(), tempfile::tempdir().unwrap());
        let run = open(&disk, &directory);
        disk.fail_after(successes, fault, Lasting::Forever);
        let acknowledged = names()
            .take_while(|name| run.park(name, name, name, None).is_ok())
            .count();
        let _ = run.close();

        let run = open(&disk.after_crash(), &directory);
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
    let mut journal = Journal::create(&file).unwrap();
    let config = DurableConfig::new(file.path());
    let opened = open_on(disk.clone(), &config).unwrap();
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
    let whole = std::fs::read(file.journal_path()).unwrap();
    let cut_short = |lines: &[String]| lines.iter().any(|line| line.contains("cut short"));
    let (commit, lines) = replay();
    assert_eq!((commit, cut_short(&lines)), (7, false), "{lines:?}");
    std::fs::write(file.journal_path(), [&whole[..], &[1; 5]].concat()).unwrap();
    let (_, lines) = replay();
    assert!(cut_short(&lines), "{lines:?}");
    assert!(lines.contains(&"bytes=5".to_owned()), "{lines:?}");
}
