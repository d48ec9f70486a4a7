//! The findings of a verification: contradictions between sessions and index entries.

use std::fmt;

use greentic_types::SessionKey;

use super::{Progress, ScanCursor};
use crate::error::printable;

/// What to do about the findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyMode {
    /// Changes nothing.
    Check,
    /// Removes dangling index entries and orphans, and adds missing index entries. No readable
    /// session is removed.
    Repair,
    /// Repairs, and sets aside what cannot be read (C17): it is kept, and no other call meets it. What led
    /// to it is repaired by the next run. In memory nothing is unreadable.
    Quarantine,
    /// Deletes what was set aside, and repairs nothing.
    Discard,
}

#[cfg(any(feature = "durable", feature = "redis"))]
impl VerifyMode {
    /// Whether contradictions are repaired.
    pub(crate) const fn repairs(self) -> bool {
        matches!(self, Self::Repair | Self::Quarantine)
    }
}

/// The kind of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// An index entry leads to no session.
    Dangling,
    /// A session has no entry in an index.
    Missing,
    /// A part of a session exists without the rest.
    Orphan,
    /// An entry cannot be read (C17). It is not repaired.
    Unreadable,
    /// An entry that could not be read was set aside: by this call if `repaired` is true, before it
    /// otherwise. In the mode `Discard`, `repaired` means that it was deleted.
    Quarantined,
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dangling => "dangling",
            Self::Missing => "missing",
            Self::Orphan => "orphan",
            Self::Unreadable => "unreadable",
            Self::Quarantined => "quarantined",
        })
    }
}

/// A contradiction in the store. It names no user (C18).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The kind.
    pub kind: FindingKind,
    /// The table or the kind of key where it was found.
    pub place: &'static str,
    /// The session that it concerns, if any.
    pub session: Option<SessionKey>,
    /// A description in a few words.
    pub reason: String,
    /// True if it was repaired.
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
    /// The number of sessions and index entries that were checked.
    pub checked: u64,
    /// The findings.
    pub findings: Vec<Finding>,
    /// The progress of the walk, this page included.
    pub progress: Progress,
    /// The start of the next page; `None` on the last page.
    pub next: Option<ScanCursor>,
}
