//! Repair of a crashed file on opening, and its progress in the log.

use std::sync::Arc;

use super::log::logged;
use super::run::{NAME, Run, fresh};
use crate::clock::ManualClock;

#[test]
fn repair_reports_its_progress_and_the_file() {
    let (disk, clock) = (fresh(), Arc::new(ManualClock::default()));
    let run = Run::open(&disk, &clock).unwrap();
    run.park("a", "s-1", &"x".repeat(50_000), None).unwrap();
    // The journal is long, so the file is synced before the next call is done.
    run.park("b", "s-2", "second", None).unwrap();
    let crashed = disk.after_crash();
    run.close().unwrap();

    let (opened, lines) = logged(|| Run::open(&crashed, &clock));
    assert!(opened.unwrap().visible().unwrap()[0].contains("50000"));
    let has = |start: &str| lines.iter().any(|line| line.starts_with(start));
    assert!(has("percent="), "{lines:?}");
    assert!(has(&format!("path={NAME}")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("xxx")), "C18");
}
