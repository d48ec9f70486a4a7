//! A durable store in a temporary directory.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use greentic_session::SessionData;
use greentic_session::clock::ManualClock;
use greentic_session::durable::{DurableConfig, DurableSessionStore};

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

    pub fn config(&self) -> DurableConfig {
        DurableConfig::new(self.path())
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
