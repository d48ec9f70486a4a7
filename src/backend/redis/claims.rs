//! Claims: one worker resumes a wait (C16).

use std::future::ready;
use std::time::Duration;

use tokio::time::Instant;

use super::dispatch::{Dispatcher, Refusal};
use super::ownership::KeyLayout;
use super::script::args::{MessageLimits, OwnerCall};
use super::script::registry;
use super::script::reply::Answer;
use super::script::status::Status;
use crate::claim::{Claim, ClaimOutcome, ClaimToken};
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::{StoreOptions, TtlMillis};
use crate::payload;
use crate::request::{self, Next};

pub async fn claim(
    dispatcher: &Dispatcher,
    request: request::Claim,
) -> SessionResult<ClaimOutcome> {
    let keys = dispatcher.layout.keys(&request.owner);
    let arguments = registry::Claim {
        owner: &request.owner,
        scope: request.scope,
        legacy_scope: request.legacy_scope,
        message: request.message,
        secret: request.secret,
        lease: request.lease_millis,
    };
    let call = OwnerCall::new(&keys, keys.route(&request.owner), arguments);
    let mut answer = dispatcher.answer(call).await?;
    match answer.status {
        Status::Ok => {}
        Status::Busy => {
            let until = answer.timestamp()?;
            return Ok(ClaimOutcome::Busy { until });
        }
        Status::Duplicate => return Ok(ClaimOutcome::Duplicate),
        Status::NoWait => return Ok(ClaimOutcome::NoWait),
        _ => return answer.unexpected(),
    }
    let stored = answer.stored()?;
    let record = &stored.record;
    let token = ClaimToken {
        owner: request.owner.clone(),
        key: stored.key.clone(),
        message: request.message,
        secret: request.secret,
        fencing: record.fencing,
    };
    let session = match stored.session() {
        Ok(session) => session,
        Err(unreadable) => {
            // No worker can resume it. After a repair it can be claimed without waiting for the
            // lease.
            let _released = release(dispatcher, &token).await;
            return Err(unreadable);
        }
    };
    let lease = Duration::from_millis(request.lease_millis);
    let (lifetime, until) = (record.lifetime(), record.lease_until);
    dispatcher
        .layout
        .begin_claim(&token, lifetime, lease, until);
    Ok(ClaimOutcome::Claimed(Claim {
        session,
        token,
        attempt: record.attempt,
        lease_until: record.lease_until,
    }))
}

pub async fn renew(dispatcher: &Dispatcher, request: request::Renew) -> SessionResult<Timestamp> {
    let token = &request.token;
    let keys = dispatcher.layout.keys(&token.owner);
    let arguments = registry::Renew {
        owner: &token.owner,
        key: &token.key,
        secret: token.secret,
        lease: request.lease_millis,
    };
    let call = OwnerCall::new(&keys, keys.session(&token.key), arguments);
    let mut answer = dispatcher.answer(call).await?;
    match answer.status {
        Status::Ok => {
            let until = answer.timestamp()?;
            let lease = Duration::from_millis(request.lease_millis);
            dispatcher.layout.renew_claim(token, lease, until);
            Ok(until)
        }
        _ => answer.unexpected(),
    }
}

pub async fn release(dispatcher: &Dispatcher, token: &ClaimToken) -> SessionResult<()> {
    let keys = dispatcher.layout.keys(&token.owner);
    let arguments = registry::Release {
        owner: &token.owner,
        key: &token.key,
        secret: token.secret,
    };
    let call = OwnerCall::new(&keys, keys.session(&token.key), arguments);
    let answer = dispatcher.answer(call).await?;
    match answer.status {
        Status::Ok => {
            dispatcher.layout.release_claim(token);
            Ok(())
        }
        _ => answer.unexpected(),
    }
}

pub async fn commit(
    dispatcher: &Dispatcher,
    options: &StoreOptions,
    request: request::Commit,
) -> SessionResult<()> {
    let token = &request.token;
    let keys = dispatcher.layout.keys(&token.owner);
    let MessageLimits { window, limit } = MessageLimits::new(options);
    let call = |park| {
        let arguments = registry::Commit {
            owner: &token.owner,
            key: &token.key,
            message: token.message,
            secret: token.secret,
            window,
            limit,
            park,
        };
        OwnerCall::new(&keys, keys.session(&token.key), arguments)
    };
    let answer = match &request.next {
        Next::Park {
            scope,
            legacy_scope,
            session,
            ttl,
        } => {
            let payload = payload::encode(session.data())?;
            let call = |later_until| {
                call(Some(registry::ParkAgain {
                    scope: *scope,
                    legacy_scope: *legacy_scope,
                    ttl: *ttl,
                    later_until,
                    payload: &payload,
                }))
            };
            commit_and_park(dispatcher, token, *ttl, call).await?
        }
        Next::Finish => {
            let mut answer = dispatcher.answer(call(None)).await?;
            if answer.status == Status::Ok {
                dispatcher.layout.finish_claim(token, answer.stamp());
            }
            answer
        }
    };
    match answer.status {
        Status::Ok => Ok(()),
        _ => answer.unexpected(),
    }
}

/// Runs the script of a commit that parks again. `call` takes the instant up to which the script
/// may set a later deadline, in milliseconds: none without pointers, 0 for never.
async fn commit_and_park<'a>(
    dispatcher: &Dispatcher,
    token: &ClaimToken,
    ttl: TtlMillis,
    call: impl Fn(Option<u64>) -> OwnerCall<'a>,
) -> SessionResult<Answer> {
    let KeyLayout::Clustered(clustered) = &dispatcher.layout else {
        return dispatcher.answer(call(None)).await;
    };
    let (pointers, settler) = (&clustered.pointers, &clustered.settler);
    let (owner, key) = (&token.owner, &token.key);
    let extension = clustered.extensions.find(token.secret);
    if let Some(extension) = &extension
        && let Some(awaited) = extension.clone().awaited().await
        && let Some(until) = extension.covers(ttl, Instant::now())
    {
        let answer = dispatcher.answer(call(Some(until))).await?;
        if answer.status != Status::Late {
            clustered.extensions.forget(token.secret);
            settler.settle_after_claim(owner, key, ready(Some(awaited)));
            return Ok(answer);
        }
    }
    // Most sessions without an extension have no deadline, and a pointer without an expiry.
    if extension.is_none() {
        let answer = dispatcher.answer(call(Some(0))).await?;
        if answer.status != Status::Late {
            if ttl.0.is_some() {
                settler.settle(owner, key, None);
            }
            return Ok(answer);
        }
    }
    let mut refused_at = None;
    loop {
        let extended = pointers.extend(Some(owner), key, ttl, Duration::ZERO).await;
        if extended.is_err() {
            settler.settle(owner, key, None);
        }
        let extended = extended?;
        let from = extended
            .as_ref()
            .map(|extended| refused_at.unwrap_or(extended.extended_at));
        let until = from.map(|from| Duration::from_micros(pointers.write_deadline(from)));
        let answer = dispatcher.answer(call(until.map(whole_millis))).await;
        if answer.is_err() {
            settler.settle(owner, key, None);
        }
        let mut answer = answer?;
        refused_at = Refusal::of(&mut answer)?
            .as_ref()
            .and_then(Refusal::refused_at);
        if refused_at.is_some() {
            continue;
        }
        clustered.extensions.forget(token.secret);
        if let Some(extended) = extended.filter(|extended| extended.outlives) {
            settler.settle_after_claim(owner, key, ready(Some(extended.awaited)));
        }
        return Ok(answer);
    }
}
