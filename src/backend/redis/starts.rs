//! Start claims: one worker starts a flow where no session waits (C27).

use greentic_types::ErrorCode;

use super::dispatch::Dispatcher;
use super::ownership::pointer::Reservation;
use super::script::arguments::{self, Asked};
use super::script::reply::Answer;
use super::script::status::Status;
use super::script::wire::{MessageLimits, OwnerCall, wait_limit};
use crate::claim::{ClaimOutcome, ClaimToken, Turn};
use crate::error::{Conflict, SessionResult, conflict};
use crate::options::{NextTtl, StoreOptions};
use crate::owner::Owner;
use crate::reason::Reason;
use crate::reply::Reply;
use crate::request::{self, Next};
use crate::scope::ScopeDigest;

/// The reservation of a key that is another owner's.
const FOREIGN: &str = "!";

/// What a claim may start, as its script takes it. On a Cluster only the pointer tells whether a key
/// that the caller gave is another owner's.
pub async fn asked<'a>(
    dispatcher: &Dispatcher,
    owner: &Owner,
    start: &'a request::Start,
) -> SessionResult<Asked<'a>> {
    Ok(Asked {
        max_waits: wait_limit(start.max_waits),
        is_foreign: start.is_given && dispatcher.layout.is_foreign(owner, &start.key).await?,
        key: &start.key,
    })
}

/// The turn of a start that a claim made.
pub fn started(
    request: &request::Claim,
    start: &request::Start,
    answer: &mut Answer,
) -> SessionResult<ClaimOutcome> {
    let (key, attempt) = (answer.session_key()?, answer.number()?);
    let (lease_until, fencing) = (answer.timestamp()?, answer.number()?);
    Ok(ClaimOutcome::Claimed(Turn {
        session: None,
        messages: Vec::new(),
        reason: Reason::Message,
        token: ClaimToken {
            owner: request.owner.clone(),
            key,
            message: request.message,
            secret: request.secret,
            fencing,
            start: Some(start.scope.ours),
        },
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        lease_until,
    }))
}

/// The start that a token is for, as scripts take it; none if it is for a wait.
pub fn of(token: &ClaimToken) -> Option<arguments::StartOf> {
    token.start.map(|start_scope| arguments::StartOf {
        start_scope,
        message: token.message,
    })
}

/// Commits the message that started a flow on a scope.
pub async fn commit(
    dispatcher: &Dispatcher,
    options: &StoreOptions,
    request: &request::Commit,
    start_scope: ScopeDigest,
) -> SessionResult<()> {
    let token = &request.token;
    let (owner, key) = (&token.owner, &token.key);
    let keys = dispatcher.layout.keys(owner);
    let MessageLimits { window, limit } = MessageLimits::new(options);
    let sealing = &dispatcher.sealing;
    let reply = sealing
        .reply_of_commit(token, request.reply.as_ref())
        .await?;
    let reply = reply.as_ref().map(Reply::bytes);
    let call = |park| {
        let arguments = arguments::CommitStart {
            owner,
            key,
            message: token.message,
            secret: token.secret,
            window,
            limit,
            start_scope,
            begun: arguments::BegunAndReply { park, reply },
        };
        OwnerCall::new(&keys, keys.session(key), arguments)
    };
    let mut answer = match &request.next {
        Next::Park {
            scope,
            session,
            ttl,
            timeout,
        } => {
            let (payload, ttl) = (sealing.session(session).await?, ttl.over(None));
            let park = |reservation| {
                call(Some(arguments::ParkNew {
                    scope: scope.map(|scope| scope.ours),
                    legacy_scope: scope.map(|scope| scope.legacy),
                    ttl,
                    timeout: *timeout,
                    payload: &payload,
                    reservation,
                }))
            };
            let reserved = |reservation| park(Reservation::argument(reservation));
            let written = dispatcher.write_reserving_key(owner, key, NextTtl::Given(ttl), reserved);
            match written.await {
                // The commit may have been done before, or its claim is lost: the script knows.
                Err(foreign) if foreign.code == ErrorCode::InvalidInput => {
                    dispatcher.answer(park(FOREIGN.to_owned())).await?
                }
                written => written?,
            }
        }
        Next::Finish => dispatcher.answer(call(None)).await?,
    };
    let timeout = request.next.timeout();
    match answer.status {
        // An earlier attempt did it.
        Status::Ok | Status::Duplicate => {
            dispatcher.layout.expect(owner, timeout);
            Ok(())
        }
        Status::LateTimeout => Err(answer.late_timeout(timeout)),
        Status::Exists => Err(conflict(Conflict::KeyTaken)),
        _ => answer.unexpected(),
    }
}
