//! What an operator does.

use serde::{Deserialize, Serialize};

/// An act of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Act {
    /// Everything of owners is erased.
    Erase,
    /// A session is removed.
    Remove,
    /// A claim is taken from its worker.
    Revoke,
    /// User ids or payloads are shown.
    Reveal,
    /// Sessions are written to a place outside the store, with users and payloads.
    Export,
    /// Sessions from outside are stored.
    Import,
}
