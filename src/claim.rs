//! Claims: the right of one worker to resume one wait, or to start one flow, until its lease ends
//! (C16, C27).

use std::fmt;
use std::num::NonZeroU128;
use std::sync::Arc;

use greentic_types::{ReplyScope, SessionData, SessionKey};

use crate::clock::Timestamp;
use crate::digest::digest_of;
use crate::ids::random_bits;
use crate::message::Message;
use crate::message_id::MessageDigest;
use crate::owner::{Owner, OwnerParts};
use crate::reason::Reason;
use crate::reply::shown;
use crate::scope::ScopeDigest;
use crate::session::Session;
use crate::timeout::Timeout;
use crate::ttl::Ttl;

/// The outcome of [`claim`](crate::AsyncSessionStore::claim).
#[derive(Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum ClaimOutcome {
    /// Until the lease ends, only the caller may resume this wait, or start a flow on this scope.
    Claimed(Turn),
    /// Another worker holds the wait, or starts a flow.
    ///
    /// The message is not acknowledged: have the channel deliver it again, or claim again after
    /// `until`.
    #[non_exhaustive]
    Busy {
        /// The end of the other worker's lease, unless it is renewed.
        until: Timestamp,
        /// True if the other worker has its turn for this very message: this is a redelivery.
        same_message: bool,
    },
    /// The message was committed before; acknowledge and drop it.
    #[non_exhaustive]
    Duplicate {
        /// The reply that its commit kept ([`CommitOptions::reply`](crate::CommitOptions::reply)), to
        /// be sent once more. `None` if it kept none, or if newer replies have taken its place.
        reply: Option<Arc<[u8]>>,
    },
    /// No session waits on any of the scopes, and the call has no
    /// [`start`](crate::ClaimOptions::start).
    NoWait,
}

impl ClaimOutcome {
    /// Makes a `Busy`.
    pub const fn busy(until: Timestamp, same_message: bool) -> Self {
        Self::Busy {
            until,
            same_message,
        }
    }

    /// Makes a `Duplicate` without a reply.
    pub const fn duplicate() -> Self {
        Self::Duplicate { reply: None }
    }

    /// Makes a `Duplicate` with the reply that was kept, if one was.
    pub const fn duplicate_with(reply: Option<Arc<[u8]>>) -> Self {
        Self::Duplicate { reply }
    }
}

/// Prints the length of a reply, and not the reply (C18).
impl fmt::Debug for ClaimOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claimed(turn) => f.debug_tuple("Claimed").field(turn).finish(),
            Self::Busy {
                until,
                same_message,
            } => f
                .debug_struct("Busy")
                .field("until", until)
                .field("same_message", same_message)
                .finish(),
            Self::Duplicate { reply } => f
                .debug_struct("Duplicate")
                .field("reply", &shown(reply.as_ref()))
                .finish(),
            Self::NoWait => f.write_str("NoWait"),
        }
    }
}

/// The turn of one worker: a wait that it alone may resume, or a flow that it alone may start, for
/// one message, or because no message came in time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// The session to resume; `None` means: start a flow (C27). The key of the session to be is then
    /// [`token.session_key()`](ClaimToken::session_key).
    pub session: Option<Arc<Session>>,
    /// The proof of the claim, for `renew`, `release`, `commit` and `update`.
    pub token: ClaimToken,
    /// The messages of the queue that the turn has, the oldest first (C29). The commit answers all of
    /// them. None for the turn of a [`claim`](crate::AsyncSessionStore::claim), whose caller has the
    /// message, and for that of a timeout.
    pub messages: Vec<Message>,
    /// Why the turn was handed out.
    pub reason: Reason,
    /// The number of this claim of the wait or the start, from 1. More than 1 means that an earlier
    /// claim was released or revoked, that its lease ended, or that its answer was lost.
    pub attempt: u32,
    /// The end of the lease, unless it is renewed.
    pub lease_until: Timestamp,
}

impl Turn {
    /// Returns whose turn it is: env, tenant, team and user.
    #[must_use]
    pub fn owner(&self) -> OwnerParts {
        self.token.owner.parts()
    }

    /// Returns the data of the session to resume; none if the turn starts a flow.
    #[must_use]
    pub fn data(&self) -> Option<&SessionData> {
        self.session.as_deref().map(|session| &session.data)
    }
}

/// The proof of a claim, with a random secret.
///
/// It is valid until the claim is committed or released, or another call takes it over: also after
/// the end of the lease (C16).
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimToken {
    pub(crate) owner: Owner,
    pub(crate) key: SessionKey,
    pub(crate) message: MessageDigest,
    pub(crate) secret: TokenSecret,
    pub(crate) fencing: u64,
    /// The scope on which a flow is started; none if a session is resumed.
    pub(crate) start: Option<ScopeDigest>,
}

