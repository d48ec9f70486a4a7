//! Outcome of a message that is handled.

use std::fmt;
use std::sync::Arc;

use crate::reply::shown;

/// A message that is handled. The channel may take it for delivered.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Handled {
    /// True if the message was committed before: this is a redelivery, and nothing was run.
    pub duplicate: bool,
    /// The reply that the commit of the message kept
    /// ([`CommitOptions::reply`](crate::CommitOptions::reply)): the same for the first delivery and
    /// for later ones, as long as the store has it. `None` if it kept none.
    pub reply: Option<Arc<[u8]>>,
}

impl Handled {
    /// Returns the status of an HTTP answer to the channel: 200.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        200
    }
}

/// Prints the length of the reply, and not the reply (C18).
impl fmt::Debug for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handled")
            .field("duplicate", &self.duplicate)
            .field("reply", &shown(self.reply.as_ref()))
            .finish()
    }
}
