//! The rows that a batch changed, and memory that its operations no longer need.

use crate::backend::durable::format::Change;
use crate::session::NewSession;

/// Memory that an operation no longer needs. Most of it was allocated by the operation's caller, who
/// also frees it, because freeing it on the writer's thread would delay every caller.
#[derive(Default)]
pub struct Reclaimed {
    pub session: Option<NewSession>,
    pub changes: Vec<Change>,
}

/// What the operations of a batch wrote.
pub struct Changes {
    pub are_any: bool,
    /// Every change, in order, for the journal; none if there is no journal.
    pub for_journal: Option<Vec<Change>>,
}

impl Changes {
    pub fn new(has_journal: bool) -> Self {
        Self {
            are_any: false,
            for_journal: has_journal.then(Vec::new),
        }
    }

    /// Adds what an operation wrote. Returns the changes if they are not kept for the journal.
    pub fn add(&mut self, written: Vec<Change>) -> Vec<Change> {
        self.are_any |= !written.is_empty();
        let Some(for_journal) = &mut self.for_journal else {
            return written;
        };
        for_journal.extend(written);
        Vec::new()
    }
}
