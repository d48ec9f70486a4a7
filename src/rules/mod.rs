//! The rules of the contract, over any storage that can look at one owner exclusively.
//!
//! The memory and the durable store run this code. The Redis store runs the same rules as scripts
//! on the server; the conformance suite holds all of them to one behaviour.

mod admin;
mod claims;
mod reads;
mod sessions;
mod waits;

use std::sync::Arc;

use greentic_types::SessionKey;

use crate::claim::{MessageDigest, TokenSecret};
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict};
use crate::options::OperationId;
use crate::owner::Owner;
use crate::scope::ScopeDigest;
use crate::session::{NewSession, Session};

pub(crate) use admin::{Erased, erase_owner, extend, import, import_messages, revoke};
pub(crate) use claims::{claim, commit, release, renew};
#[cfg(feature = "redis")]
pub(crate) use reads::multiple_waits;
pub(crate) use reads::{find, latest, waits};
pub(crate) use sessions::{create, remove, update};
pub(crate) use waits::{clear, park};

/// All that is known of a session but its data.
#[derive(Clone)]
pub(crate) struct Head {
    pub owner: Owner,
    /// Whether the data names its user; else only the owner does (C2).
    pub names_user: bool,
    pub revision: u64,
    pub deadline: Option<Timestamp>,
    pub created: Timestamp,
    /// The last change, if its caller named it (C14).
    pub operation: Option<OperationId>,
    pub wait: Option<Wait>,
}

/// The state of a session that waits.
#[derive(Clone)]
pub(crate) struct Wait {
    pub scope: ScopeDigest,
    /// The place in the owner's list of waits (C10). Imported waits may share one.
    pub order: u64,
    pub since: Timestamp,
    /// How often the wait was claimed since it was parked.
    pub attempt: u32,
    pub lease: Option<Lease>,
    /// The last token that was given back, so that giving it back again succeeds (C14).
    pub released: Option<TokenSecret>,
}

impl Wait {
    /// Tells whether the scope is known: greentic-session 1.2 filed waits by scope alone.
    pub fn is_known(&self) -> bool {
        *self.scope.as_bytes() != [0; 32]
    }
}

/// The right of one worker; live until its end, and void after any write by somebody else.
#[derive(Clone)]
pub(crate) struct Lease {
    pub secret: TokenSecret,
    pub until: Timestamp,
    pub fencing: u64,
}

/// A committed message id; `secret` tells a repeat of the commit from a stranger's (C14).
#[derive(Clone)]
pub(crate) struct Remembered {
    pub message: MessageDigest,
    pub secret: TokenSecret,
    pub until: Timestamp,
}

impl Head {
    /// The place in the owner's list of waits, if it waits.
    pub fn order(&self) -> Option<u64> {
        self.wait.as_ref().map(|wait| wait.order)
    }

    /// The same session, once another has taken its scope (C9).
    pub fn displaced(&self) -> Self {
        Self {
            wait: None,
            ..self.clone()
        }
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.deadline.is_none_or(|deadline| now < deadline)
    }

    /// C16: while a claim is live, only its token may write.
    fn require_unclaimed(&self, now: Timestamp) -> SessionResult<()> {
        let lease = self.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        match lease {
            Some(lease) if now < lease.until => {
                Err(conflict(Conflict::Claimed { until: lease.until }))
            }
            _ => Ok(()),
        }
    }

    /// C16: the token still holds the wait. A lease that ran out counts until somebody else writes.
    fn require_token(&self, secret: TokenSecret) -> SessionResult<&Lease> {
        let lease = self.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        lease
            .filter(|lease| lease.secret == secret)
            .ok_or_else(|| conflict(Conflict::ClaimLost))
    }

    /// C15: the revision is the one that the caller saw.
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

    /// C14: this very change was made already.
    fn was_changed_by(&self, operation: Option<OperationId>) -> bool {
        operation.is_some() && self.operation == operation
    }
}

