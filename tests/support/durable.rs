//! The durable store, put to the proofs: one file per case, and a clock that stands still.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use greentic_session::clock::{Clock, ManualClock, Timestamp};
use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::{AsyncSessionStore, SessionStore, StoreOptions};

use super::harness::Harness;

pub struct Durable {
    /// None while it is closed.
    store: Option<Arc<DurableSessionStore>>,
    options: StoreOptions,
    clock: Arc<ManualClock>,
    directory: tempfile::TempDir,
    turns: RwLock<()>,
}

impl Durable {
    fn store_itself(&self) -> &Arc<DurableSessionStore> {
        self.store.as_ref().expect("the store is open")
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("sessions.redb")
    }

    fn open_file(&mut self) {
        let config = DurableConfig::new(self.path()).options(self.options);
        let opened = DurableSessionStore::open_with_clock(config, Arc::clone(&self.clock));
        self.store = Some(Arc::new(opened.unwrap()));
    }
}

/// No disk is put to the proof here: a file system in memory will do, where there is one.
fn directory() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    }
}

impl Harness for Durable {
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

    fn published(&self) -> Arc<dyn SessionStore> {
        Arc::clone(self.store_itself()) as _
    }

    fn tick() -> Duration {
        Duration::from_secs(1)
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
