//! A decorator that breaks one promise on purpose.

mod arguments;
mod fault;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use greentic_session::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ImportMode, ImportOutcome, OwnerSelection,
    RevokeOutcome, ScanCursor, ScanFilter, ScanPage, VerifyMode, VerifyPage,
};
use greentic_session::clock::{ManualClock, Timestamp};
use greentic_session::conformance::{Need, Subject, Time};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    AsyncSessionStore, ClaimOptions, ClaimOutcome, ClaimToken, ClearOutcome, Commit, CommitOptions,
    Committed, CreateOptions, CreateOutcome, DueOptions, DuePage, FindByUser, Health, MessageId,
    ParkOptions, ParkOutcome, RemoveOptions, ReplyScope, Session, SessionData, SessionKey,
    SessionResult, StoreOptions, Timeout, Ttl, Turn, UpdateOptions,
};
use greentic_types::{TenantCtx, UserId};

use arguments::user_of;
pub use fault::Fault;

/// A memory store behind a decorator with this fault.
pub fn subject(fault: Fault) -> Subject {
    with_options(fault, StoreOptions::new())
}

fn with_options(fault: Fault, mut options: StoreOptions) -> Subject {
    if fault == Fault::SeesCreatedAlways {
        options.find_by_user = FindByUser::WaitsAndCreated;
    }
    let clock = Arc::new(ManualClock::default());
    let inner = Arc::new(InMemorySessionStore::with_clock(
        options,
        Arc::clone(&clock),
    ));
    let counted = Arc::clone(&inner);
    let faulty = Faulty {
        inner,
        fault,
        seen: Mutex::default(),
    };
    Subject::async_api(Arc::new(faulty))
        .time(Time::Manual(clock))
        .with_options(move |options| with_options(fault, options))
        .with_leftovers(move || {
            let _swept = counted.sweep();
            let (sessions, owners) = counted.held();
            sessions + owners
        })
        .without(Need::FencedForms, "it has the bare forms only")
        .without(Need::Inbox, "it keeps no queues")
        .without(Need::Reopen, "the memory ends with the process")
}

struct Faulty {
    inner: Arc<InMemorySessionStore>,
    fault: Fault,
    seen: Mutex<Seen>,
}

/// The state of a fault.
#[derive(Default)]
struct Seen {
    listed: HashMap<String, Vec<SessionKey>>,
    routed: HashMap<(String, ReplyScope), SessionKey>,
    claims: HashMap<ReplyScope, Turn>,
    messages: u64,
}

#[async_trait]
impl AsyncSessionStore for Faulty {
    async fn create(
        &self,
        ctx: &TenantCtx,
        data: SessionData,
        mut options: CreateOptions,
    ) -> SessionResult<CreateOutcome> {
        options.ttl = self.ttl(options.ttl);
        let user = user_of(&data);
        let created = self
            .inner()
            .create(&self.ctx(ctx), self.data(data), options)
            .await;
        let created = self.reported(created, &user)?;
        if self.has(Fault::LeavesSomethingBehind) {
            let context = TenantCtx::new(ctx.env.clone(), ctx.tenant.clone());
            let mut left = self.data(
                self.inner
                    .get(&key_of(&created))
                    .await?
                    .unwrap()
                    .data
                    .clone(),
            );
            left.tenant_ctx = context.clone();
            let _left = self
                .inner()
                .create(&context, left, CreateOptions::new())
                .await?;
        }
        Ok(created)
    }

