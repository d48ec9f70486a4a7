//! The rules of the contract, for any storage that gives exclusive access to one owner.
//!
//! The memory and the durable store run this code. The Redis store runs the same rules as scripts
//! on the server. The conformance suite tests that all behave the same.

mod admin;
mod claims;
mod commit_outcome;
mod due;
mod erasure;
mod hand_out;
mod hand_over;
mod inbox;
mod lease;
mod queue;
mod reads;
mod sessions;
mod start;
mod starts;
mod timeout;
mod wait_list;
mod waits;

use std::sync::Arc;

use greentic_types::SessionKey;

use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict, not_found};
use crate::message_id::MessageDigest;
use crate::options::{OperationId, TtlMillis};
use crate::owner::Owner;
use crate::reply::Reply;
use crate::scope::ScopeDigest;
use crate::session::{NewSession, Session};

pub(crate) use admin::{extend, import, import_messages, revoke};
pub(crate) use claims::{claim, commit, release, renew};
pub(crate) use commit_outcome::CommitOutcome;
#[cfg(feature = "durable")]
pub(crate) use due::take_due;
pub(crate) use due::{claim_due, set_timeout};
pub(crate) use erasure::{Erased, Erasure, Forgotten};
#[cfg(feature = "durable")]
pub(crate) use inbox::{Body, DeadLetter, Inbox, Mark, Queue, Queued, Quiet, drop_ended};
#[cfg(not(feature = "durable"))]
pub(crate) use inbox::{Body, Inbox, drop_ended};
#[cfg(feature = "redis")]
pub(crate) use lease::LONGEST_HOLD;
pub(crate) use lease::Lease;
#[cfg(feature = "durable")]
pub(crate) use queue::put_off_queue;
pub(crate) use queue::{claim_due_queue, deliver, discard, messages, next, queue_fault, retry};
#[cfg(feature = "redis")]
pub(crate) use reads::multiple_waits;
pub(crate) use reads::{find, latest, list};
pub(crate) use sessions::{create, remove, update};
#[cfg(feature = "redis")]
pub(crate) use start::SHORTEST_STAY;
pub(crate) use start::Start;
#[cfg(feature = "redis")]
pub(crate) use timeout::LONGEST_PAUSE;
pub(crate) use timeout::StoredTimeout;
pub(crate) use wait_list::WaitList;
pub(crate) use waits::{clear, park};

/// The record of a session without its data.
#[derive(Clone)]
pub(crate) struct Head {
    pub owner: Owner,
    /// True if the data names the user; otherwise only the owner does (C2).
    pub names_user: bool,
    pub revision: u64,
    pub deadline: Option<Timestamp>,
    /// The TTL with which it was created, parked or committed last; `None` if it is not known.
    pub ttl: Option<TtlMillis>,
    pub created: Timestamp,
    /// The id of the last change, if its caller gave one (C14).
    pub operation: Option<OperationId>,
    pub wait: Option<Wait>,
}

/// The wait of a session.
#[derive(Clone)]
pub(crate) struct Wait {
    pub scope: ScopeDigest,
    /// The position in the owner's list of waits (C10). Imported waits can have equal positions.
    pub order: u64,
    pub since: Timestamp,
    /// The number of claims since it was parked.
    pub attempt: u32,
    pub lease: Option<Lease>,
    /// The last token that was released, so that a repeated release succeeds (C14).
    pub released: Option<TokenSecret>,
    pub timeout: Option<StoredTimeout>,
}

impl Wait {
    /// Returns true if the scope is known. A wait of greentic-session 1.2 may be found without it.
    pub fn is_known(&self) -> bool {
        *self.scope.as_bytes() != [0; 32]
    }
}

/// A committed message id. `secret` distinguishes a repeat of the commit from another one (C14).
#[derive(Clone)]
pub(crate) struct Remembered {
    pub message: MessageDigest,
    pub secret: TokenSecret,
    pub until: Timestamp,
    /// Boxed, because few messages have one, and a store in memory holds many messages.
    pub reply: Option<Box<Reply>>,
}

impl Head {
    /// Returns the position in the owner's list of waits, if the session waits.
    pub fn order(&self) -> Option<u64> {
        self.routed_wait().map(|wait| wait.order)
    }

    /// Returns the head of the session without its wait.
    #[cfg(feature = "durable")]
    pub fn displaced(&self) -> Self {
        Self {
            wait: None,
            ..self.clone()
        }
    }

    /// Returns the head of the session after another session or a start has taken its scope: it no longer
    /// waits (C9), or its closed wait is off the scope for good (C32).
    pub fn without_scope(&self, now: Timestamp) -> Self {
        let mut head = self.clone();
        head.wait = head.wait.filter(|wait| wait.is_closed(now));
        if let Some(wait) = &mut head.wait {
            wait.leave_scope();
        }
        head
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.deadline.is_none_or(|deadline| now < deadline)
    }

