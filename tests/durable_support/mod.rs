//! What the tests of the durable store share.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::{ReplyScope, SessionData, SessionKey};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

pub const MINUTE: Duration = Duration::from_secs(60);

/// A directory that goes with the test.
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

pub fn user(name: &str) -> UserId {
    UserId::try_from(name).unwrap()
}

pub fn ctx(name: &str) -> TenantCtx {
    TenantCtx::new(
        EnvId::try_from("dev").unwrap(),
        TenantId::try_from("acme").unwrap(),
    )
    .with_user(Some(user(name)))
}

pub fn scope(conversation: &str) -> ReplyScope {
    ReplyScope {
        conversation: conversation.into(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

pub fn data(name: &str, context: &str) -> SessionData {
    SessionData {
        tenant_ctx: ctx(name),
        flow_id: FlowId::try_from("support.flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node.wait"),
        context_json: context.into(),
    }
}

pub fn key(text: &str) -> SessionKey {
    SessionKey::new(text)
}

/// Every row agrees with every other.
pub fn assert_consistent(store: &DurableSessionStore) {
    let found = store.inconsistencies().unwrap();
    assert!(found.is_empty(), "{found:?}");
}
