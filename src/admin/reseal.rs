//! The report of a page of `reseal`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Finding, Progress, ScanCursor};
use crate::vault::KeyId;

/// What `reseal` does with the sessions and replies of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResealMode {
    /// Counts them. Changes nothing.
    Count,
    /// Seals with the current key of their tenant what is sealed with another one, or is in clear.
    Seal,
    /// Stores in clear what is sealed. The store must accept data in clear.
    Clear,
}

/// One page of a `reseal`: how sessions and replies were stored before it, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResealPage {
    /// How many sessions and replies were sealed with each key; with none: in clear.
    pub by_key: BTreeMap<Option<KeyId>, u64>,
    /// Those of the keys that the vault does not have. What they sealed is unreadable.
    pub unknown: BTreeSet<KeyId>,
    /// How many were rewritten.
    pub rewritten: u64,
    /// How many were written or removed by another call meanwhile, or were stored by greentic-session 1.2
    /// and have no record yet. They are as they were.
    pub skipped: u64,
    /// What cannot be read. It is left unchanged.
    pub unreadable: Vec<Finding>,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// The start of the next page; `None` on the last page.
    pub next: Option<ScanCursor>,
}
