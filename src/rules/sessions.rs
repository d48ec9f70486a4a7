//! Create, update and remove (C3, C6, C7, C14, C15).

use super::{Head, Ledger, delete_session, live_or_deleted, named};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::{Identity, foreign_key};
use crate::request;
use crate::session::CreateOutcome;

pub(crate) fn create<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: request::Create,
) -> SessionResult<CreateOutcome> {
    let request::Create {
        owner,
        session,
        ttl,
        operation,
    } = request;
    let key = session.key().clone();
    if let Some(taken) = live_or_deleted(ledger, now, &key)? {
        if taken.owner != owner {
            return Err(foreign_key());
        }
        if taken.was_changed_by(operation) {
            return Ok(CreateOutcome::Created(key));
        }
        return Ok(CreateOutcome::Exists);
    }
    let head = Head {
        names_user: Identity::of(&session.data().tenant_ctx)?.user.is_some(),
        revision: 1,
        deadline: ttl.deadline(now),
        ttl: Some(ttl),
        created: now,
        operation,
        wait: None,
        owner,
    };
    let owner = head.owner.clone();
    ledger.put(session, None, head)?;
    if owner.has_user() {
        ledger.set_latest_created(&owner, Some(&key))?;
    }
    Ok(CreateOutcome::Created(key))
}

pub(crate) fn update<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: request::Update,
) -> SessionResult<u64> {
    let request::Update {
        fence,
        session,
        if_revision,
        claim,
        operation,
    } = request;
    let head = named(ledger, now, session.key(), fence.as_ref())?;
    head.owner
        .require_unchanged(head.names_user, &Identity::of(&session.data().tenant_ctx)?)?;
    if head.was_changed_by(operation) {
        return Ok(head.revision);
    }
    match claim {
        Some(secret) => head.require_token(secret).map(|_held| ())?,
        None => head.require_unclaimed(now)?,
    }
    head.require_revision(if_revision)?;
    let mut changed = head.clone();
    changed.revision += 1;
    changed.operation = operation;
    if claim.is_none() {
        changed.end_lease();
    }
    let revision = changed.revision;
    ledger.put(session, Some(&head), changed)?;
    Ok(revision)
}

pub(crate) fn remove<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &request::Remove,
) -> SessionResult<()> {
    let head = named(ledger, now, &request.key, request.fence.as_ref())?;
    head.require_unclaimed(now)?;
    head.require_revision(request.if_revision)?;
    delete_session(ledger, &request.key, &head)
}
