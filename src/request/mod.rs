//! Checked calls, which the backends carry out.
//!
//! All checks that need no storage are made here, before any I/O: limits, owners and digests (C1 to
//! C4, C8, C12).

mod admin;
mod inbox;
mod timeouts;

use std::time::Duration;

use greentic_types::{ReplyScope, SessionData, SessionKey, TenantCtx, UserId};

use crate::claim::{self, ClaimToken, TokenSecret};
use crate::error::{SessionResult, invalid_input};
use crate::holder::Holder;
use crate::ids::check_key;
use crate::mapping::random_session_key;
use crate::message_id::{MessageDigest, MessageId};
use crate::options::{
    ClaimOptions, CommitOptions, CreateOptions, NextTtl, OperationId, ParkOptions, RemoveOptions,
    StartOptions, StoreOptions, TtlMillis, UpdateOptions, lease_millis,
};
use crate::owner::{Identity, Owner};
use crate::payload;
use crate::reply::Reply;
use crate::scope::{ScopeDigest, ScopeDigests};
use crate::session::NewSession;
use crate::timeout::NextTimeout;

#[cfg(feature = "redis")]
pub(crate) use admin::ImportedMessage;
pub(crate) use admin::{EraseOwner, Extend, Import, ImportMessages, Revoke};
pub(crate) use inbox::{Deliver, Discarded, HandOver, IfNone, NextTurn, OfQueue, Retried};
pub(crate) use timeouts::{ClaimDue, SetTimeout};

/// C38: the owner that a session must have for a call in the fenced form; none for a call that takes
/// the key alone.
pub(crate) fn fence(ctx: Option<&TenantCtx>, key: &SessionKey) -> SessionResult<Option<Owner>> {
    ctx.map(|ctx| Owner::of_key(ctx, key)).transpose()
}

pub(crate) struct Create {
    pub owner: Owner,
    pub session: NewSession,
    pub ttl: TtlMillis,
    pub operation: Option<OperationId>,
}

impl Create {
    pub fn new(
        store: &StoreOptions,
        ctx: &TenantCtx,
        data: SessionData,
        options: CreateOptions,
    ) -> SessionResult<Self> {
        let key = options.key.unwrap_or_else(random_session_key);
        check_key(&key)?;
        let owner = Owner::of_create(ctx, &data, &key)?;
        payload::check(&data, store.max_payload_bytes)?;
        Ok(Self {
            owner,
            session: NewSession::new(key, data),
            ttl: NextTtl::new(options.ttl, store.default_ttl).over(None),
            operation: options.operation,
        })
    }
}

pub(crate) struct Update {
    pub fence: Option<Owner>,
    pub session: NewSession,
    pub if_revision: Option<u64>,
    pub claim: Option<TokenSecret>,
    pub operation: Option<OperationId>,
}

impl Update {
    pub fn new(
        store: &StoreOptions,
        ctx: Option<&TenantCtx>,
        key: &SessionKey,
        data: SessionData,
        options: &UpdateOptions,
    ) -> SessionResult<Self> {
        check_key(key)?;
        let fence = fence(ctx, key)?;
        Identity::of(&data.tenant_ctx)?;
        payload::check(&data, store.max_payload_bytes)?;
        if options
            .claim
            .as_ref()
            .is_some_and(|token| token.key != *key)
        {
            return Err(invalid_input("the claim token is for another session"));
        }
        Ok(Self {
            fence,
            session: NewSession::new(key.clone(), data),
            if_revision: options.if_revision,
            claim: options.claim.as_ref().map(|token| token.secret),
            operation: options.operation,
        })
    }
}

pub(crate) struct Remove {
    pub fence: Option<Owner>,
    pub key: SessionKey,
    pub if_revision: Option<u64>,
}

impl Remove {
    pub fn new(
        ctx: Option<&TenantCtx>,
        key: &SessionKey,
        options: RemoveOptions,
    ) -> SessionResult<Self> {
        check_key(key)?;
        Ok(Self {
            fence: fence(ctx, key)?,
            key: key.clone(),
            if_revision: options.if_revision,
        })
    }
}

pub(crate) struct Park {
    pub owner: Owner,
    pub scope: ScopeDigest,
    /// The hash under which greentic-session 1.2 stored the scope.
    #[cfg(feature = "redis")]
    pub legacy_scope: ScopeDigest,
    pub session: NewSession,
    pub ttl: NextTtl,
    /// Before the deadline, if the TTL is given.
    pub timeout: Option<NextTimeout>,
    pub if_absent: bool,
    pub operation: Option<OperationId>,
    /// How many waits the owner may have; 0 for any number.
    pub max_waits: usize,
}

impl Park {
    pub fn new(
        store: &StoreOptions,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        options: &ParkOptions,
    ) -> SessionResult<Self> {
        check_key(key)?;
        let owner = Owner::of_wait(ctx, user, &data)?;
        let digests = ScopeDigests::of(scope)?;
        payload::check(&data, store.max_payload_bytes)?;
        let ttl = NextTtl::new(options.ttl, store.default_ttl);
        Ok(Self {
            owner,
            scope: digests.ours,
            #[cfg(feature = "redis")]
            legacy_scope: digests.legacy,
            session: NewSession::new(key.clone(), data),
            timeout: timeouts::next(options.timeout, ttl)?,
            ttl,
            if_absent: options.if_absent,
            operation: options.operation,
            max_waits: store.max_waits,
        })
    }
}

