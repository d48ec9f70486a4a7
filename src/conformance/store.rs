//! One set of calls on a store, for both APIs.

use std::sync::Arc;
use std::time::Duration;

use greentic_types::{ReplyScope, SessionData, SessionKey, TenantCtx, UserId};
use pollster::block_on;

use super::api::Api;
use super::subject::Subject;
use crate::Blocking;
use crate::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ImportMode, ImportOutcome, OwnerSelection,
    RevokeOutcome, ScanCursor, ScanFilter, ScanPage, Stats, VerifyMode, VerifyPage,
};
use crate::async_store::AsyncSessionStore;
use crate::claim::{ClaimOutcome, ClaimToken, Commit, Committed};
use crate::clock::Timestamp;
use crate::due::{DueOptions, DuePage};
use crate::error::{ErrorCode, GreenticError, SessionResult};
use crate::inbox::{
    DeliverOptions, DeliverOutcome, Discard, MessageInfo, NextOptions, NextOutcome, Retry,
};
use crate::message::Message;
use crate::message_id::MessageId;
use crate::options::{
    ClaimOptions, CommitOptions, CreateOptions, ParkOptions, RemoveOptions, Ttl, UpdateOptions,
};
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};
use crate::store::SessionStore;
use crate::timeout::Timeout;

pub(super) enum Store {
    NineMethods(Arc<dyn SessionStore>),
    Blocking(Arc<dyn SessionStore>, Blocking),
    Async(Arc<dyn AsyncSessionStore>),
}

// Calls an operation beyond the nine methods.
macro_rules! operation {
    ($store:expr, $operation:ident ( $($argument:expr),* )) => {
        match $store {
            Self::NineMethods(_) => Err(nine_methods_only()),
            Self::Blocking(_, blocking) => blocking.$operation($($argument),*),
            Self::Async(store) => block_on(store.$operation($($argument),*)),
        }
    };
}

// Calls one of the nine methods, or its counterpart in the async API.
macro_rules! nine_methods {
    ($store:expr, $method:ident ( $($argument:expr),* ), $async_store:ident => $call:expr) => {
        match $store {
            Self::NineMethods(store) | Self::Blocking(store, _) => store.$method($($argument),*),
            Self::Async($async_store) => $call,
        }
    };
}

impl Store {
    pub fn new(subject: &Subject, api: Api) -> Self {
        match (&subject.full, api) {
            (None, _) => Self::NineMethods(Arc::clone(&subject.blocking)),
            (Some(full), Api::Async) => Self::Async(Arc::clone(full)),
            (Some(full), Api::Blocking) => Self::Blocking(
                Arc::clone(&subject.blocking),
                Blocking::from(Arc::clone(full)),
            ),
        }
    }

    pub fn create(&self, ctx: &TenantCtx, data: SessionData) -> SessionResult<SessionKey> {
        nine_methods!(self, create_session(ctx, data), store => {
            match block_on(store.create(ctx, data, CreateOptions::new()))? {
                CreateOutcome::Created(key) => Ok(key),
                CreateOutcome::Exists => Err(GreenticError::new(
                    ErrorCode::Unknown,
                    "a fresh key is in use",
                )),
            }
        })
    }

    pub fn get(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        nine_methods!(self, get_session(key), store => {
            Ok(block_on(store.get(key))?.map(|session| session.data.clone()))
        })
    }

    pub fn update(&self, key: &SessionKey, data: SessionData) -> SessionResult<()> {
        nine_methods!(self, update_session(key, data), store => {
            block_on(store.update(key, data, UpdateOptions::new())).map(|_revision| ())
        })
    }

    pub fn remove(&self, key: &SessionKey) -> SessionResult<()> {
        nine_methods!(self, remove_session(key), store => {
            block_on(store.remove(key, RemoveOptions::new()))
        })
    }

    pub fn register(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        ttl: Option<Duration>,
    ) -> SessionResult<()> {
        nine_methods!(self, register_wait(ctx, user, scope, key, data, ttl), store => {
            let options = ParkOptions::new().ttl(ttl);
            block_on(store.park(ctx, user, scope, key, data, options)).map(|_outcome| ())
        })
    }

    pub fn find(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        nine_methods!(self, find_wait_by_scope(ctx, user, scope), store => {
            block_on(store.find(ctx, user, scope))
        })
    }

