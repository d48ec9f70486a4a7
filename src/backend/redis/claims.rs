//! Claims: one worker resumes a wait, or starts a flow (C16, C27).

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::dispatch::Dispatcher;
use super::script::arguments::{self, NextAndReply, ScopesInOrder};
use super::script::status::Status;
use super::script::wire::{ClaimedBy, MessageLimits, OwnerCall};
use super::starts;
use super::transport::runtime::finished_when_dropped::FinishedWhenDropped;
use crate::claim::{ClaimOutcome, ClaimToken, Turn};
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict, too_many_waits};
use crate::options::StoreOptions;
use crate::reason::Reason;
use crate::reply::Reply;
use crate::request::{self, Next};

/// Claims a wait, or the start of a flow.
pub async fn claim(
    dispatcher: &Arc<Dispatcher>,
    request: request::Claim,
) -> SessionResult<ClaimOutcome> {
    let sent = Arc::new(AtomicBool::new(false));
    let call = send_claim(Arc::clone(dispatcher), request, Arc::clone(&sent));
    released_if_dropped(dispatcher, sent, call, |outcome| match outcome {
        ClaimOutcome::Claimed(turn) => vec![turn],
        _ => Vec::new(),
    })
    .await
}

/// Makes claims with a call that sets `sent` when it is sent. If the future is dropped after that, the
/// call is finished in the background, and its turns are released: no worker would know of them.
pub async fn released_if_dropped<T: Send + 'static>(
    dispatcher: &Arc<Dispatcher>,
    sent: Arc<AtomicBool>,
    call: impl Future<Output = SessionResult<T>> + Send + 'static,
    turns: fn(T) -> Vec<Turn>,
) -> SessionResult<T> {
    let runtime = Arc::clone(dispatcher.client.runtime()?);
    let dispatcher = Arc::clone(dispatcher);
    let release_if_sent = move |call: BoxFuture<'static, SessionResult<T>>| {
        if !sent.load(Ordering::Relaxed) {
            return;
        }
        runtime.spawn(async move {
            for turn in call.await.map(turns).unwrap_or_default() {
                let _released = release(&dispatcher, &turn.token).await;
            }
        });
    };
    FinishedWhenDropped::new(call, release_if_sent).await
}

async fn send_claim(
    dispatcher: Arc<Dispatcher>,
    request: request::Claim,
    sent: Arc<AtomicBool>,
) -> SessionResult<ClaimOutcome> {
    let dispatcher = &*dispatcher;
    dispatcher.sealing.ready(&request.owner).await?;
    let keys = dispatcher.layout.keys(&request.owner);
    let asked = match &request.start {
        Some(start) => Some(starts::asked(dispatcher, &request.owner, start).await?),
        None => None,
    };
    let arguments = arguments::Claim {
        owner: &request.owner,
        message: request.message,
        secret: request.secret,
        claimed_by: ClaimedBy(request.holder.as_ref()),
        lease: request.lease_millis,
        scopes: ScopesInOrder {
            scopes: &request.scopes,
            start: asked,
        },
    };
    let call = OwnerCall::new(&keys, keys.route(&request.owner), arguments).noting(&sent);
    let mut answer = dispatcher.answer(call).await?;
    match (answer.status, &request.start) {
        (Status::Ok, _) => {}
        (Status::Started, Some(start)) => return starts::started(&request, start, &mut answer),
        (Status::Exists, _) => return Err(conflict(Conflict::KeyTaken)),
        (Status::Full, Some(start)) => return Err(too_many_waits(start.max_waits)),
        (Status::Busy, _) => {
            let (until, same_message) = (answer.timestamp()?, answer.number()? == 1);
            return Ok(ClaimOutcome::busy(until, same_message));
        }
        (Status::Duplicate, _) => {
            let stored = answer
                .optional_bytes()
                .map(|bytes| Reply::stored(bytes.into()));
            let sealing = &dispatcher.sealing;
            let reply = sealing.opened_if_any(&request.owner, &request.message, stored);
            return Ok(ClaimOutcome::duplicate_with(
                reply.await?.map(Reply::into_bytes),
            ));
        }
        (Status::NoWait, _) => return Ok(ClaimOutcome::NoWait),
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
        start: None,
    };
    let session = match dispatcher.opened(&stored).await {
        Ok(session) => session,
        Err(unreadable) => {
            // No worker can resume it. After a repair it can be claimed without waiting for the
            // lease.
            let _released = release(dispatcher, &token).await;
            return Err(unreadable);
        }
    };
    let lease = Duration::from_millis(request.lease_millis);
    dispatcher.layout.confirm(&token, record, lease);
    Ok(ClaimOutcome::Claimed(Turn {
        session: Some(session),
        token,
        messages: Vec::new(),
        reason: Reason::Message,
        attempt: record.attempt,
        lease_until: record.lease_until,
    }))
}

