//! The durable store against the reference model with reopening, under concurrent calls (C14, C16), and
//! under torture. One file per case, and a manual clock.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use greentic_session::clock::{Clock, ManualClock, Timestamp};
use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::{AsyncSessionStore, SessionStore, StoreOptions};

use super::check::check;
use super::exactly_once::{
    torture_starts_under_a_clock, torture_timeouts_under_a_clock, torture_under_a_clock,
};
use super::history::{Play, check_play};
use crate::harness::Harness;
use crate::sealed::encryption;

pub type Durable = DurableWith<false>;

/// A store in a file, which is sealed or not.
pub struct DurableWith<const SEALED: bool> {
    /// None while it is closed.
    store: Option<Arc<DurableSessionStore>>,
    options: StoreOptions,
    clock: Arc<ManualClock>,
    directory: tempfile::TempDir,
    turns: RwLock<()>,
}

impl<const SEALED: bool> DurableWith<SEALED> {
    fn store_itself(&self) -> &Arc<DurableSessionStore> {
        self.store.as_ref().expect("the store is open")
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("sessions.redb")
    }

    fn open_file(&mut self) {
        let mut config = DurableConfig::new(self.path()).options(self.options);
        config.encryption = SEALED.then(encryption);
        let opened = DurableSessionStore::open_with_clock(config, Arc::clone(&self.clock));
        self.store = Some(Arc::new(opened.unwrap()));
    }
}

/// The disk is not tested here: a file system in memory is used where there is one.
fn directory() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    }
}

impl<const SEALED: bool> Harness for DurableWith<SEALED> {
    fn open(options: StoreOptions) -> Self {
        let mut durable = Self {
            store: None,
            options,
            clock: Arc::new(ManualClock::default()),
            directory: directory().unwrap(),
            turns: RwLock::default(),
        };
        durable.open_file();
        durable
    }

    fn store(&self) -> Arc<dyn AsyncSessionStore> {
        Arc::clone(self.store_itself()) as _
    }

    fn sync_store(&self) -> Arc<dyn SessionStore> {
        Arc::clone(self.store_itself()) as _
    }

    fn tick() -> Duration {
        Duration::from_secs(20)
    }

    fn turns(&self) -> Option<&RwLock<()>> {
        Some(&self.turns)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn advance(&self, step: Duration) {
        self.clock.advance(step);
    }

    fn reopen(&mut self) {
        self.store = None;
        self.open_file();
        let found = self.store_itself().inconsistencies().unwrap();
        assert!(found.is_empty(), "{found:?}");
    }

    fn leftovers(&self) -> usize {
        let store = self.store_itself();
        store.sweep().unwrap();
        let (sessions, owners) = store.held().unwrap();
        usize::try_from(sessions + owners).unwrap()
    }
}

#[test]
fn durable_behaves_as_the_model() {
    check::<Durable>(300, "tests/regressions/durable_model.txt");
}

#[test]
fn c35_durable_behaves_as_the_model_with_encryption() {
    check::<DurableWith<true>>(100, "tests/regressions/durable_model.txt");
}

#[test]
fn c14_concurrent_calls_are_linearizable() {
    check_play::<Durable>(Play::Any, 300, 3, false);
}

#[test]
fn c14_concurrent_calls_are_linearizable_while_time_passes() {
    check_play::<Durable>(Play::Any, 300, 4, true);
}

#[test]
fn c16_concurrent_claims_are_linearizable() {
    check_play::<Durable>(Play::Contest, 300, 9, false);
}

#[test]
fn c16_concurrent_claims_are_linearizable_while_time_passes() {
    check_play::<Durable>(Play::Contest, 300, 10, true);
}

#[test]
fn c27_concurrent_starts_are_linearizable() {
    check_play::<Durable>(Play::Starts, 300, 11, false);
}

#[test]
fn c27_concurrent_starts_are_linearizable_while_time_passes() {
    check_play::<Durable>(Play::Starts, 300, 12, true);
}

#[test]
fn c33_concurrent_claims_of_what_is_due_are_linearizable() {
    check_play::<Durable>(Play::Due, 300, 13, false);
}

#[test]
fn c33_concurrent_claims_of_what_is_due_are_linearizable_while_time_passes() {
    check_play::<Durable>(Play::Due, 300, 14, true);
}

#[test]
fn c16_each_message_counts_once_on_disk() {
    torture_under_a_clock::<Durable>();
}

#[test]
fn c27_each_first_message_starts_one_flow_on_disk() {
    torture_starts_under_a_clock::<Durable>();
}

#[test]
fn c32_each_timeout_counts_once_on_disk() {
    torture_timeouts_under_a_clock::<Durable>();
}
