//! The store: the operations of sessions and waits.

use std::fmt;
use std::sync::Arc;

use greentic_types::{SessionKey, UserId};

use super::config::RedisConfig;
use super::executor::Executor;
use super::ownership::pointer::Reservation;
use super::ownership::sweep::Sweep;
use super::script::args::{Args, named, shown};
use super::script::registry;
use super::script::reply::{moved, overtaken};
use super::{claims, health};
use crate::backend::{Backend, Data, Owned};
use crate::claim::{ClaimOutcome, ClaimToken};
use crate::clock::Timestamp;
use crate::error::{SessionResult, not_found};
use crate::options::{FindByUser, StoreOptions};
use crate::owner::{Identity, Owner};
use crate::payload;
use crate::request;
use crate::scope::ScopeDigest;
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};

/// A store on Redis or Valkey, for any number of processes.
///
/// Every operation is one script on the server, and atomic. Deadlines follow the clock of the server.
/// On one server and with sentinels an operation is one round trip, and expired data needs no
/// background job. On a Cluster some operations take two or three round trips, and a background task
/// of the store removes what crashed processes left; docs/topologies.md gives the numbers.
/// docs/redis-layout.md describes the keys.
///
/// ```
/// use greentic_session::RedisSessionStore;
///
/// let store = RedisSessionStore::from_url("redis://localhost:6379/?namespace=my:app")?;
/// # let _ = store;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub struct RedisSessionStore {
    pub(crate) executor: Executor,
    pub(crate) config: RedisConfig,
}

impl RedisSessionStore {
    /// Creates a store; contacts no server before the first call.
    ///
    /// # Errors
    /// `InvalidInput` if the configuration is wrong.
    pub fn new(config: RedisConfig) -> SessionResult<Self> {
        let executor = Executor::new(&config)?;
        Ok(Self { executor, config })
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
    fn options(&self) -> &StoreOptions {
        &self.config.options
    }

    async fn create(&self, request: request::Create) -> SessionResult<CreateOutcome> {
        let (owner, data) = (&request.owner, request.session.data());
        let flags = match (Identity::of(&data.tenant_ctx)?.user, owner.has_user()) {
            (Some(_), _) => "-uc",
            (None, true) => "-c",
            (None, false) => "-",
        };
        let (key, keys) = (request.session.key(), self.executor.layout.keys(owner));
        let (operation, data) = (named(request.operation), payload::encode(data)?);
        let args = |reservation: Option<Reservation>| {
            Args::writing(&keys, &registry::CREATE, keys.session(key))
                .text(owner.as_str())
                .text(key.as_str())
                .text(flags)
                .number(request.ttl.0)
                .text(&operation)
                .bytes(&data)
                .owned(Reservation::argument(reservation))
        };
        let answer = self
            .executor
            .write_reserving_key(owner, key, request.ttl, args)
            .await?;
        match answer.status.as_str() {
            "OK" => Ok(CreateOutcome::Created(key.clone())),
            "EXISTS" => Ok(CreateOutcome::Exists),
            _ => answer.unexpected(),
        }
    }

    async fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        let found = self.get_owned(key).await?;
        Ok(found.map(|found| found.session))
    }

    async fn data(&self, key: &SessionKey) -> SessionResult<Option<Data>> {
        Ok(self
            .executor
            .payload(key)
            .await?
            .map(Box::new)
            .map(Data::Own))
    }