impl ClaimToken {
    /// Returns the fencing number, which increases with each claim of the same session, its start
    /// included.
    ///
    /// Pass it to other systems: one that refuses numbers below the highest it has seen cannot be
    /// changed by a worker that lost its claim.
    #[must_use]
    pub const fn fencing_number(&self) -> u64 {
        self.fencing
    }

    /// Returns the key of the claimed session, or of the session to be.
    #[must_use]
    pub const fn session_key(&self) -> &SessionKey {
        &self.key
    }
}

/// Prints neither the secret nor the owner (C18).
impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimToken")
            .field("key", &self.key)
            .field("fencing", &self.fencing)
            .finish_non_exhaustive()
    }
}

/// The way in which a commit ends a claim.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Commit {
    /// The flow waits again; the session is parked.
    Park(Box<NextWait>),
    /// The flow has ended; the session is removed, if there is one.
    Finish,
}

impl Commit {
    /// Parks the session again on this scope, with new data.
    ///
    /// The session keeps its TTL, counted anew ([`Ttl::Keep`]); [`Commit::ttl`] sets another one. A new
    /// session gets the store's default.
    pub fn park(scope: ReplyScope, data: SessionData) -> Self {
        Self::Park(Box::new(NextWait::new(Some(scope), data)))
    }

    /// As [`Commit::park`], on the scope where the session waited, or where the start began.
    pub fn park_here(data: SessionData) -> Self {
        Self::Park(Box::new(NextWait::new(None, data)))
    }

    /// Sets the TTL of the next wait; [`Commit::Finish`] has none, and is unchanged.
    pub fn ttl(mut self, ttl: impl Into<Ttl>) -> Self {
        if let Self::Park(next) = &mut self {
            next.ttl = ttl.into();
        }
        self
    }

    /// Sets the timeout of the next wait (C32); [`Commit::Finish`] has none, and is unchanged. Without
    /// this call the next wait has none.
    pub fn timeout(mut self, timeout: Timeout) -> Self {
        if let Self::Park(next) = &mut self {
            next.timeout = Some(timeout);
        }
        self
    }
}

/// Prints no payload (C18).
impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Park(_) => "Park(..)",
            Self::Finish => "Finish",
        })
    }
}

/// The wait after a commit.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextWait {
    /// The scope of the next answer; `None` is the scope where the session waited, or where the
    /// start began.
    pub scope: Option<ReplyScope>,
    /// The state to resume from.
    pub data: SessionData,
    /// The TTL of the wait. Default: [`Ttl::Keep`].
    pub ttl: Ttl,
    /// The timeout of the wait (C32). Default: none.
    pub timeout: Option<Timeout>,
}

impl NextWait {
    /// Makes a wait that keeps the TTL of the session, and has no timeout.
    #[must_use]
    pub const fn new(scope: Option<ReplyScope>, data: SessionData) -> Self {
        Self {
            scope,
            data,
            ttl: Ttl::Keep,
            timeout: None,
        }
    }
}

/// Prints no payload (C18).
impl fmt::Debug for NextWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextWait")
            .field("ttl", &self.ttl)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// The outcome of [`commit`](crate::AsyncSessionStore::commit).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// The next turn of the conversation, if the commit was to take it
    /// ([`CommitOptions::then_next`](crate::CommitOptions::then_next)) and there is one (C30).
    pub next: Option<Turn>,
    /// How many messages wait in the queue of the scope where the flow waits now, or where it ended.
    /// Those of `next` do not count.
    pub queued: u32,
}

impl Committed {
    /// Makes the outcome of a commit after which no message waits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            next: None,
            queued: 0,
        }
    }
}

/// The random part of a claim token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenSecret(pub NonZeroU128);

impl TokenSecret {
    pub fn random() -> Self {
        Self(random_bits())
    }

    /// The secret of the turn that a commit takes over: the same for each repeat of the commit.
    pub fn of_next(self, operation: u128) -> Self {
        let parts = [format!("{:x}", self.0), operation.to_string()];
        let digest = digest_of(b"turn after a commit\0", parts.iter().map(String::as_str));
        let (first, _) = digest.split_at(16);
        let number = first
            .iter()
            .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        Self(NonZeroU128::new(number).unwrap_or(NonZeroU128::MIN))
    }

    /// A session key for a flow that the claim starts. It does not lead back to the secret, and saves
    /// the system call of another draw.
    pub fn session_key(self) -> SessionKey {
        let digest = digest_of(b"session of a start\0", [&*format!("{:x}", self.0)]);
        SessionKey::new(hex::encode(&digest[..16]))
    }
}
