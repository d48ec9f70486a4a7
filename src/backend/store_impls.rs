//! The implementations of both public APIs for every backend: they check a call and pass it on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use greentic_types::{ReplyScope, SessionData, SessionKey, TenantCtx, UserId};

use super::{Admin, Backend, Data, admin};
use crate::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ImportMode, ImportOutcome, OwnerSelection,
    RevokeOutcome, ScanCursor, ScanFilter, ScanPage, VerifyMode, VerifyPage, page_limit,
};
#[cfg(feature = "encryption")]
use crate::admin::{ResealMode, ResealPage};
use crate::async_store::AsyncSessionStore;
use crate::blocking::wait_for;
use crate::claim::{ClaimOutcome, ClaimToken, Commit, Committed};
use crate::clock::Timestamp;
use crate::due::{DueOptions, DuePage};
use crate::error::SessionResult;
use crate::ids::check_key;
use crate::inbox::{
    DeliverOptions, DeliverOutcome, Discard, MessageInfo, NextOptions, NextOutcome, Retry,
};
use crate::message::Message;
use crate::message_id::MessageId;
use crate::observe::{Fact, Outcome, Place, Verb};
use crate::options::{
    ClaimOptions, CommitOptions, CreateOptions, ParkOptions, RemoveOptions, Ttl, UpdateOptions,
};
use crate::owner::Owner;
use crate::reason::Reason;
use crate::request;
use crate::scope::ScopeDigests;
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};
use crate::store::SessionStore;
use crate::timeout::Timeout;

/// Makes a call, and tells the observer its end (C39).
macro_rules! told {
    ($store:ident, $verb:ident, $place:expr, $outcome:ident, async $call:block) => {
        told!(@ $store, $verb, $place, $outcome, async $call.await)
    };
    ($store:ident, $verb:ident, $place:expr, $outcome:ident, || $call:block) => {
        told!(@ $store, $verb, $place, $outcome, (|| $call)())
    };
    (@ $store:ident, $verb:ident, $place:expr, $outcome:ident, $call:expr) => {{
        let begun = $store.watch().begin();
        let result: SessionResult<_> = $call;
        let call = (B::NAME, Verb::$verb, $place);
        $store.watch().end(begun, call, &result, Outcome::$outcome);
        result
    }};
}

#[async_trait]
impl<B: Backend> AsyncSessionStore for B {
    async fn create(
        &self,
        ctx: &TenantCtx,
        data: SessionData,
        options: CreateOptions,
    ) -> SessionResult<CreateOutcome> {
        told!(self, Create, Place::of(ctx), of_create, async {
            let request = request::Create::new(self.options(), ctx, data, options)?;
            Backend::create(self, request).await
        })
    }

