//! How a turn ends.

use crate::claim::Commit;
use crate::options::CommitOptions;

/// How a turn ends: a commit, with the options of its call.
///
/// A [`Commit`] alone is one with the default options.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ending {
    /// The commit.
    pub commit: Commit,
    /// Its options. Default: none.
    pub options: CommitOptions,
}

impl Ending {
    /// Ends the turn with this commit and these options.
    #[must_use]
    pub const fn new(commit: Commit, options: CommitOptions) -> Self {
        Self { commit, options }
    }
}

impl From<Commit> for Ending {
    fn from(commit: Commit) -> Self {
        Self::new(commit, CommitOptions::new())
    }
}
