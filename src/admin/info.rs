//! What a scan tells of a session.

use std::fmt;
use std::time::Duration;

use greentic_types::{FlowId, PackId, SessionKey};

use super::{Finding, OwnerParts, Progress, ScanCursor, ScopeDigest};
use crate::clock::Timestamp;

/// A session, without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The key.
    pub key: SessionKey,
    /// Whose it is; `Debug` hides the user (C18).
    pub owner: OwnerParts,
    /// The flow.
    pub flow: FlowId,
    /// The pack of the flow, if the data names one.
    pub pack: Option<PackId>,
    /// The node at which the flow stands.
    pub node: String,
    /// What it does.
    pub state: SessionState,
    /// The revision of the data (C7).
    pub revision: u64,
    /// When it was stored first; none where greentic-session 1.2 stored it.
    pub created: Option<Timestamp>,
    /// When it is gone; none if it stays until removed (C12).
    pub deadline: Option<Timestamp>,
    /// The size of the data, in bytes of JSON.
    pub bytes: u64,
}

impl SessionInfo {
    /// How long it waits, or else how long it is there; none where greentic-session 1.2 stored it.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        let from = match &self.state {
            SessionState::Waiting { since, .. } | SessionState::Claimed { since, .. } => *since,
            SessionState::Idle => self.created,
        };
        from.map(|from| now.since(from))
    }
}

/// What a session does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// It waits for an answer, and nobody holds it.
    Waiting {
        /// Since when; none where greentic-session 1.2 parked it.
        since: Option<Timestamp>,
        /// The digest of the scope; none where greentic-session 1.2 parked it.
        scope: Option<ScopeDigest>,
        /// How often it was claimed since it was parked.
        attempt: u32,
    },
    /// A worker holds it.
    Claimed {
        /// Since when it waits.
        since: Option<Timestamp>,
        /// The digest of the scope.
        scope: Option<ScopeDigest>,
        /// How often it was claimed since it was parked.
        attempt: u32,
        /// When the lease ends unless it is renewed.
        until: Timestamp,
    },
    /// It does not wait.
    Idle,
}

impl SessionState {
    /// Its name.
    #[must_use]
    pub const fn kind(&self) -> StateKind {
        match self {
            Self::Waiting { .. } => StateKind::Waiting,
            Self::Claimed { .. } => StateKind::Claimed,
            Self::Idle => StateKind::Idle,
        }
    }
}

/// The name of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StateKind {
    /// It waits for an answer, and nobody holds it.
    Waiting,
    /// A worker holds it.
    Claimed,
    /// It does not wait.
    Idle,
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Idle => "idle",
        })
    }
}

/// One page of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanPage {
    /// The sessions that the filter means, in no particular order. It may be empty in the midst of a
    /// scan.
    pub sessions: Vec<SessionInfo>,
    /// The sessions that cannot be read, whatever the filter says (C17).
    pub unreadable: Vec<Finding>,
    /// The time of the store when it was read.
    pub now: Timestamp,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// Where the next page begins; none if this is the last.
    pub next: Option<ScanCursor>,
}

/// What became of a claim that was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum RevokeOutcome {
    /// Its token is void, and the wait can be claimed at once.
    Revoked {
        /// When its lease would have ended, or did.
        until: Timestamp,
        /// Which try at the wait it was.
        attempt: u32,
    },
    /// No worker held the session.
    NotClaimed,
}
