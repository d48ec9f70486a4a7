//! The store itself: which script each operation runs, and with what.

use std::fmt;
use std::sync::Arc;

use greentic_types::{ErrorCode, SessionData, SessionKey, UserId};
use redis::Value;

use super::args::{Args, named, shown};
use super::config::RedisConfig;
use super::connection::Connections;
use super::keys::Keys;
use super::reply::{Answer, moved, overtaken, unexpected};
use super::script::Script;
use super::{health, scripts};
use crate::backend::{Backend, Owned};
use crate::claim::{Claim, ClaimOutcome, ClaimToken};
use crate::clock::{Timestamp, whole_millis};
use crate::error::{SessionResult, not_found};
use crate::options::StoreOptions;
use crate::owner::{Identity, Owner};
use crate::payload;
use crate::request::{self, Next};
use crate::scope::ScopeDigest;
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};

/// The longest message window in milliseconds; more would not fit the server's instants.
pub(super) const LONGEST_WINDOW: u64 = 1 << 52;

/// Keeps sessions on a Redis or Valkey server, for any number of processes.
///
/// Every operation is one script on the server: atomic, and one round trip. Deadlines are kept by
/// the clock of the server. Nothing that expires stays behind, and no background job is needed.
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
    pub(super) connections: Connections,
    pub(super) keys: Keys,
    pub(super) config: RedisConfig,
}

impl RedisSessionStore {
    /// Makes a store; no server is contacted before the first call.
    ///
    /// # Errors
    /// `InvalidInput` if the configuration is wrong.
    pub fn new(config: RedisConfig) -> SessionResult<Self> {
        Ok(Self {
            connections: Connections::new(&config)?,
            keys: Keys::new(&config.namespace),
            config,
        })
    }

    /// Makes a store from a URL as [`RedisConfig::from_url`] reads it; no server is contacted.
    ///
    /// # Errors
    /// `InvalidInput` if the URL is wrong. The message never repeats user name or password.
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

    pub(super) fn reading(&self, script: &'static Script, key: String) -> Args<'_> {
        Args::reading(&self.keys, script, key)
    }

    pub(super) fn writing(&self, script: &'static Script, key: String) -> Args<'_> {
        Args::writing(&self.keys, script, key)
    }

    /// Runs a script. Tells also whether it may have been done by an earlier attempt of this call.
    pub(super) async fn run(&self, args: Args<'_>) -> SessionResult<(Answer<'_>, bool)> {
        let reply = self.connections.run(args.call()).await?;
        Ok((Answer::read(&self.keys, reply.value)?, reply.repeated))
    }

    pub(super) async fn answer(&self, args: Args<'_>) -> SessionResult<Answer<'_>> {
        self.run(args).await.map(|(answer, _repeated)| answer)
    }
}

/// Shows no user name and no password (C18).
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
        let names_user = Identity::of(&request.data.tenant_ctx)?.user.is_some();
        let flags = match (names_user, request.owner.has_user()) {
            (true, _) => "-uc",
            (false, true) => "-c",
            (false, false) => "-",
        };
        let args = self
            .writing(&scripts::CREATE, self.keys.session(&request.key))
            .text(request.owner.as_str())
            .text(request.key.as_str())
            .text(flags)
            .number(request.ttl.0)
            .owned(named(request.operation))
            .owned(payload::encode(&request.data)?);
        let answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => Ok(CreateOutcome::Created(request.key)),
            "EXISTS" => Ok(CreateOutcome::Exists),
            _ => answer.unexpected(),
        }
    }

