//! The types of the operator's operations: scan, count, verify, erase, export and import.
//!
//! These operations walk over the store in pages, so that each call does a bounded amount of work.
//! A page returns the start of the next one as a [`ScanCursor`], which can be printed, stored and
//! parsed. Other calls are not blocked.

mod cursor;
mod erase;
mod filter;
mod hex_text;
mod info;
mod progress;
#[cfg(feature = "encryption")]
mod reseal;
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
#[cfg(feature = "encryption")]
pub use reseal::{ResealMode, ResealPage};
pub use stats::{Counts, Histogram, Stats};
pub use transfer::{
    ExportPage, ExportRecord, ExportedMessage, ExportedMessages, ExportedSession, ExportedWait,
    ImportMode, ImportOutcome,
};
pub use verify::{Finding, FindingKind, VerifyMode, VerifyPage};

/// The largest limit of a page, in entries. A larger limit means this one.
pub const MAX_PAGE: usize = 1_000;

/// Limits a page to between 1 and [`MAX_PAGE`] entries.
pub(crate) fn page_limit(limit: usize) -> usize {
    limit.clamp(1, MAX_PAGE)
}
