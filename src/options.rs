//! The options of single calls, and the settings that all backends share.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU128};
use std::sync::Arc;
use std::time::Duration;

use crate::claim::ClaimToken;
use crate::clock::whole_millis;
use crate::error::{SessionResult, invalid_input};
use crate::ids::random_bits;
use crate::reply::shown;
use crate::timeout::Timeout;
use greentic_types::SessionKey;

pub use crate::due::MAX_DUE;
pub use crate::duration_text::parse_duration;
pub use crate::find_by_user::FindByUser;
pub use crate::holder::MAX_HOLDER_BYTES;
pub use crate::ids::{MAX_ID_BYTES, MAX_SESSION_KEY_BYTES};
pub(crate) use crate::inbox_options::MAX_BATCH_BYTES;
pub use crate::inbox_options::{InboxOptions, MAX_BATCH, MAX_DEAD_LETTERS, MAX_QUEUED, WhenFull};
pub use crate::message_id::MAX_MESSAGE_ID_BYTES;
pub use crate::reply::MAX_REPLY_BYTES;
pub use crate::scope::MAX_SCOPE_BYTES;
pub use crate::ttl::Ttl;

pub(crate) use crate::ttl::{LATEST_DEADLINE, NextTtl, TtlMillis};

/// The longest lease of a claim. Work that takes longer renews the lease.
pub const MAX_LEASE: Duration = Duration::from_secs(24 * 60 * 60);

/// For how long message ids are remembered, unless the options say otherwise.
pub(crate) const DEFAULT_MESSAGE_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// The most message ids that are remembered for one owner (C16). Redis looks at all of them to find the
/// oldest.
pub const MAX_MESSAGES: usize = 2_000;

/// The settings that all backends share.
///
/// ```
/// use greentic_session::options::StoreOptions;
/// use std::time::Duration;
///
/// let options = StoreOptions::new().default_ttl(Duration::from_secs(7 * 24 * 3600));
/// assert_eq!(options.max_payload_bytes, 16 * 1024 * 1024);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreOptions {
    /// The TTL of sessions that are stored without one. Default: `None`, they stay until removed.
    pub default_ttl: Option<Duration>,
    /// The largest size of a session that is stored, in bytes of its JSON form (C8). Larger ones
    /// that are stored already are read. Default: 16 MiB.
    pub max_payload_bytes: usize,
    /// How long the id of a committed message is remembered (C16). Default: 24 hours.
    pub message_window: Duration,
    /// How many message ids are remembered for one owner; the oldest is forgotten first (C16).
    /// Default: 1,000. 0 means 1, and more than [`MAX_MESSAGES`] means that many.
    pub max_messages: usize,
    /// How many live waits an owner may have (C9). A park that adds one more is
    /// [`RateLimited`](greentic_types::ErrorCode::RateLimited). Default: 10,000. 0 means no limit.
    pub max_waits: usize,
    /// Which sessions `find_by_user` returns (C6). Default: [`FindByUser::DEFAULT`].
    pub find_by_user: FindByUser,
    /// The queues of conversations, and their bounds (C28 to C31). Default: `None`;
    /// [`deliver`](crate::AsyncSessionStore::deliver) is then `InvalidInput`.
    pub inbox: Option<InboxOptions>,
}

