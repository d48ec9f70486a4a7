//! The rows that a batch changed, and memory that its operations no longer need.

use crate::backend::durable::format::Change;
use crate::session::NewSession;

/// Memory that an operation no longer needs. It was allocated by the operation's caller, who also frees
/// it, because freeing it on the writer's thread would delay every caller.
#[derive(Default)]
pub struct Reclaimed {
    pub session: Option<NewSession>,
}

/// What the operations of a batch wrote.
#[derive(Default)]
pub struct Changes {
    /// Every change, in order.
    pub all: Vec<Change>,
}
