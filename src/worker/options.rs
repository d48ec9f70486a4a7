//! The settings of a worker.

use std::sync::Arc;
use std::time::Duration;

/// The settings of a [`Worker`](crate::Worker).
///
/// ```
/// use greentic_session::WorkerOptions;
/// use std::time::Duration;
///
/// let options = WorkerOptions::new(Duration::from_secs(30)).wait_for_turn(Duration::from_secs(2));
/// assert_eq!(options.wait_for_commit, Duration::from_secs(30));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The lease of each turn: the longest time for which a dead process delays a conversation. It is
    /// renewed while a handler runs. At most [`MAX_LEASE`](crate::options::MAX_LEASE).
    pub lease: Duration,
    /// For how long a message waits for its turn while another worker has it, or while the store is
    /// not reached. Choose it shorter than the time after which the channel gives a delivery up.
    /// Default: 5 seconds. The call of the store that is made last can take its own time limit longer.
    pub wait_for_turn: Duration,
    /// For how long a commit is repeated if its outcome is not known, or the store is not reached.
    /// Default: the lease.
    pub wait_for_commit: Duration,
    /// Who holds the claims, for operators: [`ClaimOptions::holder`](crate::ClaimOptions::holder) and
    /// [`DueOptions::holder`](crate::DueOptions::holder). Default: none.
    pub holder: Option<Arc<str>>,
}

impl WorkerOptions {
    /// Returns the defaults with this lease.
    #[must_use]
    pub const fn new(lease: Duration) -> Self {
        Self {
            lease,
            wait_for_turn: Duration::from_secs(5),
            wait_for_commit: lease,
            holder: None,
        }
    }

    /// Sets [`WorkerOptions::wait_for_turn`].
    #[must_use]
    pub const fn wait_for_turn(mut self, limit: Duration) -> Self {
        self.wait_for_turn = limit;
        self
    }

    /// Sets [`WorkerOptions::wait_for_commit`].
    #[must_use]
    pub const fn wait_for_commit(mut self, limit: Duration) -> Self {
        self.wait_for_commit = limit;
        self
    }

    /// Sets [`WorkerOptions::holder`].
    #[must_use]
    pub fn holder(mut self, name: impl Into<Arc<str>>) -> Self {
        self.holder = Some(name.into());
        self
    }
}