impl StoreOptions {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            default_ttl: None,
            max_payload_bytes: 16 * 1024 * 1024,
            message_window: DEFAULT_MESSAGE_WINDOW,
            max_messages: 1_000,
            max_waits: 10_000,
            find_by_user: FindByUser::DEFAULT,
            inbox: None,
        }
    }

    /// Sets [`StoreOptions::default_ttl`].
    #[must_use]
    pub const fn default_ttl(mut self, ttl: Duration) -> Self {
        self.default_ttl = Some(ttl);
        self
    }

    /// Sets [`StoreOptions::max_payload_bytes`].
    #[must_use]
    pub const fn max_payload_bytes(mut self, bytes: usize) -> Self {
        self.max_payload_bytes = bytes;
        self
    }

    /// Sets [`StoreOptions::message_window`].
    #[must_use]
    pub const fn message_window(mut self, window: Duration) -> Self {
        self.message_window = window;
        self
    }

    /// Sets [`StoreOptions::max_messages`].
    #[must_use]
    pub const fn max_messages(mut self, messages: usize) -> Self {
        self.max_messages = messages;
        self
    }

    /// How many message ids are remembered for one owner.
    pub(crate) fn message_limit(&self) -> usize {
        self.max_messages.clamp(1, MAX_MESSAGES)
    }

    /// Sets [`StoreOptions::max_waits`].
    #[must_use]
    pub const fn max_waits(mut self, waits: usize) -> Self {
        self.max_waits = waits;
        self
    }

    /// Sets [`StoreOptions::find_by_user`].
    #[must_use]
    pub const fn find_by_user(mut self, sees: FindByUser) -> Self {
        self.find_by_user = sees;
        self
    }

    /// Sets [`StoreOptions::inbox`].
    #[must_use]
    pub const fn inbox(mut self, inbox: InboxOptions) -> Self {
        self.inbox = Some(inbox);
        self
    }
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The id of one intended change, by which a repeat of it is recognised (C14).
///
/// Give one to a conditional call, or to a `create`, that you may have to repeat after a `Timeout`.
/// The repeat, with the same id, succeeds if the first call did and no other write to the session
/// followed. Use a new id for each other change. For repeats that the store makes itself, it uses
/// ids of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OperationId(NonZeroU128);

impl OperationId {
    /// Draws a random id.
    #[must_use]
    pub fn random() -> Self {
        Self(random_bits())
    }

    /// Returns the id as a number, which the caller can store.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.get()
    }

    /// Makes an id from its number; 0 becomes 1.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        match NonZeroU128::new(number) {
            Some(number) => Self(number),
            None => Self(NonZeroU128::MIN),
        }
    }
}

/// The options of [`create`](crate::AsyncSessionStore::create).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateOptions {
    /// The key of the session. Default: a new random key, which cannot be guessed.
    pub key: Option<SessionKey>,
    /// The TTL of the session. Default: [`Ttl::Default`].
    pub ttl: Ttl,
    /// The id of this change (C14). Default: none.
    pub operation: Option<OperationId>,
}

impl CreateOptions {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`CreateOptions::key`].
    #[must_use]
    pub fn key(mut self, key: SessionKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets [`CreateOptions::ttl`].
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// Sets [`CreateOptions::operation`].
    #[must_use]
    pub const fn operation(mut self, operation: OperationId) -> Self {
        self.operation = Some(operation);
        self
    }
}

/// The options of [`update`](crate::AsyncSessionStore::update).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpdateOptions {
    /// The revision that the session must have (C15). Default: any.
    pub if_revision: Option<u64>,
    /// The token of the claim that the caller holds (C16). Default: none; a live claim then refuses
    /// the call.
    pub claim: Option<ClaimToken>,
    /// The id of this change (C14). Default: none.
    pub operation: Option<OperationId>,
}

impl UpdateOptions {
    /// Returns the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`UpdateOptions::if_revision`].
    #[must_use]
    pub const fn if_revision(mut self, revision: u64) -> Self {
        self.if_revision = Some(revision);
        self
    }

    /// Sets [`UpdateOptions::claim`].
    #[must_use]
    pub fn claim(mut self, token: ClaimToken) -> Self {
        self.claim = Some(token);
        self
    }

    /// Sets [`UpdateOptions::operation`].
    #[must_use]
    pub const fn operation(mut self, operation: OperationId) -> Self {
        self.operation = Some(operation);
        self
    }
}

/// The options of [`remove`](crate::AsyncSessionStore::remove).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoveOptions {
    /// The revision that the session must have (C15). Default: any.
    pub if_revision: Option<u64>,
}

impl RemoveOptions {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { if_revision: None }
    }

    /// Sets [`RemoveOptions::if_revision`].
    #[must_use]
    pub const fn if_revision(mut self, revision: u64) -> Self {
        self.if_revision = Some(revision);
        self
    }
}

