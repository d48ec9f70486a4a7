//! What an operator needs: to see what is stored, to mend it, to erase it, to move it.
//!
//! Everything here works in pages, so that no call does more than a bounded piece of work, however
//! much is stored: a page says where the next one begins, as a [`ScanCursor`] that can be printed,
//! kept and read again. Live traffic goes on meanwhile.

mod cursor;
mod erase;
mod filter;
mod info;
mod progress;
mod stats;
mod transfer;
mod verify;

pub use crate::owner::OwnerParts;
pub use crate::scope::ScopeDigest;
pub use cursor::ScanCursor;
pub(crate) use cursor::unknown_cursor;
pub use erase::{EraseMode, ErasePage, OwnerSelection};
pub use filter::ScanFilter;
pub use info::{RevokeOutcome, ScanPage, SessionInfo, SessionState, StateKind};
pub use progress::Progress;
pub use stats::{Counts, Histogram, Stats};
pub use transfer::{
    ExportPage, ExportRecord, ExportedMessage, ExportedMessages, ExportedSession, ExportedWait,
    ImportMode, ImportOutcome,
};
pub use verify::{Finding, FindingKind, VerifyMode, VerifyPage};

/// The most that one page looks at; a larger limit acts as this one.
pub const MAX_PAGE: usize = 1_000;

/// A limit that a backend works with: at least 1, at most [`MAX_PAGE`].
pub(crate) fn page_limit(limit: usize) -> usize {
    limit.clamp(1, MAX_PAGE)
}