pub(crate) struct Clear {
    pub owner: Owner,
    pub scope: ScopeDigest,
    /// The hash under which greentic-session 1.2 stored the scope.
    #[cfg(feature = "redis")]
    pub legacy_scope: ScopeDigest,
}

impl Clear {
    pub fn new(ctx: &TenantCtx, user: &UserId, scope: &ReplyScope) -> SessionResult<Self> {
        let owner = Owner::of_caller(ctx, user)?;
        let digests = ScopeDigests::of(scope)?;
        Ok(Self {
            owner,
            scope: digests.ours,
            #[cfg(feature = "redis")]
            legacy_scope: digests.legacy,
        })
    }
}

/// The most scopes of one claim.
const MAX_SCOPES: usize = 4;

/// Checks the scopes on which a message is tried.
fn checked_scopes(scopes: &[ReplyScope]) -> SessionResult<Vec<ScopeDigests>> {
    if scopes.is_empty() || scopes.len() > MAX_SCOPES {
        return Err(invalid_input(format!(
            "{} scopes are given; a message can be tried on 1 to {MAX_SCOPES}",
            scopes.len()
        )));
    }
    scopes.iter().map(ScopeDigests::of).collect()
}

#[derive(Clone)]
pub(crate) struct Claim {
    pub owner: Owner,
    /// In the order in which they are tried; at least one.
    pub scopes: Vec<ScopeDigests>,
    pub message: MessageDigest,
    /// Drawn before the call, so that a repeat of the call finds its own claim (C14).
    pub secret: TokenSecret,
    pub lease_millis: u64,
    /// Who holds the claim of a wait.
    pub holder: Option<Holder>,
    /// None: no flow is started.
    pub start: Option<Start>,
}

/// What a claim does where no session waits.
#[derive(Clone)]
pub(crate) struct Start {
    /// The last scope of the claim.
    pub scope: ScopeDigests,
    /// The key of the session to be. Drawn before the call too, unless the caller gave it.
    pub key: SessionKey,
    #[cfg(feature = "redis")]
    pub is_given: bool,
    /// How many waits the owner may have; 0 for any number.
    pub max_waits: usize,
}

impl Claim {
    pub fn new(
        store: &StoreOptions,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
        options: ClaimOptions,
    ) -> SessionResult<Self> {
        let owner = Owner::of_caller(ctx, user)?;
        let scopes = checked_scopes(scopes)?;
        let secret = TokenSecret::random();
        let start = match (options.start, scopes.last()) {
            (Some(start), Some(scope)) => Some(Start::new(store, *scope, start, secret)?),
            _ => None,
        };
        Ok(Self {
            owner,
            scopes,
            message: message.digest()?,
            secret,
            lease_millis: lease_millis(options.lease)?,
            holder: options.holder.map(Holder::checked).transpose()?,
            start,
        })
    }
}

impl Start {
    fn new(
        store: &StoreOptions,
        scope: ScopeDigests,
        options: StartOptions,
        secret: TokenSecret,
    ) -> SessionResult<Self> {
        #[cfg(feature = "redis")]
        let is_given = options.key.is_some();
        let key = options.key.unwrap_or_else(|| secret.session_key());
        check_key(&key)?;
        Ok(Self {
            scope,
            key,
            #[cfg(feature = "redis")]
            is_given,
            max_waits: store.max_waits,
        })
    }
}

pub(crate) struct Renew {
    pub token: ClaimToken,
    pub lease_millis: u64,
}

impl Renew {
    pub fn new(token: &ClaimToken, lease: Duration) -> SessionResult<Self> {
        Ok(Self {
            token: token.clone(),
            lease_millis: lease_millis(lease)?,
        })
    }
}

/// The checked form of [`claim::Commit`].
pub(crate) struct Commit {
    pub token: ClaimToken,
    pub next: Next,
    /// What a redelivery of the message gets.
    pub reply: Option<Reply>,
    pub hand_over: HandOver,
}

pub(crate) enum Next {
    Park {
        /// None is the scope where the session waits, or where the start began.
        scope: Option<ScopeDigests>,
        session: NewSession,
        ttl: NextTtl,
        /// Before the deadline, if the TTL is given.
        timeout: Option<NextTimeout>,
    },
    Finish,
}

impl Next {
    /// The timeout of the wait, if there is one.
    #[cfg(feature = "redis")]
    pub const fn timeout(&self) -> Option<NextTimeout> {
        match self {
            Self::Park { timeout, .. } => *timeout,
            Self::Finish => None,
        }
    }
}

impl Commit {
    pub fn new(
        store: &StoreOptions,
        token: &ClaimToken,
        commit: claim::Commit,
        options: CommitOptions,
    ) -> SessionResult<Self> {
        let hand_over = HandOver::new(token.secret, &options)?;
        let reply = options.reply.map(Reply::checked).transpose()?;
        let next = match commit {
            claim::Commit::Finish => Next::Finish,
            claim::Commit::Park(next) => {
                let identity = Identity::of(&next.data.tenant_ctx)?;
                token.owner.require_unchanged(true, &identity)?;
                payload::check(&next.data, store.max_payload_bytes)?;
                let ttl = NextTtl::new(next.ttl, store.default_ttl);
                Next::Park {
                    scope: next.scope.as_ref().map(ScopeDigests::of).transpose()?,
                    timeout: timeouts::next(next.timeout, ttl)?,
                    ttl,
                    session: NewSession::new(token.key.clone(), next.data),
                }
            }
        };
        Ok(Self {
            token: token.clone(),
            next,
            reply,
            hand_over,
        })
    }
}