    /// C16: while a claim is live, only its token permits a write.
    fn require_unclaimed(&self, now: Timestamp) -> SessionResult<()> {
        let lease = self.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        match lease {
            Some(lease) if lease.is_live(now) => {
                Err(conflict(Conflict::Claimed { until: lease.until }))
            }
            _ => Ok(()),
        }
    }

    /// C16: the token still holds the wait. An ended lease holds it until another write.
    fn require_token(&self, secret: TokenSecret) -> SessionResult<&Lease> {
        let lease = self.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        lease
            .filter(|lease| lease.secret == secret)
            .ok_or_else(|| conflict(Conflict::ClaimLost))
    }

    /// C16: a claim commits the message for which it was made, and no other.
    fn is_claimed_for(&self, message: &MessageDigest) -> bool {
        let lease = self.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        lease.is_some_and(|lease| lease.message == *message)
    }

    /// C15: the revision is the one that the caller expects.
    fn require_revision(&self, expected: Option<u64>) -> SessionResult<()> {
        match expected {
            Some(expected) if expected != self.revision => {
                Err(conflict(Conflict::RevisionMismatch {
                    expected,
                    current: self.revision,
                }))
            }
            _ => Ok(()),
        }
    }

    /// C14: this change was already made.
    fn was_changed_by(&self, operation: Option<OperationId>) -> bool {
        operation.is_some() && self.operation == operation
    }
}

/// The sessions that some routes of an owner lead to. A route that leads nowhere is left out.
pub(crate) struct RoutedPage<P> {
    pub sessions: Vec<(SessionKey, Head)>,
    /// The position of the last route; none if there are no more routes.
    pub next: Option<P>,
}

/// The reads of a storage. Index entries can lead to expired sessions, and heads are returned as
/// stored: the rules check the deadline.
pub(crate) trait View {
    /// A position among the routes of an owner. It stays valid when routes are added and removed.
    type Position: Clone + Send + 'static;