    async fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        assert!(!self.has(Fault::Panics), "the store is broken");
        self.reported(self.inner().get(key).await, "")
    }

    async fn get_fenced(
        &self,
        ctx: &TenantCtx,
        key: &SessionKey,
    ) -> SessionResult<Option<Arc<Session>>> {
        if self.has(Fault::IgnoresTheFence) {
            return self.inner().get(key).await;
        }
        self.inner().get_fenced(&self.ctx(ctx), key).await
    }

    async fn update(
        &self,
        key: &SessionKey,
        data: SessionData,
        mut options: UpdateOptions,
    ) -> SessionResult<u64> {
        if self.has(Fault::IgnoresRevisions) {
            options.if_revision = None;
        }
        let user = user_of(&data);
        let data = self.data(data);
        let updated = self.inner().update(key, data.clone(), options).await;
        let updated = self.reported(updated, &user)?;
        if self.has(Fault::UpdateDropsTheDeadline) {
            self.inner().remove(key, RemoveOptions::new()).await?;
            let again = CreateOptions::new().key(key.clone());
            let _created = self
                .inner()
                .create(&data.tenant_ctx.clone(), data, again)
                .await?;
        }
        Ok(updated)
    }

    async fn remove(&self, key: &SessionKey, mut options: RemoveOptions) -> SessionResult<()> {
        if self.has(Fault::IgnoresRevisions) {
            options.if_revision = None;
        }
        self.reported(self.inner().remove(key, options).await, "")
    }

    async fn park(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
        key: &SessionKey,
        data: SessionData,
        mut options: ParkOptions,
    ) -> SessionResult<ParkOutcome> {
        options.ttl = self.ttl(options.ttl);
        options.timeout = self.timeout(options.timeout);
        options.if_absent &= !self.has(Fault::IgnoresIfAbsent);
        let (place, routed) = (self.ctx(ctx), self.scope(scope));
        let parked = self
            .inner()
            .park(&place, user, &routed, key, self.data(data), options);
        let parked = self.reported(parked.await, user.as_str())?;
        let mut seen = self.seen.lock().unwrap();
        let listed = seen
            .listed
            .entry(format!("{}{user}", ctx.tenant))
            .or_default();
        listed.push(key.clone());
        let route = (format!("{}{user}", ctx.tenant), routed);
        seen.routed.insert(route, key.clone());
        Ok(parked)
    }

    async fn find(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<Option<SessionKey>> {
        let scope = self.scope(scope);
        let found = self.inner().find(&self.ctx(ctx), user, &scope).await;
        let found = self.reported(found, user.as_str())?;
        if self.has(Fault::MoveKeepsTheOldRoute) {
            let seen = self.seen.lock().unwrap();
            let old = seen.routed.get(&(format!("{}{user}", ctx.tenant), scope));
            return Ok(found.or_else(|| old.cloned()));
        }
        Ok(found)
    }

    async fn waits(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Vec<SessionKey>> {
        let mut waits = self.inner().waits(&self.ctx(ctx), user).await?;
        match self.fault {
            Fault::ListsBackwards => waits.reverse(),
            Fault::RemoveKeepsTheList => {
                let seen = self.seen.lock().unwrap();
                let listed = seen.listed.get(&format!("{}{user}", ctx.tenant));
                return Ok(listed.cloned().unwrap_or_default());
            }
            _ => {}
        }
        Ok(waits)
    }

    async fn latest(&self, ctx: &TenantCtx, user: &UserId) -> SessionResult<Option<Arc<Session>>> {
        let latest = self.inner().latest(&self.ctx(ctx), user).await;
        self.reported(latest, user.as_str())
    }

    async fn clear(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scope: &ReplyScope,
    ) -> SessionResult<ClearOutcome> {
        let (ctx, scope) = (self.ctx(ctx), self.scope(scope));
        if self.has(Fault::ClearsNothing) {
            return Ok(ClearOutcome::NoWait);
        }
        let waiting = self.inner().find(&ctx, user, &scope).await?;
        if let Some(key) = waiting.filter(|_| self.has(Fault::ClearKeepsTheSession)) {
            return Ok(ClearOutcome::Cleared(key));
        }
        self.reported(self.inner().clear(&ctx, user, &scope).await, user.as_str())
    }

    async fn claim(
        &self,
        ctx: &TenantCtx,
        user: &UserId,
        scopes: &[ReplyScope],
        message: &MessageId,
        options: ClaimOptions,
    ) -> SessionResult<ClaimOutcome> {
        let mut message = *message;
        if self.has(Fault::ForgetsMessages) {
            let mut seen = self.seen.lock().unwrap();
            seen.messages += 1;
            message = MessageId::new(&format!("forgotten-{}", seen.messages));
        }
        let scopes: Vec<_> = scopes.iter().map(|scope| self.scope(scope)).collect();
        let hides = self.has(Fault::HidesStarts) && options.start.is_none();
        let claimed = self
            .inner()
            .claim(&self.ctx(ctx), user, &scopes, &message, options)
            .await?;
        let scope = scopes.into_iter().next().unwrap();
        let mut seen = self.seen.lock().unwrap();
        match (claimed, seen.claims.get(&scope)) {
            (ClaimOutcome::Busy { .. }, Some(old)) if self.has(Fault::GrantsEveryClaim) => {
                Ok(ClaimOutcome::Claimed(old.clone()))
            }
            (ClaimOutcome::Busy { .. }, Some(old)) if hides && old.session.is_none() => {
                Ok(ClaimOutcome::NoWait)
            }
            (ClaimOutcome::Claimed(claim), _) => {
                seen.claims.insert(scope, claim.clone());
                Ok(ClaimOutcome::Claimed(claim))
            }
            (other, _) => Ok(other),
        }
    }

    async fn renew(&self, token: &ClaimToken, lease: Duration) -> SessionResult<Timestamp> {
        self.inner().renew(token, lease).await
    }

    async fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        self.inner().release(token).await
    }

    async fn commit(
        &self,
        token: &ClaimToken,
        commit: Commit,
        options: CommitOptions,
    ) -> SessionResult<Committed> {
        let committed = self.inner().commit(token, commit, options).await;
        if self.has(Fault::StaleTokensCommit) {
            return Ok(Committed::new());
        }
        self.reported(committed, "zq-nobody")
    }

    async fn claim_due(&self, options: &DueOptions) -> SessionResult<DuePage> {
        if self.has(Fault::NothingIsDue) {
            return Ok(DuePage::new(Vec::new(), false, Duration::ZERO));
        }
        let page = self.inner().claim_due(options).await?;
        if self.has(Fault::ReleasesDueTurns) {
            for turn in &page.turns {
                self.inner().release(&turn.token).await?;
            }
        }
        Ok(page)
    }

    async fn set_timeout(
        &self,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Option<Timestamp>> {
        self.inner().set_timeout(key, self.timeout(timeout)).await
    }

    async fn health(&self) -> SessionResult<Health> {
        self.inner().health().await
    }

    async fn scan(
        &self,
        filter: &ScanFilter,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ScanPage> {
        let all = ScanFilter::new();
        let filter = match self.fault {
            Fault::ScanShowsOtherTenants => &all,
            _ => filter,
        };
        let mut page = self.inner().scan(filter, after, limit).await?;
        if self.has(Fault::ScanMissesSome) && page.next.is_some() {
            page.sessions.pop();
        }
        Ok(page)
    }

    async fn erase(
        &self,
        selection: &OwnerSelection,
        mode: EraseMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ErasePage> {
        let mode = match self.fault {
            Fault::EraseOnlyPretends => EraseMode::DryRun,
            _ => mode,
        };
        self.inner().erase(selection, mode, after, limit).await
    }

    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        if self.has(Fault::VerifyLooksAtNothing) {
            let mut page = self.inner().verify(mode, after, limit).await?;
            page.checked = 0;
            return Ok(page);
        }
        self.inner().verify(mode, after, limit).await
    }

    async fn extend(&self, key: &SessionKey, ttl: Ttl) -> SessionResult<Option<Timestamp>> {
        if self.has(Fault::ExtendDoesNothing) {
            let session = self.inner().get(key).await?;
            return Ok(session.and_then(|session| session.deadline));
        }
        self.inner().extend(key, ttl).await
    }

    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        if self.has(Fault::RevokeKeepsTheClaim) {
            return Ok(RevokeOutcome::NotClaimed);
        }
        self.inner().revoke(key).await
    }

    async fn export(&self, after: Option<&ScanCursor>, limit: usize) -> SessionResult<ExportPage> {
        self.inner().export(after, limit).await
    }

    async fn import(&self, record: ExportRecord, mode: ImportMode) -> SessionResult<ImportOutcome> {
        let record = match record {
            ExportRecord::Session(mut session) if self.has(Fault::ImportMixesTheOrder) => {
                if let Some(wait) = &mut session.wait {
                    wait.order = 0;
                }
                ExportRecord::Session(session)
            }
            ExportRecord::Messages(_) if self.has(Fault::ImportLosesMessages) => {
                return Ok(ImportOutcome::Imported);
            }
            record => record,
        };
        self.inner().import(record, mode).await
    }
}

fn key_of(created: &CreateOutcome) -> SessionKey {
    match created {
        CreateOutcome::Created(key) => key.clone(),
        other => panic!("the key is taken: {other:?}"),
    }
}