    async fn get_owned(&self, key: &SessionKey) -> SessionResult<Option<Owned>> {
        let Some(location) = self.executor.locate(key).await? else {
            return Ok(None);
        };
        let name = location.keys.session(key);
        let args = Args::reading(&location.keys, &registry::READ, name).text(key.as_str());
        let mut answer = self.executor.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {
                let (session, record) = answer.session()?;
                let owner = record.owner;
                Ok(Some(Owned { owner, session }))
            }
            "NONE" => {
                self.executor.layout.forget_at(&location, key, None);
                Ok(None)
            }
            _ => answer.unexpected(),
        }
    }

    async fn update(&self, request: request::Update) -> SessionResult<u64> {
        let (key, data) = (request.session.key(), request.session.data());
        let identity = Identity::of(&data.tenant_ctx)?;
        let location = self.executor.locate(key).await?;
        let keys = location.ok_or_else(|| not_found(key))?.keys;
        let args = Args::writing(&keys, &registry::UPDATE, keys.session(key))
            .text(key.as_str())
            .owned(identity.owner_prefix())
            .text(identity.user.map_or("", UserId::as_str))
            .number(request.if_revision)
            .owned(request.claim.map(shown).unwrap_or_default())
            .owned(named(request.operation))
            .owned(payload::encode(data)?);
        let (mut answer, repeated) = self.executor.run(args).await?;
        match answer.status.as_str() {
            "OK" => answer.number(),
            "NOT_FOUND" => Err(not_found(key)),
            "OWNER" => {
                let owner = Owner::from_encoded(&answer.text()?);
                let names_user = answer.number()? == 1;
                owner.require_unchanged(names_user, &identity)?;
                answer.unexpected()
            }
            "REVISION_CONFLICT" if repeated => Err(overtaken()),
            "REVISION_CONFLICT" => Err(moved(request.if_revision, answer.number()?)),
            _ => answer.unexpected(),
        }
    }

    async fn remove(&self, request: request::Remove) -> SessionResult<()> {
        let location = self.executor.locate(&request.key).await?;
        let location = location.ok_or_else(|| not_found(&request.key))?;
        let name = location.keys.session(&request.key);
        let args = Args::writing(&location.keys, &registry::REMOVE, name)
            .text(request.key.as_str())
            .number(request.if_revision);
        let (mut answer, repeated) = self.executor.run(args).await?;
        if matches!(answer.status.as_str(), "OK" | "NOT_FOUND") {
            let stamp = answer.stamp();
            self.executor
                .layout
                .forget_at(&location, &request.key, stamp);
        }
        match answer.status.as_str() {
            "OK" => Ok(()),
            // An earlier attempt of this call removed it (C14).
            "NOT_FOUND" if repeated => Ok(()),
            "NOT_FOUND" => Err(not_found(&request.key)),
            "REVISION_CONFLICT" => Err(moved(request.if_revision, answer.number()?)),
            _ => answer.unexpected(),
        }
    }

    async fn park(&self, request: request::Park) -> SessionResult<ParkOutcome> {
        let (owner, data) = (&request.owner, request.session.data());
        let (key, keys) = (request.session.key(), self.executor.layout.keys(owner));
        let (operation, data) = (named(request.operation), payload::encode(data)?);
        let args = |reservation: Option<Reservation>| {
            Args::writing(&keys, &registry::PARK, keys.session(key))
                .text(owner.as_str())
                .text(key.as_str())
                .owned(request.scope.to_string())
                .owned(request.legacy_scope.to_string())
                .number(request.ttl.0)
                .text(&operation)
                .text(if request.if_absent { "1" } else { "0" })
                .bytes(&data)
                .owned(Reservation::argument(reservation))
        };
        let mut answer = self
            .executor
            .write_reserving_key(owner, key, request.ttl, args)
            .await?;
        match answer.status.as_str() {
            "OK" => Ok(ParkOutcome::Registered {
                revision: answer.number()?,
            }),
            "EXISTS" => answer.session_key().map(ParkOutcome::Exists),
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
        let keys = self.executor.layout.keys(owner);
        let args = Args::reading(&keys, &registry::FIND, keys.route(owner))
            .text(owner.as_str())
            .owned(scope.to_string())
            .owned(legacy_scope.to_string());
        let mut answer = self.executor.answer(args).await?;
        match answer.status.as_str() {
            "OK" => answer.session_key().map(Some),
            "NONE" => Ok(None),
            _ => answer.unexpected(),
        }
    }

    async fn waits(&self, owner: &Owner) -> SessionResult<Vec<SessionKey>> {
        let keys = self.executor.layout.keys(owner);
        let args = Args::reading(&keys, &registry::WAITS, keys.route(owner)).text(owner.as_str());
        let mut answer = self.executor.answer(args).await?;
        match answer.status.as_str() {
            "OK" => answer.session_keys(),
            _ => answer.unexpected(),
        }
    }

    async fn latest(&self, owner: &Owner) -> SessionResult<Option<Arc<Session>>> {
        let keys = self.executor.layout.keys(owner);
        let sees = match self.options().find_by_user {
            FindByUser::WaitsAndCreated => "created",
            FindByUser::WaitsOnly => "waits",
        };
        let args = Args::reading(&keys, &registry::LATEST, keys.route(owner))
            .text(owner.as_str())
            .text(sees);
        let mut answer = self.executor.answer(args).await?;
        match answer.status.as_str() {
            "OK" => answer.session().map(|(session, _)| Some(session)),
            "NONE" => Ok(None),
            _ => answer.unexpected(),
        }
    }

    /// A repeat that finds nothing says so: the wait is gone either way (C11, C14).
    async fn clear(&self, request: request::Clear) -> SessionResult<ClearOutcome> {
        let keys = self.executor.layout.keys(&request.owner);
        let args = Args::writing(&keys, &registry::CLEAR, keys.route(&request.owner))
            .text(request.owner.as_str())
            .owned(request.scope.to_string())
            .owned(request.legacy_scope.to_string());
        let mut answer = self.executor.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {
                let key = answer.session_key()?;
                self.executor
                    .layout
                    .forget(&request.owner, &key, answer.stamp());
                Ok(ClearOutcome::Cleared(key))
            }
            "NO_WAIT" => Ok(ClearOutcome::NoWait),
            _ => answer.unexpected(),
        }
    }

    async fn claim(&self, request: request::Claim) -> SessionResult<ClaimOutcome> {
        claims::claim(&self.executor, request).await
    }

    async fn renew(&self, request: request::Renew) -> SessionResult<Timestamp> {
        claims::renew(&self.executor, request).await
    }

    async fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        claims::release(&self.executor, token).await
    }

    async fn commit(&self, request: request::Commit) -> SessionResult<()> {
        claims::commit(&self.executor, self.options(), request).await
    }

    async fn health(&self) -> SessionResult<Health> {
        let mut health = health::health(&self.executor.client).await?;
        let sweep = self.executor.layout.sweep();
        health.warnings.extend(sweep.and_then(Sweep::warning));
        Ok(health)
    }
}
