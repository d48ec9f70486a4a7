//! The file on disk: locking, creation, opening and recovery, the journal, and rewriting.
//!
//! [`open`] is where a file is opened and recovered; [`journal`] is where a journal is written and
//! replayed.

mod catch_corruption;
mod create;
mod database;
mod fail_stop;
mod file_lock;
mod journal;
mod meta;
mod open;
mod rewrite;
mod store_file;

pub(super) use catch_corruption::catch_corruption;
pub(super) use fail_stop::Failure;
pub(super) use file_lock::FileLock;
pub(super) use journal::Journal;
#[cfg(test)]
pub(super) use journal::replay;
pub(super) use meta::{read_state, write_state};
#[cfg(test)]
pub(super) use open::open_on;
pub(super) use open::{Opened, open};
pub(super) use rewrite::rewrite;
pub(super) use store_file::{StorageErrorKind, StoreFile, error_kind};
