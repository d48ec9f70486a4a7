//! The options and the outcome of `deliver`.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::when::{WhenBusy, WhenNone};
use crate::claim::Turn;
use crate::clock::Timestamp;
use crate::reply::shown;

/// The options of [`deliver`](crate::AsyncSessionStore::deliver).
///
/// ```
/// use greentic_session::{DeliverOptions, WhenBusy, WhenNone};
/// use std::time::Duration;
///
/// let options = DeliverOptions::new(Duration::from_secs(30)).when_none(WhenNone::Buffer);
/// assert_eq!(options.when_busy, WhenBusy::Enqueue);
/// assert_eq!(options.max_batch.get(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliverOptions {
    /// For how long the turn that may come of the call excludes other workers, unless it is renewed: at
    /// most [`MAX_LEASE`](crate::options::MAX_LEASE).
    pub lease: Duration,
    /// What to do while another worker has the turn. Default: [`WhenBusy::Enqueue`].
    pub when_busy: WhenBusy,
    /// What to do where no session waits and no flow is started. It applies to the last scope. Default:
    /// [`WhenNone::Start`].
    pub when_none: WhenNone,
    /// How many messages a turn that begins with this message has at most, up to
    /// [`MAX_BATCH`](crate::options::MAX_BATCH). Default: 1.
    pub max_batch: NonZeroU32,
    /// For how long the message is kept unanswered. Default: [`InboxOptions::ttl`](crate::InboxOptions::ttl).
    /// Less than a millisecond acts as 1 ms.
    pub ttl: Option<Duration>,
    /// Leaves the scope unclaimed until so long after the last message, and at most eight times as long
    /// after the first: for people who write several short messages. `claim_due` then hands out the turn.
    /// At most [`MAX_LEASE`](crate::options::MAX_LEASE). Default: none.
    pub debounce: Option<Duration>,
    /// Who has the turn, as for [`ClaimOptions::holder`](crate::ClaimOptions::holder). Default: none.
    pub holder: Option<Arc<str>>,
}

impl DeliverOptions {
    /// Returns the defaults with this lease.
    #[must_use]
    pub fn new(lease: Duration) -> Self {
        Self {
            lease,
            when_busy: WhenBusy::default(),
            when_none: WhenNone::default(),
            max_batch: NonZeroU32::MIN,
            ttl: None,
            debounce: None,
            holder: None,
        }
    }

    /// Sets [`DeliverOptions::when_busy`].
    #[must_use]
    pub const fn when_busy(mut self, when_busy: WhenBusy) -> Self {
        self.when_busy = when_busy;
        self
    }

    /// Sets [`DeliverOptions::when_none`].
    #[must_use]
    pub fn when_none(mut self, when_none: WhenNone) -> Self {
        self.when_none = when_none;
        self
    }

    /// Sets [`DeliverOptions::max_batch`].
    #[must_use]
    pub const fn max_batch(mut self, messages: NonZeroU32) -> Self {
        self.max_batch = messages;
        self
    }

    /// Sets [`DeliverOptions::ttl`].
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Sets [`DeliverOptions::debounce`].
    #[must_use]
    pub const fn debounce(mut self, debounce: Duration) -> Self {
        self.debounce = Some(debounce);
        self
    }

    /// Sets [`DeliverOptions::holder`].
    #[must_use]
    pub fn holder(mut self, name: impl Into<Arc<str>>) -> Self {
        self.holder = Some(name.into());
        self
    }
}

/// The outcome of [`deliver`](crate::AsyncSessionStore::deliver).
#[derive(Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum DeliverOutcome {
    /// The message is kept, and the caller alone has the turn. Its messages may begin with an older one.
    Turn(Turn),
    /// The message is kept; another turn comes first.
    #[non_exhaustive]
    Queued {
        /// How many messages of the queue are before it, those in flight included.
        ahead: u32,
        /// Until when it is kept unanswered.
        until: Timestamp,
    },
    /// The message is kept. No session waits, and no flow was to start.
    #[non_exhaustive]
    Buffered {
        /// Until when it is kept unanswered.
        until: Timestamp,
    },
    /// Another worker has the turn, and the message was to be rejected then. It is not kept.
    #[non_exhaustive]
    Busy {
        /// The end of the other worker's lease, unless it is renewed.
        until: Timestamp,
        /// True if the other worker has its turn for this very message.
        same_message: bool,
    },
    /// A bound of the queues is reached (C31). The message is not kept.
    Full,
    /// No session waits, and the message was to be refused then. It is not kept.
    NoWait,
    /// The message was committed before; acknowledge and drop it.
    #[non_exhaustive]
    Duplicate {
        /// The reply that its commit kept, if it kept one.
        reply: Option<Arc<[u8]>>,
    },
    /// The message is among the dead letters. Nothing has changed.
    DeadLettered,
}

impl DeliverOutcome {
    /// Returns true if the channel can be told that the message has arrived: the store has it, or it was
    /// answered. Otherwise refuse it, so that the channel delivers it again (429 or 503).
    ///
    /// ```
    /// use greentic_session::DeliverOutcome;
    ///
    /// assert!(DeliverOutcome::DeadLettered.is_kept());
    /// assert!(!DeliverOutcome::Full.is_kept());
    /// ```
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        match self {
            Self::Turn(_)
            | Self::Queued { .. }
            | Self::Buffered { .. }
            | Self::Duplicate { .. }
            | Self::DeadLettered => true,
            Self::Busy { .. } | Self::Full | Self::NoWait => false,
        }
    }

    /// Makes a `Queued`.
    pub const fn queued(ahead: u32, until: Timestamp) -> Self {
        Self::Queued { ahead, until }
    }

    /// Makes a `Buffered`.
    pub const fn buffered(until: Timestamp) -> Self {
        Self::Buffered { until }
    }

    /// Makes a `Busy`.
    pub const fn busy(until: Timestamp, same_message: bool) -> Self {
        Self::Busy {
            until,
            same_message,
        }
    }

    /// Makes a `Duplicate` with the reply that was kept, if one was.
    pub const fn duplicate_with(reply: Option<Arc<[u8]>>) -> Self {
        Self::Duplicate { reply }
    }
}

/// Prints the length of a reply, and not the reply (C18).
impl fmt::Debug for DeliverOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turn(turn) => f.debug_tuple("Turn").field(turn).finish(),
            Self::Queued { ahead, until } => f
                .debug_struct("Queued")
                .field("ahead", ahead)
                .field("until", until)
                .finish(),
            Self::Buffered { until } => f.debug_struct("Buffered").field("until", until).finish(),
            Self::Busy {
                until,
                same_message,
            } => f
                .debug_struct("Busy")
                .field("until", until)
                .field("same_message", same_message)
                .finish(),
            Self::Full => f.write_str("Full"),
            Self::NoWait => f.write_str("NoWait"),
            Self::Duplicate { reply } => f
                .debug_struct("Duplicate")
                .field("reply", &shown(reply.as_ref()))
                .finish(),
            Self::DeadLettered => f.write_str("DeadLettered"),
        }
    }
}