    async fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        told!(self, Get, Place::UNNAMED, found, async {
            check_key(key)?;
            Backend::get(self, key, None).await
        })
    }

    async fn get_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<Option<Arc<Session>>> {
        told!(self, Get, Place::of(ctx), found, async {
            check_key(key)?;
            let fence = request::fence(Some(ctx), key)?;
            Backend::get(self, key, fence.as_ref()).await
        })
    }

    async fn update(
        &self,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64> {
        told!(self, Update, Place::UNNAMED, ok, async {
            let request = request::Update::new(self.options(), None, key, data, &options)?;
            Backend::update(self, request).await
        })
    }

    async fn update_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        data: SessionData,
        options: UpdateOptions,
    ) -> SessionResult<u64> {
        told!(self, Update, Place::of(ctx), ok, async {
            let request = request::Update::new(self.options(), Some(ctx), key, data, &options)?;
            Backend::update(self, request).await
        })
    }

    async fn remove(&self, key: &SessionKey, options: RemoveOptions) -> SessionResult<()> {
        told!(self, Remove, Place::UNNAMED, ok, async {
            Backend::remove(self, request::Remove::new(None, key, options)?).await
        })
    }

    async fn remove_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        options: RemoveOptions,
    ) -> SessionResult<()> {
        told!(self, Remove, Place::of(ctx), ok, async {
            Backend::remove(self, request::Remove::new(Some(ctx), key, options)?).await
        })
    }

    async fn park(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        options: ParkOptions,
    ) -> SessionResult<ParkOutcome> {
        told!(self, Park, Place::of(ctx), of_park, async {
            let request =
                request::Park::new(self.options(), ctx, user, scope, key, data, &options)?;
            self.refused_waits()
                .count(Backend::park(self, request).await)
        })
    }

    async fn find(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        told!(self, Find, Place::of(ctx), found, async {
            let ScopeDigests { ours, legacy } = ScopeDigests::of(scope)?;
            match Owner::of_lookup(ctx, user)? {
                Some(owner) => Backend::find_legacy(self, &owner, &ours, &legacy).await,
                None => Ok(None),
            }
        })
    }

    async fn waits(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Vec<SessionKey>> {
        told!(self, Waits, Place::of(ctx), of_list, async {
            match Owner::of_lookup(ctx, user)? {
                Some(owner) => Backend::waits(self, &owner).await,
                None => Ok(Vec::new()),
            }
        })
    }

    async fn latest(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Option<Arc<Session>>> {
        told!(self, Latest, Place::of(ctx), found, async {
            match Owner::of_lookup(ctx, user)? {
                Some(owner) => Backend::latest(self, &owner).await,
                None => Ok(None),
            }
        })
    }

    async fn clear(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<ClearOutcome> {
        told!(self, Clear, Place::of(ctx), of_clear, async {
            Backend::clear(self, request::Clear::new(ctx, user, scope)?).await
        })
    }

    async fn claim(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
        options: ClaimOptions,
    ) -> SessionResult<ClaimOutcome> {
        told!(self, Claim, Place::of(ctx), of_claim, async {
            let request = request::Claim::new(self.options(), ctx, user, scopes, message, options)?;
            self.refused_waits()
                .count(Backend::claim(self, request).await)
        })
    }

    async fn renew(&self, token: &ClaimToken, lease: Duration) -> SessionResult<Timestamp> {
        told!(self, Renew, Place::UNNAMED, ok, async {
            Backend::renew(self, request::Renew::new(token, lease)?).await
        })
    }

    async fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        told!(self, Release, Place::UNNAMED, ok, async {
            Backend::release(self, token).await
        })
    }

    fn release_dropped(&self, token: &ClaimToken) {
        Backend::release_dropped(self, token);
        self.watch().fact(B::NAME, Fact::Interrupted, 1);
    }

    async fn commit(
        &self,
        token: &ClaimToken,
        commit: Commit,
        options: CommitOptions,
    ) -> SessionResult<Committed> {
        told!(self, Commit, Place::UNNAMED, ok, async {
            let request = request::Commit::new(self.options(), token, commit, options)?;
            Backend::commit(self, request).await
        })
    }

    async fn deliver(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: Message,
        options: DeliverOptions,
    ) -> SessionResult<DeliverOutcome> {
        told!(self, Deliver, Place::of(ctx), of_deliver, async {
            let store = self.options();
            let request = request::Deliver::new(store, ctx, user, scopes, message, options)?;
            self.refused_waits()
                .count(Backend::deliver(self, request).await)
        })
    }

    async fn next(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        options: NextOptions,
    ) -> SessionResult<NextOutcome> {
        told!(self, Next, Place::of(ctx), of_next, async {
            let request = request::NextTurn::new(ctx, user, scope, options)?;
            Backend::next(self, request).await
        })
    }

    async fn messages(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Vec<MessageInfo>> {
        told!(self, Messages, Place::of(ctx), of_list, async {
            let scope = ScopeDigests::of(scope)?.ours;
            match Owner::of_lookup(ctx, user)? {
                Some(owner) => Backend::messages(self, &owner, &scope).await,
                None => Ok(Vec::new()),
            }
        })
    }

    async fn discard(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Discard,
    ) -> SessionResult<u32> {
        told!(self, Discard, Place::of(ctx), ok, async {
            let request = request::OfQueue::discard(ctx, user, scope, which)?;
            Backend::discard(self, request).await
        })
    }

    async fn retry(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        which: Retry,
    ) -> SessionResult<u32> {
        told!(self, Retry, Place::of(ctx), ok, async {
            let request = request::OfQueue::retry(ctx, user, scope, which)?;
            Backend::retry(self, request).await
        })
    }

    async fn claim_due(&self, options: &DueOptions) -> SessionResult<DuePage> {
        told!(self, ClaimDue, Place::UNNAMED, of_due, async {
            let page = Backend::claim_due(self, request::ClaimDue::new(options)?).await?;
            let timeouts = page.turns.iter();
            let timeouts = timeouts.filter(|turn| turn.reason == Reason::Timeout);
            self.watch()
                .fact(B::NAME, Fact::TimeoutHandedOut, timeouts.count());
            Ok(page)
        })
    }

    async fn set_timeout(
        &self,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        told!(self, SetTimeout, Place::UNNAMED, ok, async {
            Backend::set_timeout(self, request::SetTimeout::new(None, key, timeout)?).await
        })
    }

    async fn set_timeout_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        told!(self, SetTimeout, Place::of(ctx), ok, async {
            Backend::set_timeout(self, request::SetTimeout::new(Some(ctx), key, timeout)?).await
        })
    }

    async fn health(&self) -> SessionResult<Health> {
        told!(self, Health, Place::UNNAMED, ok, async {
            let health = Backend::health(self).await?;
            Ok(self.refused_waits().report(health))
        })
    }

    async fn scan(
        &self,
        filter: &ScanFilter,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ScanPage> {
        told!(self, Scan, Place::UNNAMED, ok, async {
            filter.check()?;
            admin::scan(self, filter, after, page_limit(limit)).await
        })
    }

    async fn erase(
        &self,
        selection: &OwnerSelection,
        mode: EraseMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ErasePage> {
        told!(self, Erase, Place::UNNAMED, ok, async {
            selection.check()?;
            admin::erase(self, selection, mode, after, page_limit(limit)).await
        })
    }

    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        told!(self, Verify, Place::UNNAMED, ok, async {
            Admin::verify(self, mode, after, page_limit(limit)).await
        })
    }

    async fn extend(&self, key: &SessionKey, ttl: Ttl) -> SessionResult<Option<Timestamp>> {
        told!(self, Extend, Place::UNNAMED, ok, async {
            let request = request::Extend::new(self.options(), None, key, ttl)?;
            Admin::extend(self, request).await
        })
    }

    async fn extend_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
        ttl: Ttl,
    ) -> SessionResult<Option<Timestamp>> {
        told!(self, Extend, Place::of(ctx), ok, async {
            let request = request::Extend::new(self.options(), Some(ctx), key, ttl)?;
            Admin::extend(self, request).await
        })
    }

    #[cfg(feature = "encryption")]
    async fn reseal(
        &self,
        mode: ResealMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ResealPage> {
        told!(self, Reseal, Place::UNNAMED, ok, async {
            Admin::reseal(self, mode, after, page_limit(limit)).await
        })
    }

    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        told!(self, Revoke, Place::UNNAMED, of_revoke, async {
            Admin::revoke(self, request::Revoke::new(None, key)?).await
        })
    }

    async fn revoke_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<RevokeOutcome> {
        told!(self, Revoke, Place::of(ctx), of_revoke, async {
            Admin::revoke(self, request::Revoke::new(Some(ctx), key)?).await
        })
    }

    async fn export(&self, after: Option<&ScanCursor>, limit: usize) -> SessionResult<ExportPage> {
        told!(self, Export, Place::UNNAMED, ok, async {
            admin::export(self, after, page_limit(limit)).await
        })
    }

    async fn import(&self, record: ExportRecord, mode: ImportMode) -> SessionResult<ImportOutcome> {
        told!(self, Import, Place::UNNAMED, of_import, async {
            match record {
                ExportRecord::Session(session) => {
                    let request = request::Import::new(self.options(), *session, mode)?;
                    match mode {
                        ImportMode::DryRun => admin::import_dry_run(self, &request).await,
                        _ => Admin::import(self, request).await,
                    }
                }
                ExportRecord::Messages(messages) => {
                    let steps = request::ImportMessages::steps(self.options(), &messages)?;
                    for step in steps.into_iter().filter(|_| mode != ImportMode::DryRun) {
                        Admin::import_messages(self, step).await?;
                    }
                    Ok(ImportOutcome::Imported)
                }
            }
        })
    }
}

// Not through the async API, whose futures are boxed.
impl<B: Backend> SessionStore for B {
    fn create_session(&self, ctx: &TenantCtx, data: SessionData) -> SessionResult<SessionKey> {
        told!(self, Create, Place::of(ctx), ok, || {
            let request = request::Create::new(self.options(), ctx, data, CreateOptions::new())?;
            wait_for(Backend::create(self, request))?.fresh()
        })
    }

    fn get_session(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        told!(self, Get, Place::UNNAMED, found, || {
            check_key(key)?;
            let found = wait_for(Backend::data(self, key))?;
            Ok(found.map(Data::into_owned))
        })
    }

    fn update_session(&self, key: &SessionKey, data: SessionData) -> SessionResult<()> {
        told!(self, Update, Place::UNNAMED, ok, || {
            let request =
                request::Update::new(self.options(), None, key, data, &UpdateOptions::new())?;
            wait_for(Backend::update(self, request)).map(|_revision| ())
        })
    }

    fn remove_session(&self, key: &SessionKey) -> SessionResult<()> {
        told!(self, Remove, Place::UNNAMED, ok, || {
            let request = request::Remove::new(None, key, RemoveOptions::new())?;
            wait_for(Backend::remove(self, request))
        })
    }

    fn register_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
        session_key: &SessionKey,
        data: SessionData,
        ttl: Option<Duration>,
    ) -> SessionResult<()> {
        told!(self, Park, Place::of(ctx), of_park, || {
            let options = ParkOptions::new().ttl(ttl);
            let request = request::Park::new(
                self.options(),
                ctx,
                user_id,
                scope,
                session_key,
                data,
                &options,
            )?;
            let parked = wait_for(Backend::park(self, request));
            self.refused_waits().count(parked)
        })
        .map(|_registered| ())
    }

    fn find_wait_by_scope(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        told!(self, Find, Place::of(ctx), found, || {
            let ScopeDigests { ours, legacy } = ScopeDigests::of(scope)?;
            match Owner::of_lookup(ctx, user_id)? {
                Some(owner) => wait_for(Backend::find_legacy(self, &owner, &ours, &legacy)),
                None => Ok(None),
            }
        })
    }

    fn list_waits_for_user(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
    ) -> SessionResult<Vec<SessionKey>> {
        told!(self, Waits, Place::of(ctx), of_list, || {
            match Owner::of_lookup(ctx, user_id)? {
                Some(owner) => wait_for(Backend::waits(self, &owner)),
                None => Ok(Vec::new()),
            }
        })
    }

    fn clear_wait(
        &self,
        ctx: &TenantCtx,
        user_id: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<()> {
        told!(self, Clear, Place::of(ctx), of_clear, || {
            let request = request::Clear::new(ctx, user_id, scope)?;
            wait_for(Backend::clear(self, request))
        })
        .map(|_outcome| ())
    }

    fn find_by_user(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
    ) -> SessionResult<Option<(SessionKey, SessionData)>> {
        told!(self, Latest, Place::of(ctx), found, || {
            let Some(owner) = Owner::of_lookup(ctx, user)? else {
                return Ok(None);
            };
            let session = wait_for(Backend::latest(self, &owner))?;
            Ok(session.map(|session| (session.key.clone(), Session::into_data(session))))
        })
    }
}
