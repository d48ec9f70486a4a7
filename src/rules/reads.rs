//! Look-ups: find, list and latest (C6, C10).

use std::sync::Arc;

use greentic_types::SessionKey;

use super::{View, live, waiting};
use crate::clock::Timestamp;
use crate::error::{SessionResult, invalid_input};
use crate::options::FindByUser;
use crate::owner::Owner;
use crate::scope::ScopeDigest;
use crate::session::Session;

/// C10: a scope routes to a session if and only if the session is listed.
pub(crate) fn find<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Option<SessionKey>> {
    Ok(waiting(view, now, owner, scope)?.map(|(key, _)| key))
}

/// C10: all waits in order of registration; those with equal positions in order of their keys.
pub(crate) fn waits<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
) -> SessionResult<Vec<SessionKey>> {
    let mut routed = view.all_routed(owner)?;
    routed.retain(|(_, head)| head.is_live(now));
    routed.sort_by(|(one, head), (other, head_of_other)| {
        let by_key = || one.as_str().cmp(other.as_str());
        head.order().cmp(&head_of_other.order()).then_with(by_key)
    });
    Ok(routed.into_iter().map(|(key, _)| key).collect())
}

/// C6: the one wait, or else the session created last, if `sees` includes it; several waits are
/// ambiguous.
pub(crate) fn latest<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    sees: FindByUser,
) -> SessionResult<Option<Arc<Session>>> {
    let waits = waits(view, now, owner)?;
    let key = match waits.as_slice() {
        [] if sees == FindByUser::WaitsOnly => None,
        [] => view.latest_created(owner)?,
        [only] => Some(only.clone()),
        _ => return Err(multiple_waits()),
    };
    let Some(key) = key else { return Ok(None) };
    match live(view, now, &key)? {
        Some(_) => view.session(&key),
        None => Ok(None),
    }
}

/// Callers of greentic-session 1.2 search the message for "multiple waits".
pub(crate) fn multiple_waits() -> greentic_types::GreenticError {
    invalid_input("multiple waits exist for user; use scope-based routing instead")
}