    async fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        let found = self.get_owned(key).await?;
        Ok(found.map(|found| found.session))
    }

    /// One GET: a session whose payload is there is readable.
    async fn data(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        let name = self.keys.session(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let reply = self
            .connections
            .command(command, name.as_bytes())
            .await
            .map_err(|error| {
                if error.code == ErrorCode::Internal && error.message.contains("WRONGTYPE") {
                    return self.keys.unreadable(name.as_bytes(), "its type is wrong");
                }
                error
            })?;
        match reply.value {
            Value::Nil => Ok(None),
            Value::BulkString(bytes) => payload::decode(key, &bytes).map(Some),
            _ => Err(unexpected()),
        }
    }

    async fn get_owned(&self, key: &SessionKey) -> SessionResult<Option<Owned>> {
        let args = self
            .reading(&scripts::READ, self.keys.session(key))
            .text(key.as_str());
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {
                let (session, record) = answer.session()?;
                let owner = record.owner;
                Ok(Some(Owned { owner, session }))
            }
            "NONE" => Ok(None),
            _ => answer.unexpected(),
        }
    }

    async fn update(&self, request: request::Update) -> SessionResult<u64> {
        let identity = Identity::of(&request.data.tenant_ctx)?;
        let args = self
            .writing(&scripts::UPDATE, self.keys.session(&request.key))
            .text(request.key.as_str())
            .owned(identity.place())
            .text(identity.user.map_or("", UserId::as_str))
            .number(request.if_revision)
            .owned(request.claim.map(shown).unwrap_or_default())
            .owned(named(request.operation))
            .owned(payload::encode(&request.data)?);
        let (mut answer, repeated) = self.run(args).await?;
        match answer.status.as_str() {
            "OK" => answer.number(),
            "NOT_FOUND" => Err(not_found(&request.key)),
            "OWNER" => {
                let owner = Owner::from_encoded(&answer.text()?);
                let names_user = answer.number()? == 1;
                owner.require_unchanged(names_user, &identity)?;
                answer.unexpected()
            }
            "MOVED" if repeated => Err(overtaken()),
            "MOVED" => Err(moved(request.if_revision, answer.number()?)),
            _ => answer.unexpected(),
        }
    }

    async fn remove(&self, request: request::Remove) -> SessionResult<()> {
        let args = self
            .writing(&scripts::REMOVE, self.keys.session(&request.key))
            .text(request.key.as_str())
            .number(request.if_revision);
        let (mut answer, repeated) = self.run(args).await?;
        match answer.status.as_str() {
            "OK" => Ok(()),
            // An earlier attempt of this very call removed it (C14).
            "NOT_FOUND" if repeated => Ok(()),
            "NOT_FOUND" => Err(not_found(&request.key)),
            "MOVED" => Err(moved(request.if_revision, answer.number()?)),
            _ => answer.unexpected(),
        }
    }

    async fn park(&self, request: request::Park) -> SessionResult<ParkOutcome> {
        let args = self
            .writing(&scripts::PARK, self.keys.session(&request.key))
            .text(request.owner.as_str())
            .text(request.key.as_str())
            .owned(request.scope.to_string())
            .owned(request.published.to_string())
            .number(request.ttl.0)
            .owned(named(request.operation))
            .text(if request.if_absent { "1" } else { "0" })
            .owned(payload::encode(&request.data)?);
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => Ok(ParkOutcome::Registered {
                revision: answer.number()?,
            }),
            "EXISTS" => answer.session_key().map(ParkOutcome::Exists),
            _ => answer.unexpected(),
        }
    }

    async fn find(&self, owner: &Owner, scope: &ScopeDigest) -> SessionResult<Option<SessionKey>> {
        self.find_published(owner, scope, scope).await
    }

    async fn find_published(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
        published: &ScopeDigest,
    ) -> SessionResult<Option<SessionKey>> {
        let args = self
            .reading(&scripts::FIND, self.keys.route(owner))
            .text(owner.as_str())
            .owned(scope.to_string())
            .owned(published.to_string());
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => answer.session_key().map(Some),
            "NONE" => Ok(None),
            _ => answer.unexpected(),
        }
    }

    async fn waits(&self, owner: &Owner) -> SessionResult<Vec<SessionKey>> {
        let args = self
            .reading(&scripts::WAITS, self.keys.route(owner))
            .text(owner.as_str());
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => answer.session_keys(),
            _ => answer.unexpected(),
        }
    }

    async fn latest(&self, owner: &Owner) -> SessionResult<Option<Arc<Session>>> {
        let args = self
            .reading(&scripts::LATEST, self.keys.route(owner))
            .text(owner.as_str());
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => answer.session().map(|(session, _)| Some(session)),
            "NONE" => Ok(None),
            _ => answer.unexpected(),
        }
    }

    /// A repeat that finds nothing says so: the wait is gone either way (C11, C14).
    async fn clear(&self, request: request::Clear) -> SessionResult<ClearOutcome> {
        let args = self
            .writing(&scripts::CLEAR, self.keys.route(&request.owner))
            .text(request.owner.as_str())
            .owned(request.scope.to_string())
            .owned(request.published.to_string());
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => answer.session_key().map(ClearOutcome::Cleared),
            "NO_WAIT" => Ok(ClearOutcome::NoWait),
            _ => answer.unexpected(),
        }
    }

    async fn claim(&self, request: request::Claim) -> SessionResult<ClaimOutcome> {
        let args = self
            .writing(&scripts::CLAIM, self.keys.route(&request.owner))
            .text(request.owner.as_str())
            .owned(request.scope.to_string())
            .owned(request.published.to_string())
            .owned(hex::encode(request.message.0))
            .owned(shown(request.secret))
            .number(request.lease_millis);
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {}
            "BUSY" => {
                let until = answer.timestamp()?;
                return Ok(ClaimOutcome::Busy { until });
            }
            "DUPLICATE" => return Ok(ClaimOutcome::Duplicate),
            "NO_WAIT" => return Ok(ClaimOutcome::NoWait),
            _ => return answer.unexpected(),
        }
        let (session, record) = answer.session()?;
        let token = ClaimToken {
            owner: request.owner.clone(),
            key: session.key.clone(),
            message: request.message,
            secret: request.secret,
            fencing: record.fencing,
        };
        Ok(ClaimOutcome::Claimed(Claim {
            session,
            token,
            attempt: record.attempt,
            lease_until: record.lease_until,
        }))
    }

    async fn renew(&self, request: request::Renew) -> SessionResult<Timestamp> {
        let args = Args::of_token(&self.keys, &scripts::RENEW, &request.token)
            .owned(shown(request.token.secret))
            .number(request.lease_millis);
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => answer.timestamp(),
            _ => answer.unexpected(),
        }
    }

    async fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        let args = Args::of_token(&self.keys, &scripts::RELEASE, token).owned(shown(token.secret));
        let answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => Ok(()),
            _ => answer.unexpected(),
        }
    }

    async fn commit(&self, request: request::Finalize) -> SessionResult<()> {
        let options = self.options();
        let limit = u64::try_from(options.max_messages.max(1)).unwrap_or(u64::MAX);
        let mut args = Args::of_token(&self.keys, &scripts::COMMIT, &request.token)
            .owned(hex::encode(request.token.message.0))
            .owned(shown(request.token.secret))
            .number(whole_millis(options.message_window).min(LONGEST_WINDOW))
            .number(limit);
        if let Next::Park {
            scope,
            published,
            data,
            ttl,
        } = &request.next
        {
            args = args
                .owned(scope.to_string())
                .owned(published.to_string())
                .number(ttl.0)
                .owned(payload::encode(data)?);
        }
        let answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => Ok(()),
            _ => answer.unexpected(),
        }
    }

    async fn health(&self) -> SessionResult<Health> {
        health::ask(&self.connections).await
    }
}
