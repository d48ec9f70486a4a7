//! What a committed turn leaves to its worker.

use std::sync::Arc;
use std::time::Instant;

use crate::claim::Turn;

/// A turn that was committed.
pub(super) struct Ended {
    /// The reply that the commit kept.
    pub reply: Option<Arc<[u8]>>,
    /// The next turn, and the instant before the commit, from which its lease counts.
    pub next: Option<(Turn, Instant)>,
}
