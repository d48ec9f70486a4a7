//! The store: the operations of sessions and waits.

use std::fmt;
use std::sync::Arc;

use greentic_types::{SessionKey, UserId};

use super::config::RedisConfig;
use super::dispatch::Dispatcher;
use super::ownership::pointer::Reservation;
use super::ownership::sweep::Sweep;
use super::script::arguments;
use super::script::plain_read::PlainRead;
use super::script::reply::{Answer, outcome_unknown, revision_conflict};
use super::script::status::Status;
use super::script::wire::{FirstSent, OwnerCall, wait_limit};
use super::{claims, due, health};
use crate::backend::{Backend, Data, RefusedWaits};
use crate::claim::{ClaimOutcome, ClaimToken, Committed};
use crate::clock::Timestamp;
use crate::due::DuePage;
use crate::error::{SessionResult, not_found, too_many_waits};
use crate::observe::Watch;
use crate::options::{FindByUser, NextTtl, OperationId, StoreOptions};
use crate::owner::{Identity, Owner};
use crate::request;
use crate::rules::{self, WaitList};
use crate::scope::ScopeDigest;
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};

/// A store on Redis or Valkey, for any number of processes.
///
/// Most operations are one script on the server, which is atomic; a list of more than 100 waits and an
/// erasure are several. Deadlines follow the clock of the server. On one server and with sentinels a
/// script is one round trip, and expired data needs no background job. On a Cluster some operations
/// take two to four round trips, and a background task of the store removes what expired sessions and
/// crashed processes left; docs/topologies.md gives the numbers. docs/redis-layout.md describes the keys.
///
/// ```
/// use greentic_session::RedisSessionStore;
///
/// let store = RedisSessionStore::from_url("redis://localhost:6379/?namespace=my:app")?;
/// # let _ = store;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub struct RedisSessionStore {
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) config: RedisConfig,
    refused_waits: RefusedWaits,
}

impl RedisSessionStore {
    /// Creates a store; contacts no server before the first call.
    ///
    /// # Errors
    /// `InvalidInput` if the configuration is wrong.
    pub fn new(config: RedisConfig) -> SessionResult<Self> {
        let dispatcher = Arc::new(Dispatcher::new(&config)?);
        Ok(Self {
            dispatcher,
            config,
            refused_waits: RefusedWaits::default(),
        })
    }

    /// Creates a store from a URL; see [`RedisConfig::from_url`]. Contacts no server.
    ///
    /// # Errors
    /// `InvalidInput` if the URL is wrong. The message never repeats the user name or password.
    pub fn from_url(url: impl AsRef<str>) -> SessionResult<Self> {
        Self::new(RedisConfig::from_url(url.as_ref())?)
    }

    /// As [`RedisSessionStore::from_url`], with another namespace.
    ///
    /// # Errors
    /// `InvalidInput` if the URL or the namespace is wrong.
    pub fn from_url_with_namespace(
        url: impl AsRef<str>,
        namespace: impl Into<String>,
    ) -> SessionResult<Self> {
        Self::new(RedisConfig::from_url(url.as_ref())?.namespace(namespace))
    }

    /// Looks for the session of an owner: its only wait, the session that was created last, or both.
    async fn look_up(&self, owner: &Owner, sees: &str) -> SessionResult<Answer> {
        let keys = self.dispatcher.layout.keys(owner);
        let call = OwnerCall::new(&keys, keys.route(owner), arguments::Latest { owner, sees });
        self.dispatcher.answer(call).await
    }

    async fn opened(&self, answer: &mut Answer) -> SessionResult<Arc<Session>> {
        self.dispatcher.opened(&answer.stored()?).await
    }
}

