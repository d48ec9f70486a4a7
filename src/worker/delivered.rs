//! Outcome of a message that is given to a worker with its queue.

use std::fmt;
use std::sync::Arc;

use crate::inbox::DeliverOutcome;
use crate::reply::shown;

/// What became of a message that [`Worker::deliver`](crate::Worker::deliver) was given.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Delivered {
    /// True if the channel can be told that the message has arrived
    /// ([`DeliverOutcome::is_kept`]): the store has it, or it was answered.
    pub is_kept: bool,
    /// True if the message was committed before: this is a redelivery.
    pub duplicate: bool,
    /// The reply that the commit of the message kept, if it was committed before and kept one.
    pub reply: Option<Arc<[u8]>>,
    /// How many turns the call has committed. The messages of the others are due later.
    pub turns: u32,
}

impl Delivered {
    pub(super) fn of(outcome: &DeliverOutcome) -> Self {
        let duplicate = match outcome {
            DeliverOutcome::Duplicate { reply } => Some(reply.clone()),
            _ => None,
        };
        Self {
            is_kept: outcome.is_kept(),
            duplicate: duplicate.is_some(),
            reply: duplicate.flatten(),
            turns: 0,
        }
    }

    /// Returns the status of an HTTP answer to the channel: 200, or 503 if it is to deliver the message
    /// again.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self.is_kept {
            true => 200,
            false => 503,
        }
    }
}

/// Prints the length of the reply, and not the reply (C18).
impl fmt::Debug for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivered")
            .field("is_kept", &self.is_kept)
            .field("duplicate", &self.duplicate)
            .field("reply", &shown(self.reply.as_ref()))
            .field("turns", &self.turns)
            .finish()
    }
}
