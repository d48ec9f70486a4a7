//! What a case needs of a subject.

use std::fmt;

/// What a case needs of a subject, and a subject may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The async API: [`Subject::both_apis`](super::Subject::both_apis).
    AsyncApi,
    /// The operations beyond the nine methods: [`Subject::both_apis`](super::Subject::both_apis).
    AllOperations,
    /// The operations with a context that act on the caller's own sessions only (C38):
    /// [`Subject::both_apis`](super::Subject::both_apis).
    FencedForms,
    /// Start claims ([`ClaimOptions::start`](crate::ClaimOptions::start)):
    /// [`Subject::both_apis`](super::Subject::both_apis), unless they are waived.
    Start,
    /// Timeouts ([`ParkOptions::timeout`](crate::ParkOptions::timeout)) and
    /// [`claim_due`](crate::AsyncSessionStore::claim_due), of a store whose turns no other worker takes:
    /// [`Subject::both_apis`](super::Subject::both_apis), unless they are waived.
    Timeouts,
    /// Queues ([`deliver`](crate::AsyncSessionStore::deliver)) of a store that keeps them if its options say
    /// so: [`Subject::both_apis`](super::Subject::both_apis), unless they are waived.
    Inbox,
    /// A clock that the case can move: [`Time::Manual`](super::Time::Manual).
    Clock,
    /// More stores, with other options: [`Subject::with_options`](super::Subject::with_options).
    Options,
    /// A count of what the store holds:
    /// [`Subject::with_leftovers`](super::Subject::with_leftovers).
    Leftovers,
    /// A store that can be closed and opened again:
    /// [`Subject::with_reopen`](super::Subject::with_reopen).
    Reopen,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsyncApi => "needs the async API",
            Self::AllOperations => "needs the operations beyond the nine methods",
            Self::FencedForms => "needs the fenced forms",
            Self::Start => "needs start claims",
            Self::Timeouts => "needs timeouts",
            Self::Inbox => "needs queues of messages",
            Self::Clock => "needs a clock that can be moved",
            Self::Options => "needs stores with other options",
            Self::Leftovers => "needs a count of what the store holds",
            Self::Reopen => "needs a store that can be closed and opened again",
        })
    }
}
