//! Claims of what is due, and the timeouts of waits (C32, C33).

use greentic_types::SessionKey;

use super::lease::lease_end;
use super::{Lease, Ledger, StoredTimeout, live_or_deleted, named};
use crate::claim::{ClaimToken, TokenSecret, Turn};
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict};
use crate::message_id::MessageDigest;
use crate::reason::Reason;
use crate::request;

/// C33: claims the wait of a session that the due index names. None if it is not due.
pub(crate) fn claim_due<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    key: &SessionKey,
    request: &request::ClaimDue,
) -> SessionResult<Option<Turn>> {
    let Some(mut turn) = take_due(ledger, now, key, request)? else {
        return Ok(None);
    };
    turn.session = ledger.session(key)?;
    Ok(turn.session.is_some().then_some(turn))
}

/// As [`claim_due`], and leaves the reading of the session to the caller.
pub(crate) fn take_due<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    key: &SessionKey,
    request: &request::ClaimDue,
) -> SessionResult<Option<Turn>> {
    let Some(head) = live_or_deleted(ledger, now, key)? else {
        return Ok(None);
    };
    let Some(wait) = head.wait.as_ref().filter(|wait| wait.is_due(now)) else {
        return Ok(None);
    };
    let lease = Lease {
        secret: TokenSecret::random(),
        until: lease_end(now, request.lease_millis),
        fencing: ledger.next_number(&head.owner, now)?,
        message: MessageDigest::of_timeout(key, wait.order),
        holder: request.holder.clone(),
        own_deadline: None,
    };
    let mut taken = head.taken(lease.clone());
    let mut attempt = 0;
    if let Some(wait) = &mut taken.wait {
        wait.leave_scope();
        attempt = wait.attempt;
    }
    ledger.put_head(key, &head, taken)?;
    Ok(Some(Turn {
        session: None,
        token: ClaimToken {
            owner: head.owner,
            key: key.clone(),
            message: lease.message,
            secret: lease.secret,
            fencing: lease.fencing,
            start: None,
        },
        messages: Vec::new(),
        reason: Reason::Timeout,
        attempt,
        lease_until: lease.until,
    }))
}

/// C32: a write without a token, which ends a claim whose lease has ended.
pub(crate) fn set_timeout<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &request::SetTimeout,
) -> SessionResult<Option<Timestamp>> {
    let head = named(ledger, now, &request.key, request.fence.as_ref())?;
    head.require_unclaimed(now)?;
    let mut changed = head.clone();
    changed.end_lease();
    let deadline = changed.deadline;
    let Some(wait) = changed.wait.as_mut().filter(|wait| !wait.is_closed(now)) else {
        return Err(conflict(Conflict::NotWaiting));
    };
    let timeout = request.timeout.map(|timeout| (timeout, timeout.at(now)));
    if let (Some((timeout, set)), Some(deadline)) = (timeout, deadline)
        && set.at >= deadline
    {
        let left = deadline.as_millis().saturating_sub(now.as_millis());
        return Err(timeout.too_late(left));
    }
    wait.timeout = timeout.map(|(_, set)| StoredTimeout::new(set));
    let at = wait.timeout.map(|stored| stored.timeout.at);
    ledger.put_head(&request.key, &head, changed)?;
    Ok(at)
}
