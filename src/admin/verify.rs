//! Whether everything that leads to a session agrees with it.

use std::fmt;

use greentic_types::SessionKey;

use super::{Progress, ScanCursor};
use crate::error::printable;

/// Whether to repair what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyMode {
    /// Changes nothing.
    Check,
    /// Removes what leads nowhere, and indexes what is not indexed. No readable session is lost.
    Repair,
}

/// What kind of fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// An entry of an index leads nowhere.
    Dangling,
    /// A session is not where an index should lead to it.
    Missing,
    /// A part of a session is there without the rest.
    Orphan,
    /// What is stored cannot be read (C17). Nothing repairs it.
    Unreadable,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dangling => "dangling",
            Self::Missing => "missing",
            Self::Orphan => "orphan",
            Self::Unreadable => "unreadable",
        })
    }
}

/// One thing that is wrong. It names no user (C18).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of fault it is.
    pub kind: FindingKind,
    /// The table, or the kind of key, that it was found in.
    pub place: &'static str,
    /// The session that it is about, if it is about one.
    pub session: Option<SessionKey>,
    /// What is wrong, in a few words.
    pub reason: String,
    /// It was repaired.
    pub repaired: bool,
}

impl Finding {
    pub(crate) fn new(
        kind: FindingKind,
        place: &'static str,
        session: Option<SessionKey>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            place,
            session,
            reason: reason.into(),
            repaired: false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}: {}", self.place, self.kind, self.reason)?;
        match &self.session {
            Some(key) => write!(f, " (session {})", printable(key)),
            None => Ok(()),
        }
    }
}

/// One page of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyPage {
    /// How much was looked at: sessions, and entries of indexes.
    pub checked: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// Where the next page begins; none if this is the last.
    pub next: Option<ScanCursor>,
}
