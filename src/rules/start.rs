//! The record of a start claim (C27).

use greentic_types::SessionKey;

use super::View;
use super::lease::lease_end;
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict};
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::scope::ScopeDigest;

/// The record of a start claim. A scope has it or a wait, and never both.
#[derive(Clone)]
pub(crate) struct Start {
    /// The key of the session to be.
    pub key: SessionKey,
    /// The number of claims since the record was made.
    pub attempt: u32,
    pub secret: TokenSecret,
    /// The end of the lease.
    pub until: Timestamp,
    /// Until when a retry continues the count of attempts, and a late commit counts.
    pub keep_until: Timestamp,
    pub fencing: u64,
    /// The message for which the flow is started.
    pub message: MessageDigest,
    /// True if the token was released.
    pub released: bool,
}

/// For how long a record stays after its lease, at least.
pub(crate) const SHORTEST_STAY: u64 = 60_000;

impl Start {
    /// Returns false from the end of the lease on.
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.released && now < self.until
    }

    /// The record stays for one more lease after the end of the lease.
    pub(super) fn set_lease(&mut self, now: Timestamp, millis: u64) {
        self.until = lease_end(now, millis);
        self.keep_until = lease_end(self.until, millis.max(SHORTEST_STAY));
    }
}

/// Returns the record of a scope, if it still counts.
pub(super) fn kept<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Option<Start>> {
    let start = view.start(owner, scope)?;
    Ok(start.filter(|start| now < start.keep_until))
}

/// Returns the live start claim of a scope.
pub(super) fn live_start<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Option<Start>> {
    let start = view.start(owner, scope)?;
    Ok(start.filter(|start| start.is_live(now)))
}

/// Returns the record that a new wait on the scope replaces. While a start claim is live, only its
/// own commit takes the scope.
pub(super) fn to_replace<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
    own: Option<TokenSecret>,
) -> SessionResult<Option<Start>> {
    match view.start(owner, scope)? {
        Some(start) if start.is_live(now) && own != Some(start.secret) => {
            Err(conflict(Conflict::Claimed { until: start.until }))
        }
        replaced => Ok(replaced),
    }
}
