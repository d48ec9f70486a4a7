//! An idle store syncs its file, so that the journal has nothing that the file lacks.

use std::sync::Arc;
use std::time::Duration;

use greentic_session_testkit::wait_until;
use redb::StorageBackend;

use super::run::{Run, fresh, key};
use crate::clock::ManualClock;

const TIMEOUT: Duration = Duration::from_secs(60);

#[test]
fn c17_an_idle_store_has_everything_in_its_file() {
    let (disk, clock) = (fresh(), Arc::new(ManualClock::default()));
    let run = Run::open(&disk, &clock).unwrap();
    run.park("a", "s-1", "first", None).unwrap();
    let is_in_the_file = || {
        let left = disk.after_crash();
        left.beside().set_len(0).unwrap();
        let left = Run::open(&left, &clock).unwrap();
        left.api.get(&key("a")).unwrap().is_some()
    };
    wait_until("the file is synced", TIMEOUT, is_in_the_file);
    run.close().unwrap();
}
