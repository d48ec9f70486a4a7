//! The options and the outcome of `next`.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::claim::Turn;
use crate::clock::Timestamp;

/// The options of [`next`](crate::AsyncSessionStore::next).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextOptions {
    /// For how long the turn excludes other workers, unless it is renewed: at most
    /// [`MAX_LEASE`](crate::options::MAX_LEASE).
    pub lease: Duration,
    /// How many messages the turn has at most, up to [`MAX_BATCH`](crate::options::MAX_BATCH). Default:
    /// 1.
    pub max_batch: NonZeroU32,
    /// Who has the turn, as for [`ClaimOptions::holder`](crate::ClaimOptions::holder). Default: none.
    pub holder: Option<Arc<str>>,
}

impl NextOptions {
    /// Returns the defaults with this lease.
    #[must_use]
    pub const fn new(lease: Duration) -> Self {
        Self {
            lease,
            max_batch: NonZeroU32::MIN,
            holder: None,
        }
    }

    /// Sets [`NextOptions::max_batch`].
    #[must_use]
    pub const fn max_batch(mut self, messages: NonZeroU32) -> Self {
        self.max_batch = messages;
        self
    }

    /// Sets [`NextOptions::holder`].
    #[must_use]
    pub fn holder(mut self, name: impl Into<Arc<str>>) -> Self {
        self.holder = Some(name.into());
        self
    }
}

/// The outcome of [`next`](crate::AsyncSessionStore::next).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum NextOutcome {
    /// The caller alone has this turn.
    Turn(Turn),
    /// Another worker has the turn.
    #[non_exhaustive]
    Busy {
        /// The end of its lease, unless it is renewed.
        until: Timestamp,
    },
    /// No message waits that the scope can take now.
    Empty,
}

impl NextOutcome {
    /// Makes a `Busy`.
    pub const fn busy(until: Timestamp) -> Self {
        Self::Busy { until }
    }
}