/// The options of [`park`](crate::AsyncSessionStore::park).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParkOptions {
    /// The TTL of the session. Default: [`Ttl::Default`].
    pub ttl: Ttl,
    /// Parks only if no session waits on the scope (C15). Default: false; one that waits there is
    /// displaced.
    pub if_absent: bool,
    /// The id of this change (C14). Default: none.
    pub operation: Option<OperationId>,
    /// The timeout of the wait (C32). Default: none.
    pub timeout: Option<Timeout>,
}

impl ParkOptions {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ttl: Ttl::Default,
            if_absent: false,
            operation: None,
            timeout: None,
        }
    }

    /// Sets [`ParkOptions::ttl`].
    #[must_use]
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        self.ttl = ttl.into();
        self
    }

    /// Sets [`ParkOptions::if_absent`] to true.
    #[must_use]
    pub const fn if_absent(mut self) -> Self {
        self.if_absent = true;
        self
    }

    /// Sets [`ParkOptions::operation`].
    #[must_use]
    pub const fn operation(mut self, operation: OperationId) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Sets [`ParkOptions::timeout`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Timeout) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// The options of [`claim`](crate::AsyncSessionStore::claim).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimOptions {
    /// For how long the claim excludes other workers, unless it is renewed: at most
    /// [`MAX_LEASE`]. Less than a millisecond acts as 1 ms.
    pub lease: Duration,
    /// What to do if no session waits on any of the scopes: with options, start a flow on the last
    /// scope (C27). Default: none; the outcome is then
    /// [`NoWait`](crate::ClaimOutcome::NoWait).
    pub start: Option<StartOptions>,
    /// Who holds the claim, for operators: the name of the process, its pod or its host. It is
    /// stored with the claim of a wait, and [`scan`](crate::AsyncSessionStore::scan) shows it. It
    /// decides nothing. 1 to [`MAX_HOLDER_BYTES`] ASCII characters without a space; another name is
    /// `InvalidInput` before anything is done.
    /// Default: none.
    pub holder: Option<Arc<str>>,
}

impl ClaimOptions {
    /// Returns the defaults with this lease.
    #[must_use]
    pub const fn new(lease: Duration) -> Self {
        Self {
            lease,
            start: None,
            holder: None,
        }
    }

    /// Sets [`ClaimOptions::start`].
    #[must_use]
    pub fn start(mut self, start: StartOptions) -> Self {
        self.start = Some(start);
        self
    }

    /// Sets [`ClaimOptions::holder`].
    ///
    /// ```
    /// use greentic_session::ClaimOptions;
    /// use std::time::Duration;
    ///
    /// let options = ClaimOptions::new(Duration::from_secs(30)).holder("bot-7f9c");
    /// assert_eq!(options.holder.as_deref(), Some("bot-7f9c"));
    /// ```
    #[must_use]
    pub fn holder(mut self, name: impl Into<Arc<str>>) -> Self {
        self.holder = Some(name.into());
        self
    }
}

/// How a [`claim`](crate::AsyncSessionStore::claim) starts a flow where no session waits (C27).
///
/// ```
/// use greentic_session::{ClaimOptions, SessionKey, StartOptions};
/// use std::time::Duration;
///
/// let start = StartOptions::new().key(SessionKey::new("run-7"));
/// let options = ClaimOptions::new(Duration::from_secs(30)).start(start);
/// assert!(options.start.is_some());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StartOptions {
    /// The key of the session to be. Default: a new random key, which cannot be guessed. A retry of
    /// a start keeps the key of the first attempt, whatever is given here.
    pub key: Option<SessionKey>,
}

impl StartOptions {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self { key: None }
    }

    /// Sets [`StartOptions::key`].
    #[must_use]
    pub fn key(mut self, key: SessionKey) -> Self {
        self.key = Some(key);
        self
    }
}

