//! What moves from one store to another.

use std::fmt;

use greentic_types::{SessionData, SessionKey};
use serde::{Deserialize, Serialize};

use super::{Finding, OwnerParts, Progress, ScanCursor};
use crate::clock::Timestamp;

/// One record of an export. Its JSON form is stable: `docs/contract.md` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExportRecord {
    /// A session.
    Session(Box<ExportedSession>),
    /// The messages that an owner has committed (C16).
    Messages(ExportedMessages),
}

/// A session with all that leads to it. A claim on it stays behind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedSession {
    /// The key.
    pub key: SessionKey,
    /// Whose it is.
    pub owner: OwnerParts,
    /// The data, byte for byte (C8).
    pub data: SessionData,
    /// The revision of the data (C7).
    pub revision: u64,
    /// When it was stored first, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When it is gone; none if it stays until removed (C12).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// It is the one that its user created last (C6).
    #[serde(default)]
    pub latest: bool,
    /// Later claims have fencing numbers above this one (C16).
    #[serde(default)]
    pub fencing: u64,
    /// The wait, if it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<ExportedWait>,
}

/// Shows no payload and no user (C18).
impl fmt::Debug for ExportedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedSession")
            .field("key", &self.key)
            .field("owner", &self.owner)
            .field("revision", &self.revision)
            .field("deadline", &self.deadline)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// A wait, with its place among the waits of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedWait {
    /// The digest of the scope, in lower-case hex.
    pub scope: String,
    /// The place in the owner's list (C10): a greater number was registered later.
    pub order: u64,
    /// Since when it waits, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How often it was claimed since it was parked.
    #[serde(default)]
    pub attempt: u32,
}

/// The messages that one owner has committed, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedMessages {
    /// Whose messages they are.
    pub owner: OwnerParts,
    /// The messages.
    pub messages: Vec<ExportedMessage>,
}

/// A message that was committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportedMessage {
    /// The SHA-256 of the message id, in lower-case hex.
    pub digest: String,
    /// Until when it counts as a duplicate.
    pub until: Timestamp,
}

/// One page of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportPage {
    /// What to import elsewhere, in any order.
    pub records: Vec<ExportRecord>,
    /// What cannot be read (C17), and so cannot move.
    pub unreadable: Vec<Finding>,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// Where the next page begins; none if this is the last.
    pub next: Option<ScanCursor>,
}

/// What to do with a session whose key or scope is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Leave what is there.
    IfAbsent,
    /// Put the record in the place of a session of the same key; displace one of the same scope.
    Replace,
}

/// What became of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ImportOutcome {
    /// It is stored.
    Imported,
    /// The key, or the scope that it waits on, is taken; nothing was changed.
    Exists,
    /// Its time was over before it came; nothing was changed.
    Expired,
}
