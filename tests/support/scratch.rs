//! A durable store in a temporary directory.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::{InboxOptions, SessionData, StoreOptions};

use crate::samples::{self, ctx};

pub const MINUTE: Duration = Duration::from_secs(60);

/// A directory that is removed after the test.
pub struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join("sessions.redb")
    }

    /// A store with queues.
    /// All bytes of all files of the store.
    pub fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.directory()).unwrap();
        let files = files.map(|entry| entry.unwrap().path());
        files
            .filter(|path| path.is_file())
            .flat_map(|path| std::fs::read(path).unwrap())
            .collect()
    }

    pub fn config(&self) -> DurableConfig {
        let options = StoreOptions::new().inbox(InboxOptions::new());
        DurableConfig::new(self.path()).options(options)
    }

    pub fn open(&self) -> DurableSessionStore {
        DurableSessionStore::open(self.config()).unwrap()
    }

    pub fn open_at(&self, clock: &Arc<ManualClock>) -> DurableSessionStore {
        DurableSessionStore::open_with_clock(self.config(), Arc::clone(clock)).unwrap()
    }
}

/// The data of a user, with this context.
pub fn data(name: &str, context: &str) -> SessionData {
    samples::data(&ctx(name), context)
}

/// Every row agrees with every other.
pub fn assert_consistent(store: &DurableSessionStore) {
    let found = store.inconsistencies().unwrap();
    assert!(found.is_empty(), "{found:?}");
}