    pub fn list(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Vec<SessionKey>> {
        nine_methods!(self, list_waits_for_user(ctx, user), store => {
            block_on(store.waits(ctx, user))
        })
    }

    pub fn clear(&self, ctx: &TenantCtx, user: &UserId, scope: &ReplyScope) -> SessionResult<()> {
        nine_methods!(self, clear_wait(ctx, user, scope), store => {
            block_on(store.clear(ctx, user, scope)).map(|_outcome| ())
        })
    }

    #[allow(deprecated, reason = "it is still part of the contract")]
    pub fn find_by_user(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
    ) -> SessionResult<Option<(SessionKey, SessionData)>> {
        nine_methods!(self, find_by_user(ctx, user), store => {
            let found = block_on(store.latest(ctx, user))?;
            Ok(found.map(|session| (session.key.clone(), session.data.clone())))
        })
    }

    pub fn create_with(
        &self,
        ctx: &TenantCtx,
        data: SessionData,
        options: CreateOptions,
    ) -> SessionResult<CreateOutcome> {
        operation!(self, create(ctx, data, options))
    }

    pub fn session(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        operation!(self, get(key))
    }

    pub fn get_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<Option<Arc<Session>>> {
        operation!(self, get_fenced(ctx, key))
    }

    pub fn update_with(
        &self,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64> {
        operation!(self, update(key, data, options))
    }

    pub fn update_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64> {
        operation!(self, update_fenced(ctx, key, data, options))
    }

    pub fn remove_with(&self, key: &SessionKey, options: RemoveOptions) -> SessionResult<()> {
        operation!(self, remove(key, options))
    }

    pub fn remove_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        options: RemoveOptions,
    ) -> SessionResult<()> {
        operation!(self, remove_fenced(ctx, key, options))
    }

    pub fn park(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        options: ParkOptions,
    ) -> SessionResult<ParkOutcome> {
        operation!(self, park(ctx, user, scope, key, data, options))
    }

    pub fn latest(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Option<Arc<Session>>> {
        operation!(self, latest(ctx, user))
    }

    pub fn clear_named(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<ClearOutcome> {
        operation!(self, clear(ctx, user, scope))
    }

    pub fn claim(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
        options: ClaimOptions,
    ) -> SessionResult<ClaimOutcome> {
        operation!(self, claim(ctx, user, scopes, message, options))
    }

    pub fn renew(&self, token: &ClaimToken, lease: Duration) -> SessionResult<Timestamp> {
        operation!(self, renew(token, lease))
    }

    pub fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        operation!(self, release(token))
    }

    pub fn commit(&self, token: &ClaimToken, commit: Commit) -> SessionResult<()> {
        self.commit_with(token, commit, CommitOptions::new())
    }

    pub fn commit_with(
        &self,
        token: &ClaimToken,
        commit: Commit,
        options: CommitOptions,
    ) -> SessionResult<()> {
        operation!(self, commit(token, commit, options)).map(|_committed| ())
    }

    pub fn commit_then(
        &self,
        token: &ClaimToken,
        commit: Commit,
        options: CommitOptions,
    ) -> SessionResult<Committed> {
        operation!(self, commit(token, commit, options))
    }

    pub fn deliver(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: Message,
        options: DeliverOptions,
    ) -> SessionResult<DeliverOutcome> {
        operation!(self, deliver(ctx, user, scopes, message, options))
    }

    pub fn next(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        options: NextOptions,
    ) -> SessionResult<NextOutcome> {
        operation!(self, next(ctx, user, scope, options))
    }

    pub fn messages(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Vec<MessageInfo>> {
        operation!(self, messages(ctx, user, scope))
    }

    pub fn discard(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Discard,
    ) -> SessionResult<u32> {
        operation!(self, discard(ctx, user, scope, which))
    }

    pub fn retry(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Retry,
    ) -> SessionResult<u32> {
        operation!(self, retry(ctx, user, scope, which))
    }

    pub fn claim_due(&self, options: &DueOptions) -> SessionResult<DuePage> {
        operation!(self, claim_due(options))
    }

    pub fn set_timeout(
        &self,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        operation!(self, set_timeout(key, timeout))
    }

    pub fn set_timeout_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        operation!(self, set_timeout_fenced(ctx, key, timeout))
    }

    pub fn scan(
        &self,
        filter: &ScanFilter,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ScanPage> {
        operation!(self, scan(filter, after, limit))
    }

    pub fn stats(&self, filter: &ScanFilter) -> SessionResult<Stats> {
        operation!(self, stats(filter))
    }

    pub fn erase(
        &self,
        selection: &OwnerSelection,
        mode: EraseMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ErasePage> {
        operation!(self, erase(selection, mode, after, limit))
    }

    pub fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        operation!(self, verify(mode, after, limit))
    }

    pub fn extend(&self, key: &SessionKey, ttl: Ttl) -> SessionResult<Option<Timestamp>> {
        operation!(self, extend(key, ttl))
    }

    pub fn extend_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        ttl: Ttl,
    ) -> SessionResult<Option<Timestamp>> {
        operation!(self, extend_fenced(ctx, key, ttl))
    }

    pub fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        operation!(self, revoke(key))
    }

    pub fn revoke_fenced(&self, ctx: &TenantCtx, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        operation!(self, revoke_fenced(ctx, key))
    }

    pub fn export(&self, after: Option<&ScanCursor>, limit: usize) -> SessionResult<ExportPage> {
        operation!(self, export(after, limit))
    }

    pub fn import(&self, record: ExportRecord, mode: ImportMode) -> SessionResult<ImportOutcome> {
        operation!(self, import(record, mode))
    }

    pub fn health(&self) -> SessionResult<Health> {
        operation!(self, health())
    }
}

fn nine_methods_only() -> GreenticError {
    GreenticError::new(ErrorCode::Unknown, "the subject has the nine methods only")
}
