//! Stored sessions, the outcomes of calls, and the health of a backend.

use std::fmt;
use std::sync::Arc;

use greentic_types::{ErrorCode, GreenticError, SessionData, SessionKey};

use crate::clock::Timestamp;
use crate::error::SessionResult;

/// A stored session, as it was at one instant.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The key. A caller that knows it can read the session (C5).
    pub key: SessionKey,
    /// The data, as the runtime stored it, byte for byte (C8).
    pub data: SessionData,
    /// The revision of the data: 1 at first, and 1 more with each change (C7, C15).
    pub revision: u64,
    /// The instant from which the session is gone (C12); `None` if it stays until removed.
    pub deadline: Option<Timestamp>,
}

impl Session {
    /// Takes the data out of a session. It is cloned only if the session is shared.
    #[inline]
    pub(crate) fn into_data(session: Arc<Self>) -> SessionData {
        // The memory store shares every session, so that the cheap check comes first.
        if Arc::strong_count(&session) > 1 {
            return session.data.clone();
        }
        Arc::unwrap_or_clone(session).data
    }
}

/// The new state of a session, before its revision and deadline are known. It is placed on the heap
/// early, because its data is expensive to move.
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

    /// Completes the session. It is not shared yet, so that its data is not copied.
    pub fn stored(self, revision: u64, deadline: Option<Timestamp>) -> Arc<Session> {
        let mut session = self.0;
        let stored = Arc::make_mut(&mut session);
        stored.revision = revision;
        stored.deadline = deadline;
        session
    }
}

/// Prints no payload and no user (C18).
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

/// The outcome of [`create`](crate::AsyncSessionStore::create).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum CreateOutcome {
    /// The session is stored under this key.
    Created(SessionKey),
    /// Another session of the same owner has the key; nothing was changed.
    Exists,
}

impl CreateOutcome {
    /// Returns the key of a session that was created under a random key.
    pub(crate) fn fresh(self) -> SessionResult<SessionKey> {
        match self {
            Self::Created(key) => Ok(key),
            Self::Exists => Err(GreenticError::new(
                ErrorCode::Internal,
                "a new random session key is already in use",
            )),
        }
    }
}

/// The outcome of [`park`](crate::AsyncSessionStore::park).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum ParkOutcome {
    /// The session waits.
    Registered {
        /// The revision of the stored data.
        revision: u64,
    },
    /// This session already waits on the scope; nothing was changed.
    Exists(SessionKey),
}

/// The outcome of [`clear`](crate::AsyncSessionStore::clear).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum ClearOutcome {
    /// This session and its wait were removed.
    Cleared(SessionKey),
    /// No session waited on the scope.
    NoWait,
}

/// The state of a backend, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The backend: `memory`, `redis` or `durable`.
    pub backend: &'static str,
    /// The time of one round trip to the storage.
    pub round_trip: std::time::Duration,
    /// The version of the server or of the file format, if there is one.
    pub version: Option<String>,
    /// The role of the server, such as `master`.
    pub role: Option<String>,
    /// How many waits this store object has refused since it was opened, because their users had as
    /// many as [`StoreOptions::max_waits`](crate::options::StoreOptions::max_waits) permits.
    pub refused_waits: u64,
    /// The problems that were found; empty if there are none.
    pub warnings: Vec<HealthWarning>,
    /// The problems of the calls of operators only, as a user of a server who may not run them. They
    /// are none of a program that does not make these calls.
    pub operator_warnings: Vec<HealthWarning>,
}

impl Health {
    /// Makes the state of a backend without a version, a role and warnings.
    #[must_use]
    pub const fn new(backend: &'static str, round_trip: std::time::Duration) -> Self {
        Self {
            backend,
            round_trip,
            version: None,
            role: None,
            refused_waits: 0,
            warnings: Vec::new(),
            operator_warnings: Vec::new(),
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

/// A problem of a backend, present or impending.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthWarning {
    /// A stable name for programs, such as `eviction_policy`.
    pub code: &'static str,
    /// One sentence for people: the problem, and what to change.
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
