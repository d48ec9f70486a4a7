//! Look-ups: find, list and latest (C6, C10).

use std::sync::Arc;

use greentic_types::SessionKey;

use super::{View, WaitList, live, waiting};
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

/// How many routes one page of a list reads.
const PAGE: usize = 256;
/// How many routes a search for the second wait reads at once.
const FEW: usize = 8;

/// C10: adds the next waits of an owner to a list. Returns the position after them; none after the
/// last.
pub(crate) fn list<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    after: Option<&V::Position>,
    waits: &mut WaitList,
) -> SessionResult<Option<V::Position>> {
    let page = view.routed_after(owner, after, PAGE)?;
    let live = page.sessions.into_iter();
    let live = live.filter(|(_, head)| head.is_live(now) && !head.is_closed(now));
    waits.add(live.map(|(key, head)| (head.order().unwrap_or_default(), key)));
    Ok(page.next)
}

/// The only live wait of an owner; several are ambiguous (C6).
fn only_wait<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
) -> SessionResult<Option<SessionKey>> {
    let (mut only, mut after) = (None, None);
    loop {
        let page = view.routed_after(owner, after.as_ref(), FEW)?;
        for (key, head) in page.sessions {
            let waits = head.is_live(now) && !head.is_closed(now);
            if waits && only.replace(key).is_some() {
                return Err(multiple_waits());
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(only);
        }
    }
}

/// C6: the one wait, or else the session created last, if `sees` includes it; several waits are
/// ambiguous.
pub(crate) fn latest<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    sees: FindByUser,
) -> SessionResult<Option<Arc<Session>>> {
    let key = match only_wait(view, now, owner)? {
        None if sees == FindByUser::WaitsAndCreated => view.latest_created(owner)?,
        only => only,
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