/// What a read needs of a storage. Index entries may point at sessions that have expired; heads are
/// answered as stored, and the rules look at the deadline.
pub(crate) trait View {
    fn head(&self, key: &SessionKey) -> SessionResult<Option<Head>>;
    fn session(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>>;
    /// The session that the scope is routed to, unless it is `except`, whose head the caller has;
    /// its head as [`View::head`] would answer it.
    fn routed(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
        except: Option<&SessionKey>,
    ) -> SessionResult<Option<(SessionKey, Head)>>;
    /// All routed sessions, in any order; their heads as [`View::head`] would answer them.
    fn all_routed(&self, owner: &Owner) -> SessionResult<Vec<(SessionKey, Head)>>;
    /// The session that was created last.
    fn latest_created(&self, owner: &Owner) -> SessionResult<Option<SessionKey>>;
    fn remembered(
        &self,
        owner: &Owner,
        message: &MessageDigest,
    ) -> SessionResult<Option<Remembered>>;
    /// All remembered messages, oldest first.
    fn messages(&self, owner: &Owner) -> SessionResult<Vec<Remembered>>;
}

/// What a write needs of a storage: exclusive until the whole operation is done, then all at once.
pub(crate) trait Ledger: View {
    /// Stores a session and its head. The storage moves its index entries of the deadline and of
    /// the wait from `old` to `new`; a route that another session has taken stays. Fails, with
    /// nothing changed, if the key is new and taken.
    fn put(&mut self, session: NewSession, old: Option<&Head>, new: Head) -> SessionResult<()>;
    /// As `put`, and leaves the data as it is.
    fn put_head(&mut self, key: &SessionKey, old: &Head, new: Head) -> SessionResult<()>;
    /// Removes a session with all index entries of its head.
    fn delete(&mut self, key: &SessionKey, head: &Head) -> SessionResult<()>;
    fn set_latest_created(&mut self, owner: &Owner, key: Option<&SessionKey>) -> SessionResult<()>;
    /// A number above all that the owner was given before; at least the time in milliseconds, so
    /// that it grows also after the owner was forgotten.
    fn next_number(&mut self, owner: &Owner, now: Timestamp) -> SessionResult<u64>;
    /// Numbers that are given from now on are above this one.
    fn skip_numbers(&mut self, number: u64);
    /// Forgets all messages of an owner, and tells which they were.
    fn forget_messages(&mut self, owner: &Owner) -> SessionResult<Vec<Remembered>>;
    /// Remembers a message, and forgets what is over `limit` or its window, oldest first.
    fn remember(
        &mut self,
        owner: &Owner,
        message: Remembered,
        limit: usize,
        now: Timestamp,
    ) -> SessionResult<()>;
}

/// A session that is there: stored, and before its deadline (C12).
fn live<V: View>(view: &V, now: Timestamp, key: &SessionKey) -> SessionResult<Option<Head>> {
    Ok(view.head(key)?.filter(|head| head.is_live(now)))
}

/// A session that is there, or was there and now makes room: what has expired is removed first, so
/// that nothing of it stays behind (C13).
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

/// The live session that waits on a scope, unless it is `key` itself; one that has expired goes.
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

/// The live session that waits on a scope.
fn waiting<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Option<(SessionKey, Head)>> {
    let routed = view.routed(owner, scope, None)?;
    Ok(routed.filter(|(_, head)| head.is_live(now)))
}

/// Removes a session, its index entries and its look-up by user (C7, C13).
pub(crate) fn delete_session<L: Ledger>(
    ledger: &mut L,
    key: &SessionKey,
    head: &Head,
) -> SessionResult<()> {
    ledger.delete(key, head)?;
    if ledger.latest_created(&head.owner)?.as_ref() == Some(key) {
        ledger.set_latest_created(&head.owner, None)?;
    }
    Ok(())
}
