//! What is measured in a store.

/// A level in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// Durable: the operations in one commit, told at the commit.
    Batch,
    /// Durable: the operations that wait for the next commit, told at the commit.
    Queued,
}

impl Level {
    /// Returns the name, such as `queued`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Queued => "queued",
        }
    }
}