    fn head(&self, key: &SessionKey) -> SessionResult<Option<Head>>;
    fn session(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>>;
    /// Returns the session that the scope is routed to, unless it is `except`, whose head the
    /// caller has. The head is as [`View::head`] returns it.
    fn routed(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
        except: Option<&SessionKey>,
    ) -> SessionResult<Option<(SessionKey, Head)>>;
    /// Returns the sessions that the next `limit` routes lead to, in the order of the positions. The
    /// heads are as [`View::head`] returns them.
    fn routed_after(
        &self,
        owner: &Owner,
        after: Option<&Self::Position>,
        limit: usize,
    ) -> SessionResult<RoutedPage<Self::Position>>;
    /// Returns the record of the start claim on a scope, also one that has expired and is not dropped
    /// yet.
    fn start(&self, owner: &Owner, scope: &ScopeDigest) -> SessionResult<Option<Start>>;
    /// Counts the routes and the start claims of an owner. What has expired and is not dropped yet
    /// counts too.
    fn wait_count(&self, owner: &Owner) -> SessionResult<usize>;
    /// Returns the session that was created last.
    fn latest_created(&self, owner: &Owner) -> SessionResult<Option<SessionKey>>;
    fn remembered(
        &self,
        owner: &Owner,
        message: &MessageDigest,
    ) -> SessionResult<Option<Remembered>>;
    /// Returns all remembered messages with their replies, oldest first.
    fn messages(&self, owner: &Owner) -> SessionResult<Vec<Remembered>>;
    /// Returns true if the owner has a queue or a dead letter.
    fn has_inbox(&self, owner: &Owner) -> SessionResult<bool>;
    /// Returns the queues of an owner; none if it has neither a message nor a dead letter.
    fn inbox(&self, owner: &Owner) -> SessionResult<Option<Inbox>>;
    /// Returns the body of a message of a queue.
    fn body(&self, owner: &Owner, number: u64) -> SessionResult<Option<Arc<[u8]>>>;
}

/// The writes of a storage: exclusive during an operation, and atomic together.
pub(crate) trait Ledger: View {
    /// Stores a session and its head. The storage changes the index entries of deadline and wait
    /// from `old` to `new`, except a route that another session has taken. Fails and changes
    /// nothing if `old` is `None` and the key is taken.
    fn put(&mut self, session: NewSession, old: Option<&Head>, new: Head) -> SessionResult<()>;
    /// As `put`, without changing the data.
    fn put_head(&mut self, key: &SessionKey, old: &Head, new: Head) -> SessionResult<()>;
    /// Removes a session and the index entries of its head.
    fn delete(&mut self, key: &SessionKey, head: &Head) -> SessionResult<()>;
    /// Stores the record of the start claim on a scope, or removes it.
    fn set_start(
        &mut self,
        owner: &Owner,
        scope: &ScopeDigest,
        start: Option<Start>,
    ) -> SessionResult<()>;
    /// Removes some start claims of an owner, at most `limit`, and returns how many.
    fn drop_starts(&mut self, owner: &Owner, limit: usize) -> SessionResult<usize>;
    fn set_latest_created(&mut self, owner: &Owner, key: Option<&SessionKey>) -> SessionResult<()>;
    /// Clears the look-up of the session that was created last, if it leads to this one.
    fn forget_latest_created(&mut self, owner: &Owner, key: &SessionKey) -> SessionResult<()> {
        if self.latest_created(owner)?.as_ref() == Some(key) {
            self.set_latest_created(owner, None)?;
        }
        Ok(())
    }
    /// Returns a number greater than all that the owner was given before. It is at least the time
    /// in milliseconds, so that it increases even after the owner was erased.
    fn next_number(&mut self, owner: &Owner, now: Timestamp) -> SessionResult<u64>;
    /// Makes all later numbers greater than this one.
    fn skip_numbers(&mut self, number: u64);
    /// Forgets messages of an owner, at most `limit`, with their replies, also those that cannot be read.
    fn forget_messages(&mut self, owner: &Owner, limit: usize) -> SessionResult<Forgotten>;
    /// Stores the queues of an owner instead of those before, with the bodies that are new. The storage
    /// drops the bodies of messages that are gone, and changes the index entries of what is due and what
    /// ends.
    fn put_inbox(&mut self, owner: &Owner, inbox: Inbox, added: Vec<Body>) -> SessionResult<()>;
    /// Removes the queues of an owner, also those that cannot be read.
    fn drop_inbox(&mut self, owner: &Owner) -> SessionResult<()>;
    /// Remembers a message that was committed at `since`, with its reply, instead of what was known of
    /// it. Forgets messages whose window has ended, and the oldest above `limit`. Drops the oldest
    /// replies of the owner, until the others have
    /// [`MAX_REPLIES_BYTES`](crate::reply::MAX_REPLIES_BYTES) together at most.
    fn remember(
        &mut self,
        owner: &Owner,
        message: Remembered,
        since: Timestamp,
        limit: usize,
        now: Timestamp,
    ) -> SessionResult<()>;
}

/// Returns the head of a session that is stored and not expired (C12).
fn live<V: View>(view: &V, now: Timestamp, key: &SessionKey) -> SessionResult<Option<Head>> {
    Ok(view.head(key)?.filter(|head| head.is_live(now)))
}

/// As [`live`], and deletes a session that has expired, so that nothing of it is left (C13).
fn live_or_deleted<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    key: &SessionKey,
) -> SessionResult<Option<Head>> {
    match ledger.head(key)? {
        Some(head) if !head.is_live(now) => {
            delete_session(ledger, key, &head)?;
            Ok(None)
        }
        head => Ok(head),
    }
}

/// Returns the head of the session that a call names by its key, if its owner is `fence` (C38).
///
/// # Errors
/// `NotFound` if the session is missing, expired or another owner's.
fn named<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    key: &SessionKey,
    fence: Option<&Owner>,
) -> SessionResult<Head> {
    let head = live_or_deleted(ledger, now, key)?;
    head.filter(|head| head.owner.is_within(fence))
        .ok_or_else(|| not_found(key))
}

/// Returns the live session that waits on a scope, unless it is `key`; also one whose wait is closed by
/// now. Deletes one that has expired.
fn other_holder<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
    key: &SessionKey,
) -> SessionResult<Option<(SessionKey, Head)>> {
    let Some((holder, head)) = ledger.routed(owner, scope, Some(key))? else {
        return Ok(None);
    };
    if head.is_live(now) {
        return Ok(Some((holder, head)));
    }
    delete_session(ledger, &holder, &head)?;
    Ok(None)
}

/// Returns the live session that waits on a scope.
fn waiting<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Option<(SessionKey, Head)>> {
    let routed = view.routed(owner, scope, None)?;
    Ok(routed.filter(|(_, head)| head.is_live(now) && !head.is_closed(now)))
}

/// Writes a head whose claim ended: the session may be gone now.
fn put_unclaimed<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    key: &SessionKey,
    old: &Head,
    new: Head,
) -> SessionResult<()> {
    match new.is_live(now) {
        true => ledger.put_head(key, old, new),
        false => delete_session(ledger, key, old),
    }
}

/// Deletes a session, its index entries and its look-up by user (C7, C13).
pub(crate) fn delete_session<L: Ledger>(
    ledger: &mut L,
    key: &SessionKey,
    head: &Head,
) -> SessionResult<()> {
    ledger.delete(key, head)?;
    ledger.forget_latest_created(&head.owner, key)
}
