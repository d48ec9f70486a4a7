//! The records that move from one store to another.

use std::fmt;
use std::sync::Arc;

use greentic_types::{SessionData, SessionKey};
use serde::{Deserialize, Serialize};

use super::{Finding, OwnerParts, Progress, ScanCursor, hex_text};
use crate::clock::Timestamp;
use crate::reply::shown;
use crate::timeout::WaitTimeout;

/// One record of an export. Its JSON form is stable; `docs/contract.md` describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", try_from = "Fields")]
#[non_exhaustive]
pub enum ExportRecord {
    /// A session.
    Session(Box<ExportedSession>),
    /// The message ids that an owner has committed (C16).
    Messages(ExportedMessages),
}

/// The fields of a record, to be read in any order without an intermediate form: that of an enum
/// with a tag has no room for the deadline in [`SessionData`], an `i128`.
#[derive(Deserialize)]
struct Fields {
    kind: Kind,
    owner: OwnerParts,
    key: Option<SessionKey>,
    data: Option<Box<SessionData>>,
    revision: Option<u64>,
    created: Option<Timestamp>,
    deadline: Option<Timestamp>,
    ttl_millis: Option<u64>,
    #[serde(default)]
    latest: bool,
    #[serde(default)]
    fencing: u64,
    wait: Option<ExportedWait>,
    messages: Option<Vec<ExportedMessage>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Session,
    Messages,
}

impl TryFrom<Fields> for ExportRecord {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let owner = fields.owner;
        Ok(match fields.kind {
            Kind::Session => Self::Session(Box::new(ExportedSession {
                key: fields.key.ok_or("a session without a key")?,
                owner,
                data: *fields.data.ok_or("a session without data")?,
                revision: fields.revision.ok_or("a session without a revision")?,
                created: fields.created,
                deadline: fields.deadline,
                ttl_millis: fields.ttl_millis,
                latest: fields.latest,
                fencing: fields.fencing,
                wait: fields.wait,
            })),
            Kind::Messages => Self::Messages(ExportedMessages {
                owner,
                messages: fields.messages.ok_or("no list of messages")?,
            }),
        })
    }
}

/// A session with its wait and look-ups, without a claim.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportedSession {
    /// The key.
    pub key: SessionKey,
    /// The owner.
    pub owner: OwnerParts,
    /// The data, byte for byte (C8).
    pub data: SessionData,
    /// The revision of the data (C7).
    pub revision: u64,
    /// When it was created, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The deadline; `None` if it stays until removed (C12).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// The TTL with which it was stored last, in milliseconds, for [`Ttl::Keep`](crate::Ttl::Keep);
    /// 0 means no deadline, `None` that it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_millis: Option<u64>,
    /// True if its user created it last (C6).
    pub latest: bool,
    /// The highest fencing number of a claim; later claims have higher ones (C16).
    pub fencing: u64,
    /// The wait, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<ExportedWait>,
}

impl ExportedSession {
    /// Makes a record with the revision 1, without a deadline, a look-up and a wait.
    #[must_use]
    pub const fn new(key: SessionKey, owner: OwnerParts, data: SessionData) -> Self {
        Self {
            key,
            owner,
            data,
            revision: 1,
            created: None,
            deadline: None,
            ttl_millis: None,
            latest: false,
            fencing: 0,
            wait: None,
        }
    }
}

/// Prints no payload and no user (C18).
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

/// A wait, with its position among the waits of its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportedWait {
    /// The digest of the scope, in lower-case hex.
    pub scope: String,
    /// The position in the owner's list (C10): a wait with a greater number was registered later.
    pub order: u64,
    /// When it was parked, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The number of claims since it was parked.
    #[serde(default)]
    pub attempt: u32,
    /// The timeout, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<WaitTimeout>,
}

impl ExportedWait {
    /// Makes a wait that was not claimed yet, without a timeout.
    #[must_use]
    pub const fn new(scope: String, order: u64) -> Self {
        Self {
            scope,
            order,
            since: None,
            attempt: 0,
            timeout: None,
        }
    }
}

/// The message ids that one owner has committed, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ExportedMessages {
    /// The owner.
    pub owner: OwnerParts,
    /// The message ids.
    pub messages: Vec<ExportedMessage>,
}

impl ExportedMessages {
    /// Makes a record.
    #[must_use]
    pub const fn new(owner: OwnerParts, messages: Vec<ExportedMessage>) -> Self {
        Self { owner, messages }
    }
}

/// The id of a committed message.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportedMessage {
    /// The digest of the message id, in lower-case hex.
    pub digest: String,
    /// The end of the time for which it is remembered.
    pub until: Timestamp,
    /// The reply that its commit kept, if there is one; in JSON as lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hex_text")]
    pub reply: Option<Arc<[u8]>>,
}

impl ExportedMessage {
    /// Makes the id of a message without a reply.
    #[must_use]
    pub const fn new(digest: String, until: Timestamp) -> Self {
        Self {
            digest,
            until,
            reply: None,
        }
    }
}

/// Prints the length of the reply, and not the reply (C18).
impl fmt::Debug for ExportedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportedMessage")
            .field("digest", &self.digest)
            .field("until", &self.until)
            .field("reply", &shown(self.reply.as_ref()))
            .finish()
    }
}

/// One page of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportPage {
    /// The records. They can be imported in any order.
    pub records: Vec<ExportRecord>,
    /// The entries that cannot be read (C17) and are not exported.
    pub unreadable: Vec<Finding>,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// The start of the next page; `None` on the last page.
    pub next: Option<ScanCursor>,
}

/// What an import does if the key or the scope of a session is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMode {
    /// Changes nothing, and stores nothing either: checks the record, and says what an import with
    /// [`IfAbsent`](Self::IfAbsent) would do.
    DryRun,
    /// Changes nothing.
    IfAbsent,
    /// Replaces the session with the same key, and displaces the one that waits on the same scope.
    Replace,
}

/// The outcome of [`import`](crate::AsyncSessionStore::import).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum ImportOutcome {
    /// The record is stored; after a dry run: it would be.
    Imported,
    /// The key or the scope is taken; nothing was changed.
    Exists,
    /// Its deadline has passed; nothing was changed.
    Expired,
}