/// The options of [`commit`](crate::AsyncSessionStore::commit).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitOptions {
    /// What was answered to the message (C16). Default: none.
    pub reply: Option<Arc<[u8]>>,
    /// Takes the next messages of the queue in the same atomic step, with this lease (C30): at most
    /// [`MAX_LEASE`]. That turn has the holder of this one, unless this one started a flow. Default: none.
    pub then_next: Option<Duration>,
    /// How many messages that turn has at most, up to [`MAX_BATCH`]. Default: 1.
    pub max_batch: NonZeroU32,
    /// Whether the queue follows when the flow parks on another scope. Dead letters stay. Default: true.
    pub move_queue: bool,
    /// The id of this commit (C14): a repeat with the same one returns the same next turn. Default: none.
    pub operation: Option<OperationId>,
}

impl Default for CommitOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl CommitOptions {
    /// Returns the defaults.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            reply: None,
            then_next: None,
            max_batch: NonZeroU32::MIN,
            move_queue: true,
            operation: None,
        }
    }

    /// Sets [`CommitOptions::then_next`].
    #[must_use]
    pub const fn then_next(mut self, lease: Duration) -> Self {
        self.then_next = Some(lease);
        self
    }

    /// Sets [`CommitOptions::max_batch`].
    #[must_use]
    pub const fn max_batch(mut self, messages: NonZeroU32) -> Self {
        self.max_batch = messages;
        self
    }

    /// Sets [`CommitOptions::move_queue`] to false.
    #[must_use]
    pub const fn leave_queue(mut self) -> Self {
        self.move_queue = false;
        self
    }

    /// Sets [`CommitOptions::operation`].
    #[must_use]
    pub const fn operation(mut self, operation: OperationId) -> Self {
        self.operation = Some(operation);
        self
    }

    /// Keeps what was answered to the message, for a channel that delivers it again and must get the
    /// same answer: a webhook that returns content, an API with an idempotency key.
    ///
    /// It is kept in the atomic step of the commit, and handed back by
    /// [`ClaimOutcome::Duplicate`](crate::ClaimOutcome::Duplicate) for as long as the message id is
    /// remembered. At most [`MAX_REPLY_BYTES`]; a longer one is `InvalidInput` before anything is done.
    /// The replies of one owner have a mebibyte together: beyond that the oldest are dropped, and
    /// their message ids stay.
    ///
    /// ```
    /// use greentic_session::CommitOptions;
    ///
    /// let options = CommitOptions::new().reply(*b"It is on its way.");
    /// assert!(format!("{options:?}").contains("reply: Some(17 bytes)"));
    /// ```
    #[must_use]
    pub fn reply(mut self, reply: impl Into<Arc<[u8]>>) -> Self {
        self.reply = Some(reply.into());
        self
    }
}

/// Prints the length of the reply, and not the reply (C18).
impl fmt::Debug for CommitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommitOptions")
            .field("reply", &shown(self.reply.as_ref()))
            .field("then_next", &self.then_next)
            .field("max_batch", &self.max_batch)
            .field("move_queue", &self.move_queue)
            .field("operation", &self.operation)
            .finish()
    }
}

/// Checks a lease, and converts it to milliseconds: from 1 to [`MAX_LEASE`].
pub(crate) fn lease_millis(lease: Duration) -> SessionResult<u64> {
    if lease > MAX_LEASE {
        return Err(invalid_input(format!(
            "the lease of {} s exceeds the limit of {} s; use a shorter lease and renew it",
            lease.as_secs(),
            MAX_LEASE.as_secs()
        )));
    }
    Ok(whole_millis(lease).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c16_the_number_of_remembered_messages_is_bounded() {
        let limit = |messages| StoreOptions::new().max_messages(messages).message_limit();
        assert_eq!([0, 7, usize::MAX].map(limit), [1, 7, MAX_MESSAGES]);
    }

    #[test]
    fn c16_an_overlong_lease_names_the_limit() {
        assert!(
            lease_millis(Duration::MAX)
                .unwrap_err()
                .message
                .contains("86400")
        );
        assert_eq!(lease_millis(Duration::ZERO).unwrap(), 1);
    }
}
