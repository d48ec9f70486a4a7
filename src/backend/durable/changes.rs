//! What operations do to rows, and what of it outlives them.

use super::tables::Table;
use crate::session::NewSession;

/// What becomes of one row.
pub(super) struct Change {
    pub table: Table,
    pub key: Vec<u8>,
    /// None removes the row.
    pub value: Option<Vec<u8>>,
}

/// What an operation has used up. Most of it was made by its caller, who also drops it: all callers
/// wait for the writer's thread.
#[derive(Default)]
pub(super) struct Spent {
    pub session: Option<NewSession>,
    pub changes: Vec<Change>,
}

/// What all operations of a batch wrote.
pub(super) struct Changes {
    pub are_any: bool,
    /// Each change, in order; none if no journal wants to know.
    pub noted: Option<Vec<Change>>,
}

impl Changes {
    pub fn new(notes: bool) -> Self {
        Self {
            are_any: false,
            noted: notes.then(Vec::new),
        }
    }

    /// Takes what an operation wrote, and gives it back if nobody wants to know.
    pub fn add(&mut self, written: Vec<Change>) -> Vec<Change> {
        self.are_any |= !written.is_empty();
        let Some(noted) = &mut self.noted else {
            return written;
        };
        noted.extend(written);
        Vec::new()
    }
}
