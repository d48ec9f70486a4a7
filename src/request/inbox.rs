//! Checked calls on queues (C28 to C31).

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use greentic_types::{ReplyScope, SessionKey, TenantCtx, UserId};

use super::checked_scopes;
use crate::claim::TokenSecret;
use crate::clock::whole_millis;
use crate::error::{SessionResult, invalid_input};
use crate::holder::Holder;
use crate::ids::check_key;
use crate::inbox::{DeliverOptions, Discard, NextOptions, Retry, WhenBusy, WhenNone};
use crate::message::Message;
use crate::message_id::MessageDigest;
use crate::options::{
    CommitOptions, InboxOptions, LATEST_DEADLINE, MAX_BATCH, StoreOptions, lease_millis,
};
use crate::owner::Owner;
use crate::reply::Reply;
use crate::scope::ScopeDigest;

/// Checks the number of messages of a turn.
fn batch(messages: NonZeroU32) -> SessionResult<u32> {
    match messages.get() {
        batch @ ..=MAX_BATCH => Ok(batch),
        batch => Err(invalid_input(format!(
            "a turn of {batch} messages exceeds the limit of {MAX_BATCH}"
        ))),
    }
}

/// What a message of a queue may do where no session waits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum IfNone {
    /// Start a flow, whose session gets this key; without one, a fresh key.
    Start(Option<SessionKey>),
    Buffer,
    Refuse,
}

impl IfNone {
    fn checked(when: WhenNone) -> SessionResult<Self> {
        Ok(match when {
            WhenNone::Start(start) => {
                start.key.as_ref().map(check_key).transpose()?;
                Self::Start(start.key)
            }
            WhenNone::Buffer => Self::Buffer,
            WhenNone::Refuse => Self::Refuse,
        })
    }
}

#[derive(Clone)]
pub(crate) struct Deliver {
    pub owner: Owner,
    /// In the order in which they are tried; at least one.
    pub scopes: Vec<ScopeDigest>,
    pub message: MessageDigest,
    /// In the form in which the backend stores it.
    pub body: Arc<[u8]>,
    /// The length of the body in clear.
    pub bytes: usize,
    /// Drawn before the call, so that a repeat of the call finds its own turn (C14).
    pub secret: TokenSecret,
    pub lease_millis: u64,
    pub holder: Option<Holder>,
    pub when_busy: WhenBusy,
    pub if_none: IfNone,
    pub max_batch: u32,
    pub ttl_millis: u64,
    pub debounce_millis: Option<u64>,
    pub bounds: InboxOptions,
}

impl Deliver {
    pub fn new(
        store: &StoreOptions,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: Message,
        options: DeliverOptions,
    ) -> SessionResult<Self> {
        let bounds = store.inbox.ok_or_else(|| {
            invalid_input("the queues of this store are off; set StoreOptions::inbox to deliver")
        })?;
        let owner = Owner::of_caller(ctx, user)?;
        let scopes = checked_scopes(scopes)?;
        if message.body.len() > bounds.max_bytes {
            return Err(invalid_input(format!(
                "the body of the message is {} bytes long; the limit is {}",
                message.body.len(),
                bounds.max_bytes
            )));
        }
        Ok(Self {
            owner,
            scopes: scopes.iter().map(|scope| scope.ours).collect(),
            message: message.id.digest()?,
            bytes: message.body.len(),
            body: message.body,
            secret: TokenSecret::random(),
            lease_millis: lease_millis(options.lease)?,
            holder: options.holder.map(Holder::checked).transpose()?,
            when_busy: options.when_busy,
            if_none: IfNone::checked(options.when_none)?,
            max_batch: batch(options.max_batch)?,
            ttl_millis: ttl_millis(options.ttl.unwrap_or(bounds.ttl))?,
            debounce_millis: options.debounce.map(lease_millis).transpose()?,
            bounds,
        })
    }
}

/// A queue must end.
fn ttl_millis(ttl: Duration) -> SessionResult<u64> {
    match whole_millis(ttl) {
        LATEST_DEADLINE.. => Err(invalid_input(format!(
            "the TTL of a message, {} s, has no end; the limit is {LATEST_DEADLINE} ms",
            ttl.as_secs()
        ))),
        millis => Ok(millis.max(1)),
    }
}

#[derive(Clone)]
pub(crate) struct NextTurn {
    pub owner: Owner,
    pub scope: ScopeDigest,
    pub secret: TokenSecret,
    pub lease_millis: u64,
    pub holder: Option<Holder>,
    pub max_batch: u32,
}

impl NextTurn {
    pub fn new(
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        options: NextOptions,
    ) -> SessionResult<Self> {
        Ok(Self {
            owner: Owner::of_caller(ctx, user)?,
            scope: ScopeDigest::of(scope)?,
            secret: TokenSecret::random(),
            lease_millis: lease_millis(options.lease)?,
            holder: options.holder.map(Holder::checked).transpose()?,
            max_batch: batch(options.max_batch)?,
        })
    }
}

/// Some messages of a queue.
pub(crate) struct OfQueue<W> {
    pub owner: Owner,
    pub scope: ScopeDigest,
    pub which: W,
}

/// The checked form of [`Discard`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Discarded {
    Waiting,
    DeadLettered,
    One(MessageDigest),
}

/// The checked form of [`Retry`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retried {
    All,
    One(MessageDigest),
}

impl<W> OfQueue<W> {
    fn new(ctx: &TenantCtx, user: &UserId, scope: &ReplyScope, which: W) -> SessionResult<Self> {
        Ok(Self {
            owner: Owner::of_caller(ctx, user)?,
            scope: ScopeDigest::of(scope)?,
            which,
        })
    }
}

impl OfQueue<Discarded> {
    pub fn discard(
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Discard,
    ) -> SessionResult<Self> {
        let which = match which {
            Discard::Waiting => Discarded::Waiting,
            Discard::DeadLettered => Discarded::DeadLettered,
            Discard::One(id) => Discarded::One(id.digest()?),
        };
        Self::new(ctx, user, scope, which)
    }
}

impl OfQueue<Retried> {
    pub fn retry(
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Retry,
    ) -> SessionResult<Self> {
        let which = match which {
            Retry::All => Retried::All,
            Retry::One(id) => Retried::One(id.digest()?),
        };
        Self::new(ctx, user, scope, which)
    }
}

/// What a commit does with the queue (C30).
#[derive(Clone)]
pub(crate) struct HandOver {
    /// The lease of the next turn; none if no turn is taken.
    pub lease_millis: Option<u64>,
    pub secret: TokenSecret,
    pub max_batch: u32,
    pub move_queue: bool,
    /// The stored forms of the reply for the other messages of the turn; none if they are all the same.
    pub replies: Option<BTreeMap<MessageDigest, Reply>>,
}

impl HandOver {
    pub fn new(token: TokenSecret, options: &CommitOptions) -> SessionResult<Self> {
        let secret = match (options.then_next, options.operation) {
            // It is not used, and a random one costs a system call.
            (None, _) => token,
            (Some(_), Some(operation)) => token.of_next(operation.as_u128()),
            (Some(_), None) => TokenSecret::random(),
        };
        Ok(Self {
            lease_millis: options.then_next.map(lease_millis).transpose()?,
            secret,
            max_batch: batch(options.max_batch)?,
            move_queue: options.move_queue,
            replies: None,
        })
    }
}
