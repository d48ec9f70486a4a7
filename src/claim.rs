//! Claims: the right of one worker to resume one wait until its lease ends (C16).

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

/// The outcome of [`claim`](crate::AsyncSessionStore::claim).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum ClaimOutcome {
    /// Until the lease ends, only the caller may resume this wait.
    Claimed(Claim),
    /// Another worker holds the wait. The message is not acknowledged: have the channel deliver it
    /// again, or claim again after `until`.
    Busy {
        /// The end of the other worker's lease, unless it is renewed.
        until: Timestamp,
    },
    /// The message was committed before; acknowledge and drop it.
    Duplicate,
    /// No session waits on the scope.
    NoWait,
}

/// A wait that the caller holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claim {
    /// The session to resume.
    pub session: Arc<Session>,
    /// The proof of the claim, for `renew`, `release`, `commit` and `update`.
    pub token: ClaimToken,
    /// The number of this claim of the wait, from 1. More than 1 means that an earlier claim
    /// was released or revoked, that its lease ended, or that its answer was lost.
    pub attempt: u32,
    /// The end of the lease, unless it is renewed.
    pub lease_until: Timestamp,
}

/// The proof of a claim: a random secret, valid until the claim ends.
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimToken {
    pub(crate) owner: Owner,
    pub(crate) key: SessionKey,
    pub(crate) message: MessageDigest,
    pub(crate) secret: TokenSecret,
    pub(crate) fencing: u64,
}

impl ClaimToken {
    /// Returns the fencing number, which increases with each claim of the same session.
    ///
    /// Pass it to other systems: one that refuses numbers below the highest it has seen cannot be
    /// changed by a worker that lost its claim.
    #[must_use]
    pub const fn fencing_number(&self) -> u64 {
        self.fencing
    }

    /// Returns the key of the claimed session.
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
pub enum Commit {
    /// The flow waits again; the session is parked.
    Park(Box<NextWait>),
    /// The flow has ended; the session is removed.
    Finish,
}

impl Commit {
    /// Parks the session again on this scope, with new data.
    ///
    /// `None` as the TTL means the store's default TTL.
    pub fn park(scope: ReplyScope, data: SessionData, ttl: Option<Duration>) -> Self {
        Self::Park(Box::new(NextWait { scope, data, ttl }))
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
pub struct NextWait {
    /// The scope of the next answer.
    pub scope: ReplyScope,
    /// The state to resume from.
    pub data: SessionData,
    /// The TTL of the wait; `None` means the store's default TTL.
    pub ttl: Option<Duration>,
}

/// Prints no payload (C18).
impl fmt::Debug for NextWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextWait")
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

/// The random part of a claim token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenSecret(pub NonZeroU128);

impl TokenSecret {
    pub fn random() -> Self {
        Self(random_bits())
    }
}

/// The digest under which a message id is remembered: ids can be long and can name people.
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