/// Hides the user name and password (C18).
impl fmt::Debug for RedisSessionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSessionStore")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Backend for RedisSessionStore {
    const NAME: &'static str = "redis";

    fn watch(&self) -> &Watch {
        &self.config.watch
    }

    fn options(&self) -> &StoreOptions {
        &self.config.options
    }

    fn refused_waits(&self) -> &RefusedWaits {
        &self.refused_waits
    }

    async fn create(&self, request: request::Create) -> SessionResult<CreateOutcome> {
        let (owner, data) = (&request.owner, request.session.data());
        let flags = match (Identity::of(&data.tenant_ctx)?.user, owner.has_user()) {
            (Some(_), _) => "-uc",
            (None, true) => "-c",
            (None, false) => "-",
        };
        let (key, keys) = (request.session.key(), self.dispatcher.layout.keys(owner));
        let operation = request.operation.unwrap_or_else(OperationId::random);
        let payload = self.dispatcher.sealing.session(&request.session).await?;
        let call = |reservation: Option<Reservation>| {
            let arguments = arguments::Create {
                owner,
                key,
                flags,
                ttl: request.ttl,
                operation,
                payload: &payload,
                reservation: Reservation::argument(reservation),
            };
            OwnerCall::new(&keys, keys.session(key), arguments)
        };
        let answer = self
            .dispatcher
            .write_reserving_key(owner, key, NextTtl::Given(request.ttl), call)
            .await?;
        match answer.status {
            Status::Ok => Ok(CreateOutcome::Created(key.clone())),
            Status::Exists => Ok(CreateOutcome::Exists),
            _ => answer.unexpected(),
        }
    }

    async fn get(
        &self,
        key: &SessionKey,
        fence: Option<&Owner>,
    ) -> SessionResult<Option<Arc<Session>>> {
        let Some(location) = self.dispatcher.locate(key, fence).await? else {
            return Ok(None);
        };
        let name = location.keys.session(key);
        let call = OwnerCall::new(&location.keys, name, arguments::Read { key, fence })
            .plainly(PlainRead::new(&location.keys, key, fence));
        let mut answer = self.dispatcher.answer(call).await?;
        match answer.status {
            Status::Ok => self.opened(&mut answer).await.map(Some),
            Status::None => {
                self.dispatcher.layout.forget_at(&location, key, None);
                Ok(None)
            }
            _ => answer.unexpected(),
        }
    }

    async fn data(&self, key: &SessionKey) -> SessionResult<Option<Data>> {
        if self.dispatcher.sealing.is_on() {
            return Ok(self.get(key, None).await?.map(Data::Shared));
        }
        Ok(self
            .dispatcher
            .payload(key)
            .await?
            .map(Box::new)
            .map(Data::Own))
    }

    async fn update(&self, request: request::Update) -> SessionResult<u64> {
        let (key, data) = (request.session.key(), request.session.data());
        let identity = Identity::of(&data.tenant_ctx)?;
        let fence = request.fence.as_ref();
        let location = self.dispatcher.locate(key, fence).await?;
        let keys = location.ok_or_else(|| not_found(key))?.keys;
        let payload = self.dispatcher.sealing.session(&request.session).await?;
        let arguments = arguments::Update {
            key,
            fence,
            owner_prefix: identity.owner_prefix(),
            user: identity.user.map_or("", UserId::as_str),
            revision: request.if_revision,
            claim: request.claim,
            operation: request.operation.unwrap_or_else(OperationId::random),
            payload: &payload,
        };
        let call = OwnerCall::new(&keys, keys.session(key), arguments);
        let (mut answer, repeated) = self.dispatcher.run(call).await?;
        match answer.status {
            Status::Ok => answer.number(),
            Status::NotFound => Err(not_found(key)),
            Status::Owner => {
                let owner = Owner::from_encoded(&answer.text()?);
                let names_user = answer.number()? == 1;
                owner.require_unchanged(names_user, &identity)?;
                answer.unexpected()
            }
            Status::RevisionConflict if repeated => Err(outcome_unknown()),
            Status::RevisionConflict => {
                Err(revision_conflict(request.if_revision, answer.number()?))
            }
            _ => answer.unexpected(),
        }
    }

    async fn remove(&self, request: request::Remove) -> SessionResult<()> {
        let fence = request.fence.as_ref();
        let location = self.dispatcher.locate(&request.key, fence).await?;
        let location = location.ok_or_else(|| not_found(&request.key))?;
        let name = location.keys.session(&request.key);
        let arguments = arguments::Remove {
            key: &request.key,
            fence,
            revision: request.if_revision,
            first_sent: FirstSent,
        };
        let call = OwnerCall::new(&location.keys, name, arguments);
        let (mut answer, repeated) = self.dispatcher.run(call).await?;
        if matches!(answer.status, Status::Ok | Status::NotFound) {
            let stamp = answer.stamp();
            self.dispatcher
                .layout
                .forget_at(&location, &request.key, stamp);
        }
        match answer.status {
            Status::Ok => Ok(()),
            // An earlier attempt of this call removed it (C14).
            Status::NotFound if repeated => Ok(()),
            Status::NotFound => Err(not_found(&request.key)),
            Status::RevisionConflict if repeated => Err(outcome_unknown()),
            Status::Newer => Err(outcome_unknown()),
            Status::RevisionConflict => {
                Err(revision_conflict(request.if_revision, answer.number()?))
            }
            _ => answer.unexpected(),
        }
    }

    async fn park(&self, request: request::Park) -> SessionResult<ParkOutcome> {
        let owner = &request.owner;
        let (key, keys) = (request.session.key(), self.dispatcher.layout.keys(owner));
        let operation = request.operation.unwrap_or_else(OperationId::random);
        let payload = self.dispatcher.sealing.session(&request.session).await?;
        let call = |reservation: Option<Reservation>| {
            let arguments = arguments::Park {
                owner,
                key,
                scope: request.scope,
                legacy_scope: request.legacy_scope,
                ttl: request.ttl,
                timeout: request.timeout,
                operation,
                if_absent: request.if_absent,
                max_waits: wait_limit(request.max_waits),
                payload: &payload,
                reservation: Reservation::argument(reservation),
            };
            OwnerCall::new(&keys, keys.session(key), arguments)
        };
        let mut answer = self
            .dispatcher
            .write_reserving_key(owner, key, request.ttl, call)
            .await?;
        match answer.status {
            Status::Ok => {
                self.dispatcher.layout.expect(owner, request.timeout);
                Ok(ParkOutcome::Registered {
                    revision: answer.number()?,
                })
            }
            Status::Exists => answer.session_key().map(ParkOutcome::Exists),
            Status::Full => Err(too_many_waits(request.max_waits)),
            Status::LateTimeout => Err(answer.late_timeout(request.timeout)),
            _ => answer.unexpected(),
        }
    }

    async fn find(&self, owner: &Owner, scope: &ScopeDigest) -> SessionResult<Option<SessionKey>> {
        self.find_legacy(owner, scope, scope).await
    }

    async fn find_legacy(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
        legacy_scope: &ScopeDigest,
    ) -> SessionResult<Option<SessionKey>> {
        let keys = self.dispatcher.layout.keys(owner);
        let arguments = arguments::Find {
            owner,
            scope: *scope,
            legacy_scope: *legacy_scope,
        };
        let call = OwnerCall::new(&keys, keys.route(owner), arguments);
        let mut answer = self.dispatcher.answer(call).await?;
        match answer.status {
            Status::Ok => answer.session_key().map(Some),
            Status::None => Ok(None),
            _ => answer.unexpected(),
        }
    }

    async fn waits(&self, owner: &Owner) -> SessionResult<Vec<SessionKey>> {
        let keys = self.dispatcher.layout.keys(owner);
        let (mut waits, mut cursor) = (WaitList::default(), String::new());
        loop {
            let arguments = arguments::Waits {
                owner,
                cursor: &cursor,
            };
            let call = OwnerCall::new(&keys, keys.route(owner), arguments);
            let mut answer = self.dispatcher.answer(call).await?;
            match answer.status {
                Status::Ok => {
                    cursor = answer.text()?;
                    waits.add(answer.waits()?);
                    if cursor.is_empty() {
                        return Ok(waits.into_keys());
                    }
                }
                // Another server does not know the position: the list begins anew.
                Status::Again => (waits, cursor) = (WaitList::default(), String::new()),
                _ => return answer.unexpected(),
            }
        }
    }

    async fn latest(&self, owner: &Owner) -> SessionResult<Option<Arc<Session>>> {
        let sees_created = self.options().find_by_user == FindByUser::WaitsAndCreated;
        let sees = if sees_created { "both" } else { "waits" };
        let mut answer = self.look_up(owner, sees).await?;
        if answer.status == Status::Again {
            match self.waits(owner).await?.as_slice() {
                [] if sees_created => answer = self.look_up(owner, "created").await?,
                [] => return Ok(None),
                [only] => return self.get(only, None).await,
                _ => return Err(rules::multiple_waits()),
            }
        }
        match answer.status {
            Status::Ok => self.opened(&mut answer).await.map(Some),
            Status::None => Ok(None),
            _ => answer.unexpected(),
        }
    }

    /// A repeat that finds nothing says so: the wait is gone either way (C11, C14).
    async fn clear(&self, request: request::Clear) -> SessionResult<ClearOutcome> {
        let owner = &request.owner;
        let keys = self.dispatcher.layout.keys(owner);
        let arguments = arguments::Clear {
            owner,
            scope: request.scope,
            legacy_scope: request.legacy_scope,
            first_sent: FirstSent,
        };
        let call = OwnerCall::new(&keys, keys.route(owner), arguments);
        let mut answer = self.dispatcher.answer(call).await?;
        match answer.status {
            Status::Newer => Err(outcome_unknown()),
            Status::Ok => {
                let key = answer.session_key()?;
                self.dispatcher.layout.forget(owner, &key, answer.stamp());
                Ok(ClearOutcome::Cleared(key))
            }
            Status::NoWait => Ok(ClearOutcome::NoWait),
            _ => answer.unexpected(),
        }
    }

    async fn claim(&self, request: request::Claim) -> SessionResult<ClaimOutcome> {
        claims::claim(&self.dispatcher, request).await
    }

    async fn renew(&self, request: request::Renew) -> SessionResult<Timestamp> {
        claims::renew(&self.dispatcher, request).await
    }

    async fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        claims::release(&self.dispatcher, token).await
    }

    fn release_dropped(&self, token: &ClaimToken) {
        claims::release_dropped(&self.dispatcher, token.clone());
    }

    async fn commit(&self, request: request::Commit) -> SessionResult<Committed> {
        claims::commit(&self.dispatcher, self.options(), request).await?;
        Ok(Committed::new())
    }

    async fn claim_due(&self, request: request::ClaimDue) -> SessionResult<DuePage> {
        due::claim_due(&self.dispatcher, request).await
    }

    async fn set_timeout(&self, request: request::SetTimeout) -> SessionResult<Option<Timestamp>> {
        due::set_timeout(&self.dispatcher, request).await
    }

    async fn health(&self) -> SessionResult<Health> {
        let mut health = health::health(&self.dispatcher.client, &self.config).await?;
        let sweep = self.dispatcher.layout.sweep();
        health.warnings.extend(sweep.and_then(Sweep::warning));
        Ok(health)
    }
}