pub async fn renew(dispatcher: &Dispatcher, request: request::Renew) -> SessionResult<Timestamp> {
    let token = &request.token;
    let keys = dispatcher.layout.keys(&token.owner);
    let arguments = arguments::Renew {
        owner: &token.owner,
        key: &token.key,
        secret: token.secret,
        lease: request.lease_millis,
        start: starts::of(token),
    };
    let call = OwnerCall::new(&keys, keys.session(&token.key), arguments);
    let mut answer = dispatcher.answer(call).await?;
    if answer.status != Status::Ok {
        return answer.unexpected();
    }
    let until = answer.timestamp()?;
    if let Ok(record) = answer.record(&token.key) {
        let lease = Duration::from_millis(request.lease_millis);
        dispatcher.layout.confirm(token, &record, lease);
    }
    Ok(until)
}

pub async fn release(dispatcher: &Dispatcher, token: &ClaimToken) -> SessionResult<()> {
    let keys = dispatcher.layout.keys(&token.owner);
    let arguments = arguments::Release {
        owner: &token.owner,
        key: &token.key,
        secret: token.secret,
        start: starts::of(token),
    };
    let call = OwnerCall::new(&keys, keys.session(&token.key), arguments);
    let answer = dispatcher.answer(call).await?;
    match answer.status {
        Status::Ok => Ok(()),
        _ => answer.unexpected(),
    }
}

/// Releases a claim on the I/O threads.
pub fn release_dropped(dispatcher: &Arc<Dispatcher>, token: ClaimToken) {
    if let Ok(runtime) = dispatcher.client.runtime() {
        let dispatcher = Arc::clone(dispatcher);
        runtime.spawn(async move {
            let _released = release(&dispatcher, &token).await;
        });
    }
}

pub async fn commit(
    dispatcher: &Dispatcher,
    options: &StoreOptions,
    request: request::Commit,
) -> SessionResult<()> {
    let token = &request.token;
    if let Some(scope) = token.start {
        return starts::commit(dispatcher, options, &request, scope).await;
    }
    let keys = dispatcher.layout.keys(&token.owner);
    let MessageLimits { window, limit } = MessageLimits::new(options);
    let sealing = &dispatcher.sealing;
    let reply = sealing
        .reply_of_commit(token, request.reply.as_ref())
        .await?;
    let reply = reply.as_ref().map(Reply::bytes);
    let call = |park| {
        let arguments = arguments::Commit {
            owner: &token.owner,
            key: &token.key,
            message: token.message,
            secret: token.secret,
            window,
            limit,
            next: NextAndReply { park, reply },
        };
        OwnerCall::new(&keys, keys.session(&token.key), arguments)
    };
    let mut answer = match &request.next {
        Next::Park {
            scope,
            session,
            ttl,
            timeout,
        } => {
            let payload = sealing.session(session).await?;
            let call = |extended| {
                call(Some(arguments::ParkAgain {
                    scope: scope.map(|scope| scope.ours),
                    legacy_scope: scope.map(|scope| scope.legacy),
                    ttl: *ttl,
                    timeout: *timeout,
                    extended,
                    payload: &payload,
                }))
            };
            dispatcher
                .write_extending_pointer(Some(&token.owner), &token.key, *ttl, call)
                .await?
        }
        Next::Finish => {
            let mut answer = dispatcher.answer(call(None)).await?;
            if answer.status == Status::Ok {
                let stamp = answer.stamp();
                dispatcher.layout.forget(&token.owner, &token.key, stamp);
            }
            answer
        }
    };
    let timeout = request.next.timeout();
    match answer.status {
        Status::Ok => {
            dispatcher.layout.expect(&token.owner, timeout);
            Ok(())
        }
        Status::LateTimeout => Err(answer.late_timeout(timeout)),
        _ => answer.unexpected(),
    }
}
