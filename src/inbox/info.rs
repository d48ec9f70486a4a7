//! What is shown of the messages of a queue, and which of them a call means.

use crate::clock::Timestamp;
use crate::message_id::MessageId;

/// A message of a queue, without its body: see [`messages`](crate::AsyncSessionStore::messages).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageInfo {
    /// The id.
    pub id: MessageId,
    /// Where it is.
    pub state: MessageState,
    /// The length of the body.
    pub bytes: usize,
    /// When the store accepted it.
    pub since: Timestamp,
    /// Until when it is kept unanswered.
    pub until: Timestamp,
    /// How many turns with it ended without an answer.
    pub attempts: u32,
}

impl MessageInfo {
    pub(crate) const fn new(id: MessageId, state: MessageState) -> Self {
        Self {
            id,
            state,
            bytes: 0,
            since: Timestamp::from_millis(0),
            until: Timestamp::from_millis(0),
            attempts: 0,
        }
    }
}

/// Where a message of a queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageState {
    /// It waits for its turn.
    Waiting,
    /// A worker has it, or had it last: its turn was not taken over yet.
    InFlight,
    /// It is a dead letter, for this reason.
    DeadLettered(DeadReason),
}

/// Why a message is a dead letter (C31).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadReason {
    /// It was handed out as often as a message may be
    /// ([`InboxOptions::max_attempts`](crate::InboxOptions::max_attempts)).
    Attempts,
    /// No session waits that could take it, and it was not to start a flow
    /// ([`WhenNone::Refuse`](crate::WhenNone::Refuse)).
    NoWait,
}

/// Which messages of a queue [`discard`](crate::AsyncSessionStore::discard) drops. Never one in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Discard {
    /// All that wait.
    Waiting,
    /// All dead letters.
    DeadLettered,
    /// This one, if it waits or is a dead letter.
    One(MessageId),
}

/// Which dead letters [`retry`](crate::AsyncSessionStore::retry) puts at the back of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// All of the scope.
    All,
    /// This one.
    One(MessageId),
}
