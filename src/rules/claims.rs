//! Claim, renew, release and commit (C16).

use greentic_types::SessionKey;

use super::waits::NextWait;
use super::{
    CommitOutcome, Head, Lease, Ledger, Remembered, delete_session, live_or_deleted, put_unclaimed,
    waiting,
};
use crate::claim::{ClaimOutcome, ClaimToken, Turn};
use crate::clock::{Timestamp, whole_millis};
use crate::error::{Conflict, SessionResult, conflict};
use crate::options::{LATEST_DEADLINE, StoreOptions};
use crate::request::{self, Next};

pub(crate) fn claim<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: request::Claim,
) -> SessionResult<ClaimOutcome> {
    let remembered = ledger.remembered(&request.owner, &request.message)?;
    if let Some(done) = remembered.filter(|remembered| now < remembered.until) {
        let reply = done.reply.map(|reply| reply.into_bytes());
        return Ok(ClaimOutcome::duplicate_with(reply));
    }
    let Some((key, head)) = first_waiting(ledger, now, &request)? else {
        return Ok(ClaimOutcome::NoWait);
    };
    let Some(wait) = &head.wait else {
        return Ok(ClaimOutcome::NoWait);
    };
    match &wait.lease {
        Some(lease) if lease.secret == request.secret => {
            return claimed(ledger, request, key, wait.attempt, lease);
        }
        Some(lease) if lease.is_live(now) => {
            let same_message = lease.message == request.message;
            return Ok(ClaimOutcome::busy(lease.until, same_message));
        }
        _ => {}
    }
    let lease = Lease {
        secret: request.secret,
        until: lease_end(now, request.lease_millis),
        fencing: ledger.next_number(&request.owner, now)?,
        message: request.message,
        own_deadline: None,
    };
    let attempt = wait.attempt.saturating_add(1);
    let mut taken = head.clone();
    if let Some(wait) = &mut taken.wait {
        wait.attempt = attempt;
    }
    taken.set_lease(lease.clone());
    ledger.put_head(&key, &head, taken)?;
    claimed(ledger, request, key, attempt, &lease)
}

/// The session that waits on the first scope on which one does.
fn first_waiting<L: Ledger>(
    ledger: &L,
    now: Timestamp,
    request: &request::Claim,
) -> SessionResult<Option<(SessionKey, Head)>> {
    for scope in &request.scopes {
        if let Some(found) = waiting(ledger, now, &request.owner, &scope.ours)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn claimed<L: Ledger>(
    ledger: &L,
    request: request::Claim,
    key: SessionKey,
    attempt: u32,
    lease: &Lease,
) -> SessionResult<ClaimOutcome> {
    let Some(session) = ledger.session(&key)? else {
        return Ok(ClaimOutcome::NoWait);
    };
    Ok(ClaimOutcome::Claimed(Turn {
        session,
        attempt,
        lease_until: lease.until,
        token: ClaimToken {
            owner: request.owner,
            key,
            message: request.message,
            secret: request.secret,
            fencing: lease.fencing,
        },
    }))
}

pub(crate) fn renew<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &request::Renew,
) -> SessionResult<Timestamp> {
    let head = held(ledger, now, &request.token)?;
    let until = lease_end(now, request.lease_millis);
    let mut renewed = head.clone();
    if let Some(lease) = renewed.end_lease() {
        renewed.set_lease(Lease { until, ..lease });
    }
    ledger.put_head(&request.token.key, &head, renewed)?;
    Ok(until)
}

pub(crate) fn release<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    token: &ClaimToken,
) -> SessionResult<()> {
    let Some(head) = live_or_deleted(ledger, now, &token.key)? else {
        return Err(conflict(Conflict::ClaimLost));
    };
    let released = head.wait.as_ref().and_then(|wait| wait.released);
    if head.owner == token.owner && released == Some(token.secret) {
        return Ok(());
    }
    let head = held(ledger, now, token)?;
    end_claim(ledger, now, token, &head)
}

fn end_claim<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    token: &ClaimToken,
    head: &Head,
) -> SessionResult<()> {
    let mut freed = head.clone();
    freed.end_lease();
    if let Some(wait) = &mut freed.wait {
        wait.released = Some(token.secret);
    }
    put_unclaimed(ledger, now, &token.key, head, freed)
}

pub(crate) fn commit<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    options: &StoreOptions,
    request: request::Commit,
) -> SessionResult<CommitOutcome> {
    let request::Commit { token, next, reply } = request;
    let remembered = ledger.remembered(&token.owner, &token.message)?;
    let done = remembered.filter(|done| now < done.until);
    if done
        .as_ref()
        .is_some_and(|done| done.secret == token.secret)
    {
        return Ok(CommitOutcome::Done);
    }
    let head = held(ledger, now, &token)?;
    if !head.is_claimed_for(&token.message) {
        return Err(conflict(Conflict::ClaimLost));
    }
    if done.is_some() {
        // A message is committed once, even if it claimed two waits. No worker needs this claim.
        end_claim(ledger, now, &token, &head)?;
        return Ok(CommitOutcome::Refused);
    }
    match next {
        Next::Finish => delete_session(ledger, &token.key, &head)?,
        Next::Park {
            scope,
            session,
            ttl,
        } => {
            let here = || head.wait.as_ref().map(|wait| wait.scope);
            let next = NextWait {
                owner: token.owner.clone(),
                scope: scope
                    .map(|scope| scope.ours)
                    .or_else(here)
                    .ok_or_else(|| conflict(Conflict::ClaimLost))?,
                session,
                ttl,
                // Kept, so that a late repeat of the first park does not undo the commit (C14).
                operation: head.operation,
                // The worker has the turn already.
                max_waits: 0,
            };
            next.register(ledger, now, Some(&head))?;
        }
    }
    let message = Remembered {
        message: token.message,
        secret: token.secret,
        until: lease_end(now, whole_millis(options.message_window))
            .min(Timestamp::from_millis(LATEST_DEADLINE)),
        reply: reply.map(Box::new),
    };
    ledger.remember(&token.owner, message, now, options.message_limit(), now)?;
    Ok(CommitOutcome::Done)
}

fn held<L: Ledger>(ledger: &mut L, now: Timestamp, token: &ClaimToken) -> SessionResult<Head> {
    let head = live_or_deleted(ledger, now, &token.key)?
        .filter(|head| head.owner == token.owner)
        .ok_or_else(|| conflict(Conflict::ClaimLost))?;
    head.require_token(token.secret)?;
    Ok(head)
}

fn lease_end(now: Timestamp, millis: u64) -> Timestamp {
    Timestamp::from_millis(now.as_millis().saturating_add(millis))
}
