//! Start claims: the right to start a flow where no session waits (C27).

use greentic_types::SessionKey;

use super::inbox::{end_turn, hold};
use super::start::kept;
use super::waits::{NextWait, require_room};
use super::{Ledger, Start, live_or_deleted};
use crate::claim::{ClaimOutcome, ClaimToken, TokenSecret, Turn};
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict};
use crate::message_id::MessageDigest;
use crate::owner::{Owner, foreign_key};
use crate::reason::Reason;
use crate::request::{self, Next};
use crate::scope::ScopeDigest;

/// A start never overwrites a session.
fn require_free<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    owner: &Owner,
    key: &SessionKey,
) -> SessionResult<()> {
    match live_or_deleted(ledger, now, key)? {
        Some(taken) if taken.owner != *owner => Err(foreign_key()),
        Some(_) => Err(conflict(Conflict::KeyTaken)),
        None => Ok(()),
    }
}

/// Starts a flow on the last scope of a claim that nothing else took.
pub(super) fn start<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: request::Claim,
    wanted: &request::Start,
) -> SessionResult<ClaimOutcome> {
    let (owner, scope) = (&request.owner, &wanted.scope.ours);
    let before = kept(ledger, now, owner, scope)?;
    if let Some(own) = &before
        && own.secret == request.secret
        && !own.released
    {
        return Ok(started(request, *scope, own));
    }
    let new = NewStart {
        owner,
        scope,
        key: wanted.key.clone(),
        secret: request.secret,
        message: request.message,
        lease_millis: request.lease_millis,
        max_waits: wanted.max_waits,
    };
    let start = begin(ledger, now, before, &new)?;
    let scope = *scope;
    Ok(started(request, scope, &start))
}

/// A start claim that is about to be made.
pub(super) struct NewStart<'a> {
    pub owner: &'a Owner,
    pub scope: &'a ScopeDigest,
    /// The key of the session to be, unless there is a record.
    pub key: SessionKey,
    pub secret: TokenSecret,
    pub message: MessageDigest,
    pub lease_millis: u64,
    pub max_waits: usize,
}

/// Makes the start claim of a scope on which no session waits and none is live. `before` is the record
/// that still counts.
pub(super) fn begin<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    before: Option<Start>,
    new: &NewStart<'_>,
) -> SessionResult<Start> {
    let (owner, scope) = (new.owner, new.scope);
    let key = before.as_ref().map_or(&new.key, |before| &before.key);
    require_free(ledger, now, owner, key)?;
    // Nothing waits on the scope: its wait is closed (C32).
    let closed = ledger.routed(owner, scope, None)?;
    let closed = closed.filter(|(_, head)| head.is_live(now));
    if before.is_none() && closed.is_none() {
        require_room(ledger, owner, new.max_waits)?;
    }
    let mut start = Start {
        key: key.clone(),
        attempt: before.map_or(1, |before| before.attempt.saturating_add(1)),
        secret: new.secret,
        until: now,
        keep_until: now,
        fencing: ledger.next_number(owner, now)?,
        message: new.message,
        released: false,
    };
    start.set_lease(now, new.lease_millis);
    ledger.set_start(owner, scope, Some(start.clone()))?;
    if let Some((key, head)) = closed {
        ledger.put_head(&key, &head, head.without_scope(now))?;
    }
    Ok(start)
}

/// The turn of a start claim.
pub(super) fn started(request: request::Claim, scope: ScopeDigest, start: &Start) -> ClaimOutcome {
    let token = ClaimToken {
        owner: request.owner,
        key: start.key.clone(),
        message: request.message,
        secret: request.secret,
        fencing: start.fencing,
        start: Some(scope),
    };
    ClaimOutcome::Claimed(Turn {
        session: None,
        token,
        messages: Vec::new(),
        reason: Reason::Message,
        attempt: start.attempt,
        lease_until: start.until,
    })
}

/// Returns the record that a token belongs to.
fn of_token<L: Ledger>(
    ledger: &L,
    now: Timestamp,
    token: &ClaimToken,
    scope: &ScopeDigest,
) -> SessionResult<Start> {
    kept(ledger, now, &token.owner, scope)?
        .filter(|start| start.secret == token.secret)
        .filter(|start| start.key == token.key && start.message == token.message)
        .ok_or_else(|| conflict(Conflict::ClaimLost))
}

/// As [`of_token`], of a claim that was not released.
fn held<L: Ledger>(
    ledger: &L,
    now: Timestamp,
    token: &ClaimToken,
    scope: &ScopeDigest,
) -> SessionResult<Start> {
    match of_token(ledger, now, token, scope)? {
        start if start.released => Err(conflict(Conflict::ClaimLost)),
        start => Ok(start),
    }
}

pub(super) fn renew<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &request::Renew,
    scope: &ScopeDigest,
) -> SessionResult<Timestamp> {
    let mut start = held(ledger, now, &request.token, scope)?;
    start.set_lease(now, request.lease_millis);
    let until = start.until;
    ledger.set_start(&request.token.owner, scope, Some(start))?;
    hold(
        ledger,
        &request.token.owner,
        scope,
        request.token.secret,
        until,
    )?;
    Ok(until)
}

pub(super) fn release<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    token: &ClaimToken,
    scope: &ScopeDigest,
) -> SessionResult<()> {
    let start = of_token(ledger, now, token, scope)?;
    if start.released {
        return Ok(());
    }
    let released = Start {
        released: true,
        ..start
    };
    ledger.set_start(&token.owner, scope, Some(released))?;
    end_turn(ledger, now, &token.owner, scope, token.secret)
}

/// Ends a start: makes the session, or leaves nothing. `message_is_done` is true if another claim has
/// committed the message; then the start is released, and the result is false.
pub(super) fn commit<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    token: &ClaimToken,
    scope: &ScopeDigest,
    next: Next,
    message_is_done: bool,
) -> SessionResult<bool> {
    held(ledger, now, token, scope)?;
    if message_is_done {
        release(ledger, now, token, scope)?;
        return Ok(false);
    }
    if let Next::Park {
        scope: next_scope,
        session,
        ttl,
        timeout,
    } = next
    {
        require_free(ledger, now, &token.owner, &token.key)?;
        let next = NextWait {
            owner: token.owner.clone(),
            scope: next_scope.map_or(*scope, |scope| scope.ours),
            session,
            ttl,
            timeout,
            operation: None,
            // It counted as a wait from the claim on.
            max_waits: 0,
            start: Some(token.secret),
            displaces: true,
        };
        next.register(ledger, now, None)?;
    }
    ledger.set_start(&token.owner, scope, None)?;
    Ok(true)
}
