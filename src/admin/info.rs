//! What a scan reports of a session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use greentic_types::{FlowId, PackId, SessionKey};

use super::{Finding, OwnerParts, Progress, ScanCursor, ScopeDigest};
use crate::clock::Timestamp;
use crate::timeout::WaitTimeout;

/// A session, without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The key.
    pub key: SessionKey,
    /// The owner. `Debug` prints no user (C18).
    pub owner: OwnerParts,
    /// The flow.
    pub flow: FlowId,
    /// The pack of the flow, if the data names one.
    pub pack: Option<PackId>,
    /// The node at which the flow is paused.
    pub node: String,
    /// The state.
    pub state: SessionState,
    /// The revision of the data (C7).
    pub revision: u64,
    /// When it was created; `None` if greentic-session 1.2 stored it.
    pub created: Option<Timestamp>,
    /// The deadline; `None` if it stays until removed (C12).
    pub deadline: Option<Timestamp>,
    /// The timeout of its wait, if it has one (C32).
    pub timeout: Option<WaitTimeout>,
    /// The size of the data, in bytes of JSON.
    pub bytes: u64,
}

impl SessionInfo {
    /// Returns when a waiting session was parked, or when another one was created; `None` if
    /// greentic-session 1.2 stored it.
    #[must_use]
    pub const fn since(&self) -> Option<Timestamp> {
        match &self.state {
            SessionState::Waiting { since, .. } | SessionState::Claimed { since, .. } => *since,
            SessionState::Idle => self.created,
        }
    }

    /// Returns the time since [`since`](Self::since).
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.since().map(|since| now.since(since))
    }

    /// Returns the time since the timeout of its wait came; `None` if it has none, if it is yet to
    /// come, or while a worker holds the session.
    #[must_use]
    pub fn due_for(&self, now: Timestamp) -> Option<Duration> {
        let timeout = self.timeout.filter(|timeout| timeout.at <= now)?;
        let is_free = self.state.kind() == StateKind::Waiting;
        is_free.then(|| now.since(timeout.at))
    }
}

/// The state of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// It waits for an answer; no worker holds it.
    Waiting {
        /// When it was parked; `None` if greentic-session 1.2 parked it.
        since: Option<Timestamp>,
        /// The digest of the scope; `None` if greentic-session 1.2 parked it.
        scope: Option<ScopeDigest>,
        /// The number of claims since it was parked.
        attempt: u32,
    },
    /// A worker holds it.
    Claimed {
        /// When it was parked; `None` if greentic-session 1.2 parked it.
        since: Option<Timestamp>,
        /// The digest of the scope; `None` if greentic-session 1.2 parked it.
        scope: Option<ScopeDigest>,
        /// The number of claims since it was parked.
        attempt: u32,
        /// The end of the lease, unless it is renewed.
        until: Timestamp,
        /// Who holds it, if the worker said so in
        /// [`ClaimOptions::holder`](crate::ClaimOptions::holder).
        holder: Option<Arc<str>>,
    },
    /// It does not wait.
    Idle,
}

impl SessionState {
    /// Returns the digest of the scope on which the session waits, if it waits and that is known.
    #[must_use]
    pub const fn scope(&self) -> Option<ScopeDigest> {
        match self {
            Self::Waiting { scope, .. } | Self::Claimed { scope, .. } => *scope,
            Self::Idle => None,
        }
    }

    /// Returns who holds the session, if a worker does and said so.
    #[must_use]
    pub fn holder(&self) -> Option<&str> {
        match self {
            Self::Claimed { holder, .. } => holder.as_deref(),
            Self::Waiting { .. } | Self::Idle => None,
        }
    }

    /// Returns the name of the state.
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
    /// It waits for an answer; no worker holds it.
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
    /// The sessions that match the filter, in no particular order. A page can be empty before the
    /// end of a scan.
    pub sessions: Vec<SessionInfo>,
    /// The sessions that cannot be read (C17), regardless of the filter.
    pub unreadable: Vec<Finding>,
    /// The time of the store when the page was read.
    pub now: Timestamp,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// The start of the next page; `None` on the last page.
    pub next: Option<ScanCursor>,
}

/// The outcome of [`revoke`](crate::AsyncSessionStore::revoke).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum RevokeOutcome {
    /// The claim was ended: its token is invalid, and the wait can be claimed at once.
    Revoked {
        /// The end of its lease, which may have passed.
        until: Timestamp,
        /// The number of the claim since the wait was parked, from 1.
        attempt: u32,
    },
    /// No worker held the session.
    NotClaimed,
}
