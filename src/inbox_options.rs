//! The bounds of queues.

use std::time::Duration;

/// The most messages that the queues of one owner can be permitted to hold.
pub const MAX_QUEUED: u32 = 1_024;

/// The most messages of one turn.
pub const MAX_BATCH: u32 = 64;

/// The most bytes of the messages of one turn, unless it has one message only.
pub(crate) const MAX_BATCH_BYTES: usize = 1024 * 1024;

/// How many dead letters of one owner are kept. The oldest are dropped first.
pub const MAX_DEAD_LETTERS: usize = 16;

/// What queues hold at most:
/// [`StoreOptions::inbox`](crate::options::StoreOptions::inbox) (C31).
///
/// All processes that share a store should have the same.
///
/// ```
/// use greentic_session::{InboxOptions, StoreOptions};
///
/// let options = StoreOptions::new().inbox(InboxOptions::new().max_messages(16));
/// assert_eq!(options.inbox.map(|inbox| inbox.max_messages), Some(16));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboxOptions {
    /// How many messages the queues of one owner hold together. Default: 64. 0 means 1, and more than
    /// [`MAX_QUEUED`](crate::options::MAX_QUEUED) means that many.
    pub max_messages: u32,
    /// How many bytes the bodies of these messages have together, and so the most of one body. Default:
    /// 1 MiB.
    pub max_bytes: usize,
    /// For how long a message is kept unanswered, unless
    /// [`DeliverOptions::ttl`](crate::DeliverOptions::ttl) says otherwise. Default: 24 hours.
    pub ttl: Duration,
    /// After how many attempts a message becomes a dead letter. Default: 5; 0 means 1. A lease that
    /// lapsed is an attempt; a release is none.
    pub max_attempts: u32,
    /// What happens to a message that exceeds a bound. Default: [`WhenFull::Refuse`].
    pub when_full: WhenFull,
}

impl InboxOptions {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_messages: 64,
            max_bytes: 1024 * 1024,
            ttl: Duration::from_secs(24 * 60 * 60),
            max_attempts: 5,
            when_full: WhenFull::Refuse,
        }
    }

    /// Sets [`InboxOptions::max_messages`].
    #[must_use]
    pub const fn max_messages(mut self, messages: u32) -> Self {
        self.max_messages = messages;
        self
    }

    /// Sets [`InboxOptions::max_bytes`].
    #[must_use]
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`InboxOptions::ttl`].
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets [`InboxOptions::max_attempts`].
    #[must_use]
    pub const fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets [`InboxOptions::when_full`].
    #[must_use]
    pub const fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    pub(crate) fn message_limit(&self) -> usize {
        self.max_messages.clamp(1, MAX_QUEUED) as usize
    }
}

impl Default for InboxOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// What happens to a message that exceeds a bound of the queues (C31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// It is not kept: [`DeliverOutcome::Full`](crate::DeliverOutcome::Full). The default.
    #[default]
    Refuse,
    /// The oldest waiting messages of the owner are dropped, and never one in flight.
    DropOldest,
}
