//! Extend, revoke and import (C24, C25, C26).

use super::inbox::{end_turn, wake};
use super::start::to_replace;
use super::{
    Head, Ledger, Remembered, StoredTimeout, Wait, live_or_deleted, named, other_holder,
    put_unclaimed,
};
use crate::admin::{ImportMode, ImportOutcome, RevokeOutcome};
use crate::claim::TokenSecret;
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::StoreOptions;
use crate::owner::{Identity, foreign_key};
use crate::request;

/// C24: changes the deadline only; the storage changes the deadlines of index entries with it.
pub(crate) fn extend<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &request::Extend,
) -> SessionResult<Option<Timestamp>> {
    let head = named(ledger, now, &request.key, request.fence.as_ref())?;
    let mut extended = head.clone();
    extended.set_own_deadline(request.ttl.over(head.ttl).deadline(now));
    let deadline = extended.deadline;
    ledger.put_head(&request.key, &head, extended)?;
    Ok(deadline)
}

/// C25: also revokes a claim whose lease has ended, if no other worker has claimed the wait.
pub(crate) fn revoke<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &request::Revoke,
) -> SessionResult<RevokeOutcome> {
    let head = named(ledger, now, &request.key, request.fence.as_ref())?;
    let mut freed = head.clone();
    let Some(lease) = freed.end_lease() else {
        return Ok(RevokeOutcome::NotClaimed);
    };
    let attempt = head.wait.as_ref().map_or(0, |wait| wait.attempt);
    put_unclaimed(ledger, now, &request.key, &head, freed)?;
    if let Some(wait) = &head.wait {
        end_turn(ledger, now, &head.owner, &wait.scope, lease.secret)?;
    }
    Ok(RevokeOutcome::Revoked {
        until: lease.until,
        attempt,
    })
}

/// C26: stores a session with the state that it had in another store.
pub(crate) fn import<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: request::Import,
) -> SessionResult<ImportOutcome> {
    if request.deadline.is_some_and(|deadline| deadline <= now) {
        return Ok(ImportOutcome::Expired);
    }
    let key = request.session.key().clone();
    let stored = live_or_deleted(ledger, now, &key)?;
    if stored
        .as_ref()
        .is_some_and(|head| head.owner != request.owner)
    {
        return Err(foreign_key());
    }
    let wait = imported_wait(now, &request);
    let scope = wait.as_ref().filter(|wait| !wait.has_left());
    let scope = scope.map(|wait| wait.scope);
    let displaced = match &scope {
        Some(scope) => other_holder(ledger, now, &request.owner, scope, &key)?,
        None => None,
    };
    let waiting = displaced.as_ref().filter(|(_, head)| !head.is_closed(now));
    let taken = [stored.as_ref(), waiting.map(|(_, head)| head)];
    for head in taken.into_iter().flatten() {
        if request.mode == ImportMode::IfAbsent {
            return Ok(ImportOutcome::Exists);
        }
        head.require_unclaimed(now)?;
    }
    let replaced = match &scope {
        Some(scope) => to_replace(ledger, now, &request.owner, scope, None)?,
        None => None,
    };
    ledger.skip_numbers(request.fencing);
    if let Some(wait) = &wait {
        ledger.skip_numbers(wait.order);
    }
    let head = Head {
        names_user: Identity::of(&request.session.data().tenant_ctx)?
            .user
            .is_some(),
        revision: request.revision,
        deadline: request.deadline,
        ttl: request.ttl,
        created: request.created.unwrap_or(now),
        operation: None,
        wait,
        owner: request.owner,
    };
    let owner = head.owner.clone();
    ledger.put(request.session, stored.as_ref(), head)?;
    if let Some((displaced, head)) = displaced {
        ledger.put_head(&displaced, &head, head.without_scope(now))?;
    }
    if let Some(scope) = scope.as_ref().filter(|_| replaced.is_some()) {
        ledger.set_start(&owner, scope, None)?;
    }
    if let Some(scope) = &scope {
        wake(ledger, now, &owner, scope)?;
    }
    if request.latest {
        ledger.set_latest_created(&owner, Some(&key))?;
    } else if ledger.latest_created(&owner)?.as_ref() == Some(&key) {
        ledger.set_latest_created(&owner, None)?;
    }
    Ok(ImportOutcome::Imported)
}

/// Makes the wait with its old position in the list, which other waits can have too. It has left its scope
/// if it is closed by now (C32).
fn imported_wait(now: Timestamp, request: &request::Import) -> Option<Wait> {
    let wait = request.wait.as_ref()?;
    let mut imported = Wait {
        scope: wait.scope,
        order: wait.order,
        since: wait.since.unwrap_or(now),
        attempt: wait.attempt,
        lease: None,
        released: None,
        timeout: wait.timeout.map(StoredTimeout::new),
    };
    if imported.is_closed(now) {
        imported.leave_scope();
    }
    Some(imported)
}

/// C26: adds messages to those remembered; none is forgotten earlier, and none gets another reply. Each is
/// as old as the end of its window says.
pub(crate) fn import_messages<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    options: &StoreOptions,
    request: request::ImportMessages,
) -> SessionResult<()> {
    for imported in request.messages {
        let known = ledger.remembered(&request.owner, &imported.message)?;
        let known = known.filter(|known| now < known.until);
        let is_known = known
            .as_ref()
            .is_some_and(|known| known.until >= imported.until);
        if imported.until <= now || is_known {
            continue;
        }
        let window = whole_millis(options.message_window);
        let since =
            Timestamp::from_millis(imported.until.as_millis().saturating_sub(window)).min(now);
        let remembered = Remembered {
            message: imported.message,
            secret: TokenSecret::random(),
            until: imported.until,
            reply: known
                .and_then(|known| known.reply)
                .or(imported.reply.map(Box::new)),
        };
        let limit = options.message_limit();
        ledger.remember(&request.owner, remembered, since, limit, now)?;
    }
    Ok(())
}
