//! Park and clear (C9, C11, C15).

use greentic_types::SessionKey;

use super::inbox::wake;
use super::start::to_replace;
use super::{
    Head, Ledger, StoredTimeout, View, Wait, delete_session, live_or_deleted, other_holder, waiting,
};
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict, too_many_waits};
use crate::options::{NextTtl, OperationId};
use crate::owner::{Owner, foreign_key};
use crate::request;
use crate::scope::ScopeDigest;
use crate::session::{ClearOutcome, NewSession, ParkOutcome};
use crate::timeout::NextTimeout;

pub(crate) fn park<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: request::Park,
) -> SessionResult<ParkOutcome> {
    let request::Park {
        owner,
        scope,
        session,
        ttl,
        timeout,
        if_absent,
        operation,
        max_waits,
        ..
    } = request;
    let stored = live_or_deleted(ledger, now, session.key())?;
    if let Some(stored) = &stored {
        if stored.owner != owner {
            return Err(foreign_key());
        }
        // Even if another session has displaced it since: a repeat must not take the scope back.
        if stored.was_changed_by(operation) {
            return Ok(ParkOutcome::Registered {
                revision: stored.revision,
            });
        }
    }
    if if_absent && let Some((holder, _)) = waiting(ledger, now, &owner, &scope)? {
        return Ok(ParkOutcome::Exists(holder));
    }
    if let Some(stored) = &stored {
        stored.require_unclaimed(now)?;
    }
    let next = NextWait {
        owner,
        scope,
        session,
        ttl,
        timeout,
        operation,
        max_waits,
        start: None,
        displaces: true,
    };
    let revision = next.register(ledger, now, stored.as_ref())?;
    Ok(ParkOutcome::Registered { revision })
}

/// C11: removes the wait on a scope and its session, or does nothing.
pub(crate) fn clear<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &request::Clear,
) -> SessionResult<ClearOutcome> {
    let Some((key, head)) = waiting(ledger, now, &request.owner, &request.scope)? else {
        return Ok(ClearOutcome::NoWait);
    };
    head.require_unclaimed(now)?;
    delete_session(ledger, &key, &head)?;
    Ok(ClearOutcome::Cleared(key))
}

/// The wait that a park registers, or a commit that parks again.
pub(super) struct NextWait {
    pub owner: Owner,
    pub scope: ScopeDigest,
    pub session: NewSession,
    pub ttl: NextTtl,
    pub timeout: Option<NextTimeout>,
    pub operation: Option<OperationId>,
    /// How many waits the owner may have; 0 for any number.
    pub max_waits: usize,
    /// The start claim that the wait ends.
    pub start: Option<TokenSecret>,
    /// False if a session that waits on the scope stays there (C32).
    pub displaces: bool,
}

impl NextWait {
    /// C9: stores data and route, and displaces the session that waited. Returns the revision.
    pub fn register<L: Ledger>(
        self,
        ledger: &mut L,
        now: Timestamp,
        stored: Option<&Head>,
    ) -> SessionResult<u64> {
        let ttl = self.ttl.over(stored.and_then(|stored| stored.ttl));
        if let Some(timeout) = self.timeout {
            timeout.require_within(ttl)?;
        }
        let displaced = self.to_displace(ledger, now)?;
        let replaced = to_replace(ledger, now, &self.owner, &self.scope, self.start)?;
        let is_new = stored.is_none_or(|stored| stored.routed_wait().is_none());
        if is_new && displaced.is_none() && replaced.is_none() {
            require_room(ledger, &self.owner, self.max_waits)?;
        }
        let (owner, scope) = (self.owner.clone(), self.scope);
        let order = ledger.next_number(&self.owner, now)?;
        let revision = stored.map_or(1, |stored| stored.revision + 1);
        let head = Head {
            names_user: true,
            revision,
            deadline: ttl.deadline(now),
            ttl: Some(ttl),
            created: stored.map_or(now, |stored| stored.created),
            operation: self.operation,
            wait: Some(Wait {
                scope: self.scope,
                order,
                since: now,
                attempt: 0,
                lease: None,
                released: None,
                timeout: self
                    .timeout
                    .map(|timeout| StoredTimeout::new(timeout.at(now))),
            }),
            owner: self.owner,
        };
        // First, because it fails if another owner takes the new key at the same time.
        ledger.put(self.session, stored, head)?;
        if let Some((key, head)) = displaced {
            let after = head.without_scope(now);
            ledger.put_head(&key, &head, after)?;
        }
        if replaced.is_some() {
            ledger.set_start(&owner, &scope, None)?;
        }
        wake(ledger, now, &owner, &scope)?;
        Ok(revision)
    }

    // Returns the session that waits on the scope. It will stay readable by its key, keep its
    // deadline, and no longer wait there.
    fn to_displace<L: Ledger>(
        &self,
        ledger: &mut L,
        now: Timestamp,
    ) -> SessionResult<Option<(SessionKey, Head)>> {
        let displaced = other_holder(ledger, now, &self.owner, &self.scope, self.session.key())?;
        if let Some((_, head)) = &displaced {
            head.require_unclaimed(now)?;
            if !self.displaces && !head.is_closed(now) {
                return Err(conflict(Conflict::ScopeTaken));
            }
        }
        Ok(displaced)
    }
}

/// Refuses one more wait of an owner that has as many as it may have. The storage has dropped what
/// has expired.
pub(super) fn require_room<V: View>(
    view: &V,
    owner: &Owner,
    max_waits: usize,
) -> SessionResult<()> {
    match max_waits {
        0 => Ok(()),
        limit if view.wait_count(owner)? < limit => Ok(()),
        limit => Err(too_many_waits(limit)),
    }
}
