//! Claims: the right of one worker, for a lease, to resume one wait (C16).

use std::fmt;
use std::num::NonZeroU128;
use std::sync::Arc;
use std::time::Duration;

use greentic_types::{ReplyScope, SessionData, SessionKey};
use sha2::{Digest, Sha256};

use crate::clock::Timestamp;
use crate::error::{SessionResult, invalid_input};
use crate::ids::random_bits;
use crate::owner::Owner;
use crate::session::Session;

/// The longest message id, in bytes.
pub const MAX_MESSAGE_ID_BYTES: usize = 4096;

/// What became of a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum ClaimOutcome {
    /// The caller, and nobody else, may resume this wait until the lease ends.
    Claimed(Claim),
    /// Another worker holds the wait until this instant, unless it renews.
    Busy {
        /// When the other worker's lease ends.
        until: Timestamp,
    },
    /// The message was committed before: it is answered, drop it.
    Duplicate,
    /// No session waits on the scope.
    NoWait,
}

/// A wait that is held by the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The paused session to resume.
    pub session: Arc<Session>,
    /// Proves the claim in `renew`, `release`, `commit` and `update`.
    pub token: ClaimToken,
    /// Which claim of this wait it is, from 1: more than 1 means that a worker gave it back, or was
    /// lost on the way.
    pub attempt: u32,
    /// When the lease ends unless it is renewed.
    pub lease_until: Timestamp,
}

/// The proof of a claim: random, and of use only until the claim ends.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimToken {
    pub(crate) owner: Owner,
    pub(crate) key: SessionKey,
    pub(crate) message: MessageDigest,
    pub(crate) secret: TokenSecret,
    pub(crate) fencing: u64,
}

impl ClaimToken {
    /// A number that grows with each claim of the same session.
    ///
    /// Hand it to systems outside the store: one that refuses numbers below the highest it has seen
    /// cannot be changed by a worker that lost its claim.
    #[must_use]
    pub const fn fencing_number(&self) -> u64 {
        self.fencing
    }

    /// The session that is claimed.
    #[must_use]
    pub const fn session_key(&self) -> &SessionKey {
        &self.key
    }
}

/// Shows neither the secret nor the owner (C18).
impl fmt::Debug for ClaimToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimToken")
            .field("key", &self.key)
            .field("fencing", &self.fencing)
            .finish_non_exhaustive()
    }
}

/// How a claim ends well.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub enum Commit {
    /// The flow waits again.
    Park(Box<NextWait>),
    /// The flow is over: the session goes.
    Finish,
}

impl Commit {
    /// The flow waits again, with new data, on this scope.
    ///
    /// A TTL of none means the store's default.
    pub fn park(scope: ReplyScope, data: SessionData, ttl: Option<Duration>) -> Self {
        Self::Park(Box::new(NextWait { scope, data, ttl }))
    }
}

/// Shows no payload (C18).
impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Park(_) => "Park(..)",
            Self::Finish => "Finish",
        })
    }
}

/// The wait that follows a claim.
#[derive(Clone, PartialEq, Eq)]
pub struct NextWait {
    /// Where the next answer is expected.
    pub scope: ReplyScope,
    /// The state to resume from.
    pub data: SessionData,
    /// How long the wait lives; none means the store's default TTL.
    pub ttl: Option<Duration>,
}

/// Shows no payload (C18).
impl fmt::Debug for NextWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextWait")
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// The random part of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenSecret(pub NonZeroU128);

impl TokenSecret {
    pub fn random() -> Self {
        Self(random_bits())
    }
}

/// A message id as it is remembered: ids may be long, and may name people.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MessageDigest(pub [u8; 32]);

impl MessageDigest {
    pub fn of(message_id: &str) -> SessionResult<Self> {
        if message_id.is_empty() {
            return Err(invalid_input("the message id is empty"));
        }
        if message_id.len() > MAX_MESSAGE_ID_BYTES {
            return Err(invalid_input(format!(
                "the message id is {} bytes long; the limit is {MAX_MESSAGE_ID_BYTES}",
                message_id.len()
            )));
        }
        Ok(Self(Sha256::digest(message_id).into()))
    }
}
