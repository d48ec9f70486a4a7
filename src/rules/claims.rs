//! Claim, renew, release and commit (C16, C27).

use greentic_types::SessionKey;

use super::hand_over::{Passing, handed_over_before};
use super::inbox::{end_turn, hold};
use super::lease::{NewLease, lease_end, take};
use super::start::live_start;
use super::waits::NextWait;
use super::{
    CommitOutcome, Head, Lease, Ledger, Remembered, Start, delete_session, live_or_deleted,
    put_unclaimed, starts, waiting,
};
use crate::claim::{ClaimOutcome, ClaimToken, Committed, Turn};
use crate::clock::{Timestamp, whole_millis};
use crate::error::{Conflict, SessionResult, conflict};
use crate::options::{LATEST_DEADLINE, StoreOptions};
use crate::reason::Reason;
use crate::request::{self, Next};
use crate::scope::ScopeDigest;

pub(crate) fn claim<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    mut request: request::Claim,
) -> SessionResult<ClaimOutcome> {
    let remembered = ledger.remembered(&request.owner, &request.message)?;
    if let Some(done) = remembered.filter(|remembered| now < remembered.until) {
        let reply = done.reply.map(|reply| reply.into_bytes());
        return Ok(ClaimOutcome::duplicate_with(reply));
    }
    let (key, head) = match first_taker(ledger, now, &request)? {
        Some(Taker::Wait(key, head)) => (key, head),
        Some(Taker::Start(scope, start)) if start.secret == request.secret => {
            return Ok(starts::started(request, scope, &start));
        }
        Some(Taker::Start(_, start)) => {
            let same_message = start.message == request.message;
            return Ok(ClaimOutcome::busy(start.until, same_message));
        }
        None => {
            return match request.start.take() {
                Some(wanted) => starts::start(ledger, now, request, &wanted),
                None => Ok(ClaimOutcome::NoWait),
            };
        }
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
    let new = NewLease {
        secret: request.secret,
        millis: request.lease_millis,
        message: request.message,
        holder: request.holder.clone(),
    };
    let (lease, attempt) = take(ledger, now, &key, &head, new)?;
    claimed(ledger, request, key, attempt, &lease)
}

/// What takes the message on a scope.
enum Taker {
    Wait(SessionKey, Head),
    /// A live start claim.
    Start(ScopeDigest, Start),
}

/// What takes the message on the first scope on which something does.
fn first_taker<L: Ledger>(
    ledger: &L,
    now: Timestamp,
    request: &request::Claim,
) -> SessionResult<Option<Taker>> {
    for scope in &request.scopes {
        let (owner, scope) = (&request.owner, scope.ours);
        if let Some((key, head)) = waiting(ledger, now, owner, &scope)? {
            return Ok(Some(Taker::Wait(key, head)));
        }
        if let Some(start) = live_start(ledger, now, owner, &scope)? {
            return Ok(Some(Taker::Start(scope, start)));
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
    let token = ClaimToken {
        owner: request.owner,
        key,
        message: request.message,
        secret: request.secret,
        fencing: lease.fencing,
        start: None,
    };
    Ok(ClaimOutcome::Claimed(Turn {
        session: Some(session),
        token,
        messages: Vec::new(),
        reason: Reason::Message,
        attempt,
        lease_until: lease.until,
    }))
}

pub(crate) fn renew<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &request::Renew,
) -> SessionResult<Timestamp> {
    if let Some(scope) = &request.token.start {
        return starts::renew(ledger, now, request, scope);
    }
    let head = held(ledger, now, &request.token)?;
    let until = lease_end(now, request.lease_millis);
    let mut renewed = head.clone();
    if let Some(lease) = renewed.end_lease() {
        renewed.set_lease(Lease { until, ..lease });
    }
    ledger.put_head(&request.token.key, &head, renewed)?;
    if let Some(wait) = &head.wait {
        let secret = request.token.secret;
        hold(ledger, &head.owner, &wait.scope, secret, until)?;
    }
    Ok(until)
}

pub(crate) fn release<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    token: &ClaimToken,
) -> SessionResult<()> {
    if let Some(scope) = &token.start {
        return starts::release(ledger, now, token, scope);
    }
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
    put_unclaimed(ledger, now, &token.key, head, freed)?;
    match &head.wait {
        Some(wait) => end_turn(ledger, now, &head.owner, &wait.scope, token.secret),
        None => Ok(()),
    }
}

pub(crate) fn commit<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    options: &StoreOptions,
    request: request::Commit,
) -> SessionResult<CommitOutcome> {
    let request::Commit {
        token,
        next,
        reply,
        hand_over,
    } = request;
    let remembered = ledger.remembered(&token.owner, &token.message)?;
    let done = remembered.filter(|done| now < done.until);
    if done
        .as_ref()
        .is_some_and(|done| done.secret == token.secret)
    {
        let committed = handed_over_before(ledger, now, &token, &hand_over)?;
        return Ok(CommitOutcome::Done(committed));
    }
    let passing = Passing::before(ledger, now, &token, &next)?;
    // A message is committed once, even if it claimed two waits. No worker needs the second claim.
    let message_is_done = done.is_some();
    let is_done = match token.start {
        Some(scope) => starts::commit(ledger, now, &token, &scope, next, message_is_done)?,
        None => commit_wait(ledger, now, &token, next, message_is_done)?,
    };
    if !is_done {
        return Ok(CommitOutcome::Refused);
    }
    let remembered = Remembered {
        message: token.message,
        secret: token.secret,
        until: lease_end(now, whole_millis(options.message_window))
            .min(Timestamp::from_millis(LATEST_DEADLINE)),
        reply: reply.map(Box::new),
    };
    let committed = match passing {
        Some(passing) => passing.pass_on(ledger, now, options, &token, remembered, &hand_over)?,
        None => {
            ledger.remember(&token.owner, remembered, now, options.message_limit(), now)?;
            Committed::new()
        }
    };
    Ok(CommitOutcome::Done(committed))
}

/// Parks or removes the session of a wait. Returns false if the message is done, and its claim was
/// released.
fn commit_wait<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    token: &ClaimToken,
    next: Next,
    message_is_done: bool,
) -> SessionResult<bool> {
    let head = held(ledger, now, token)?;
    if !head.is_claimed_for(&token.message) {
        return Err(conflict(Conflict::ClaimLost));
    }
    if message_is_done {
        end_claim(ledger, now, token, &head)?;
        return Ok(false);
    }
    match next {
        Next::Finish => delete_session(ledger, &token.key, &head)?,
        Next::Park {
            scope,
            session,
            ttl,
            timeout,
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
                timeout,
                // Kept, so that a late repeat of the first park does not undo the commit (C14).
                operation: head.operation,
                // The worker has the turn already.
                max_waits: 0,
                start: None,
                displaces: !head.is_closed(now),
            };
            next.register(ledger, now, Some(&head))?;
        }
    }
    Ok(true)
}

fn held<L: Ledger>(ledger: &mut L, now: Timestamp, token: &ClaimToken) -> SessionResult<Head> {
    let head = live_or_deleted(ledger, now, &token.key)?
        .filter(|head| head.owner == token.owner)
        .ok_or_else(|| conflict(Conflict::ClaimLost))?;
    head.require_token(token.secret)?;
    Ok(head)
}
