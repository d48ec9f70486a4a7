//! The operator's operations: walks, verification and repair.

mod check;
mod repair;
mod verify;
mod walk;
mod walk_tables;

pub(super) use repair::repair;
pub use verify::Inconsistency;
pub(super) use verify::{count_held, inconsistencies, page as verify_page};
pub(super) use walk::{open_page, walk, walk_one};
#[cfg(feature = "fuzzing")]
pub(super) use walk_tables::ScanPosition;
