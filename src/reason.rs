//! Why a worker gets a turn.

/// Why a worker gets a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// A message came, which [`claim`](crate::AsyncSessionStore::claim) was called for, or messages of a
    /// queue that the caller asked for.
    Message,
    /// Messages of a queue waited for a worker, and
    /// [`claim_due`](crate::AsyncSessionStore::claim_due) handed them out (C30): theirs died, or left them
    /// in the queue.
    Revived,
    /// The timeout of the wait came, and [`claim_due`](crate::AsyncSessionStore::claim_due) handed the
    /// turn out (C33). There is no message: resume the flow with "no answer came".
    Timeout,
}
