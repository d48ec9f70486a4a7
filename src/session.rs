//! What a store answers.

use std::fmt;
use std::sync::Arc;

use greentic_types::{ErrorCode, GreenticError, SessionData, SessionKey};

use crate::clock::Timestamp;
use crate::error::SessionResult;

/// A stored session, as it was at one instant.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The key: whoever knows it may read the session (C5).
    pub key: SessionKey,
    /// What the runtime stored, byte for byte (C8).
    pub data: SessionData,
    /// Counts the changes of the data, from 1 (C7, C15).
    pub revision: u64,
    /// From this instant on the session is gone (C12); none if it stays until removed.
    pub deadline: Option<Timestamp>,
}

impl Session {
    /// Takes the data out; it is cloned only where the session is shared.
    #[inline]
    pub(crate) fn into_data(session: Arc<Self>) -> SessionData {
        // In memory it always is, so the cheap look comes first.
        if Arc::strong_count(&session) > 1 {
            return session.data.clone();
        }
        Arc::unwrap_or_clone(session).data
    }
}

/// A session that is about to be stored. It is put where it will lie as soon as it is checked,
/// because its data is large to move.
pub(crate) struct NewSession(Arc<Session>);

impl NewSession {
    pub fn new(key: SessionKey, data: SessionData) -> Self {
        Self(Arc::new(Session {
            key,
            data,
            revision: 0,
            deadline: None,
        }))
    }

    pub fn key(&self) -> &SessionKey {
        &self.0.key
    }

    pub fn data(&self) -> &SessionData {
        &self.0.data
    }

    /// The session as it is stored. Nobody shares a session, so that nothing is copied.
    pub fn stored(self, revision: u64, deadline: Option<Timestamp>) -> Arc<Session> {
        let mut session = self.0;
        let stored = Arc::make_mut(&mut session);
        stored.revision = revision;
        stored.deadline = deadline;
        session
    }
}

/// Shows no payload and no user (C18).
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("key", &self.key)
            .field("flow_id", &self.data.flow_id)
            .field("revision", &self.revision)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// What became of a create.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum CreateOutcome {
    /// The session is stored under this key.
    Created(SessionKey),
    /// The caller's key is taken by another session of the same owner; nothing was changed.
    Exists,
}

impl CreateOutcome {
    /// The key of a session that was created under a fresh key.
    pub(crate) fn fresh(self) -> SessionResult<SessionKey> {
        match self {
            Self::Created(key) => Ok(key),
            Self::Exists => Err(GreenticError::new(
                ErrorCode::Internal,
                "a freshly drawn session key is in use already",
            )),
        }
    }
}

/// What became of a park.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum ParkOutcome {
    /// The session waits; its data has this revision.
    Registered {
        /// The revision of the stored data.
        revision: u64,
    },
    /// This session waits on the scope already; nothing was changed.
    Exists(SessionKey),
}

/// What became of a clear.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum ClearOutcome {
    /// The wait is gone, and this session with it.
    Cleared(SessionKey),
    /// No session waited on the scope.
    NoWait,
}

/// The state of a backend, as an operator needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The backend: `memory`, `redis` or `durable`.
    pub backend: &'static str,
    /// The time that one round trip to the storage took.
    pub round_trip: std::time::Duration,
    /// The version of the server or of the file format, where there is one.
    pub version: Option<String>,
    /// The role of the server that was asked, such as `master`.
    pub role: Option<String>,
    /// What an operator must see; empty is good.
    pub warnings: Vec<HealthWarning>,
}

impl Health {
    /// A healthy backend, to be filled in.
    #[must_use]
    pub const fn new(backend: &'static str, round_trip: std::time::Duration) -> Self {
        Self {
            backend,
            round_trip,
            version: None,
            role: None,
            warnings: Vec::new(),
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: round trip {:?}", self.backend, self.round_trip)?;
        if let Some(version) = &self.version {
            write!(f, ", version {version}")?;
        }
        if let Some(role) = &self.role {
            write!(f, ", role {role}")?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning: {}", warning.message)?;
        }
        Ok(())
    }
}

/// One thing that is wrong, or will be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthWarning {
    /// A stable name for programs, such as `eviction_policy`.
    pub code: &'static str,
    /// One sentence for people: what is wrong, and what to change.
    pub message: String,
}

impl HealthWarning {
    /// Makes a warning.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}
