//! What a delivery does where a turn is live, and where no session waits.

use crate::options::StartOptions;

/// What [`deliver`](crate::AsyncSessionStore::deliver) does with a message while another worker has
/// the turn (C28).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenBusy {
    /// Keeps the message behind those that came before. The default.
    #[default]
    Enqueue,
    /// Keeps nothing: the outcome is [`Busy`](crate::DeliverOutcome::Busy).
    Reject,
    /// Keeps the message, and takes the turn from the worker, if the turn came of the queue or of
    /// `claim_due`. What that worker had is handed out again first. Against a plain
    /// [`claim`](crate::AsyncSessionStore::claim) it acts as `Enqueue`.
    ///
    /// It is no rollback: the session is as the worker updated it last, and what the worker did
    /// elsewhere stays done. [`LeaseWatch`](crate::LeaseWatch) tells the worker.
    Interrupt,
}

/// What [`deliver`](crate::AsyncSessionStore::deliver) does with a message where no session waits and
/// no flow is started (C28).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenNone {
    /// Starts a flow (C27). The default.
    Start(StartOptions),
    /// Keeps the message until a session waits on the scope.
    Buffer,
    /// Keeps nothing: the outcome is [`NoWait`](crate::DeliverOutcome::NoWait). A message that was kept
    /// behind others, and that no session takes in the end, becomes a dead letter.
    Refuse,
}

impl Default for WhenNone {
    fn default() -> Self {
        Self::Start(StartOptions::new())
    }
}
