//! The answer to a call, comparable between a store and the model.

use greentic_session::{Conflict, ErrorCode, GreenticError, SessionErrorExt};

/// An instant, in whole ticks since the test began.
pub type Tick = u64;
/// A session key, by its number.
pub type Key = usize;

/// A session as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seen {
    pub key: Key,
    pub content: u32,
    /// Whether the stored context names the user (C2).
    pub names_user: bool,
    pub revision: u64,
    pub deadline: Option<Tick>,
}

/// A turn.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Given {
    pub key: Key,
    /// None starts a flow.
    pub session: Option<Seen>,
    pub attempt: u32,
    pub until: Tick,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Done,
    /// The call could not be made: it needs a claim that was never won.
    Skipped,
    Session(Option<Seen>),
    Found(Option<Key>),
    List(Vec<Key>),
    Revision(u64),
    Created(Key),
    CreateExists,
    ParkExists(Key),
    Cleared(Key),
    NothingToClear,
    Claimed(Given),
    /// What was due, in the order of the keys.
    Due(Vec<Given>),
    /// When the timeout comes, if the wait has one.
    Timeout(Option<Tick>),
    /// Until then, and whether it is for the same message.
    Busy(Tick, bool),
    /// The content of the commit that kept a reply.
    Duplicate(Option<u32>),
    NoWait,
    Until(Tick),
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    InvalidInput,
    /// `InvalidInput` with the words that callers look for (C6).
    MultipleWaits,
    NotFound,
    RevisionMismatch {
        expected: u64,
        current: u64,
    },
    Claimed(Tick),
    ClaimLost,
    KeyTaken,
    ScopeTaken,
    NotWaiting,
    Unexpected(String),
}

impl Failure {
    pub fn of(error: &GreenticError, ticks: impl Fn(u64) -> Tick) -> Self {
        match (error.code, error.conflict()) {
            (ErrorCode::InvalidInput, _) if error.message.contains("multiple waits") => {
                Self::MultipleWaits
            }
            (ErrorCode::InvalidInput, _) => Self::InvalidInput,
            (ErrorCode::NotFound, _) => Self::NotFound,
            (ErrorCode::Conflict, Some(&Conflict::RevisionMismatch { expected, current })) => {
                Self::RevisionMismatch { expected, current }
            }
            (ErrorCode::Conflict, Some(Conflict::Claimed { until })) => {
                Self::Claimed(ticks(until.as_millis()))
            }
            (ErrorCode::Conflict, Some(Conflict::ClaimLost)) => Self::ClaimLost,
            (ErrorCode::Conflict, Some(Conflict::KeyTaken)) => Self::KeyTaken,
            (ErrorCode::Conflict, Some(Conflict::ScopeTaken)) => Self::ScopeTaken,
            (ErrorCode::Conflict, Some(Conflict::NotWaiting)) => Self::NotWaiting,
            _ => Self::Unexpected(format!("{error:?}")),
        }
    }
}

impl Answer {
    /// This answer as the sync API gives it, which has no outcomes.
    pub fn for_sync_api(self) -> Self {
        match self {
            Self::Revision(_) | Self::Cleared(_) | Self::NothingToClear => Self::Done,
            Self::Session(found) => Self::Session(found.map(|seen| Seen {
                revision: 0,
                deadline: None,
                ..seen
            })),
            other => other,
        }
    }
}
