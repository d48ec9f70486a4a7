//! The pointers from session keys to owners, on a Cluster.
//!
//! All that belongs to an owner is in one slot, and a session key does not tell the slot. So each
//! key has a pointer, in a slot of its own, and no step covers both. The order is: the pointer gets
//! the lifetime that the session is about to get; then the session is written. So a session never
//! outlives its pointer, wherever a call ends. A session bears the stamp of its pointer, and whoever
//! removes the session removes the pointer of that stamp and no other.

use std::sync::Arc;
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use redis::{FromRedisValue, Value};
use tokio::time::{Instant, sleep};

use super::holds::Holds;
use super::pointer::{Inspected, Lengthened, Pointer, Reservation, Seal, Stale, life};
use crate::backend::redis::client::Connections;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::script::args::Args;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::registry;
use crate::backend::redis::script::reply::unexpected;
use crate::backend::redis::script::{Call, Script};
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::owner::{Owner, foreign_key};

/// How long after its pointer a session may be written, at most, whatever the settings of a store are. What
/// comes later is refused by its own seal, and needs no fence; a fence holds for longer than that for
/// servers whose clocks go back, as by a failover.
pub(crate) const LATEST: Duration = Duration::from_secs(10);

/// Writes and reads pointers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pointers {
    pub(crate) connections: Arc<Connections>,
    namespace: Arc<str>,
    pub(crate) holds: Arc<Holds>,
    /// A step of a call ends within that time.
    longest_call: Duration,
}

impl Pointers {
    pub fn new(connections: &Arc<Connections>, config: &RedisConfig) -> Self {
        Self {
            connections: Arc::clone(connections),
            namespace: config.namespace.as_str().into(),
            holds: Arc::default(),
            longest_call: config.response_timeout,
        }
    }

    pub fn keys(&self, owner: &Owner) -> Keys {
        Keys::tagged(&self.namespace, owner)
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The owner of a session key.
    pub async fn locate(&self, key: &SessionKey) -> SessionResult<Option<Owner>> {
        Ok(self.read(key).await?.map(|pointer| pointer.owner))
    }

    /// Makes sure that the key is the owner's (C4), with a pointer that lives as long as the session
    /// is about to, or longer. `stale` is one whose session is not there.
    pub async fn reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: Ttl,
        mut stale: Option<Stale>,
    ) -> SessionResult<Reservation> {
        let late = stale.and_then(|stale| stale.late);
        let end = Instant::now() + self.longest_call;
        loop {
            let args = [
                owner.as_str().to_owned(),
                life(ttl, self.longest_write()),
                stale.map_or_else(String::new, |stale| stale.stamp.to_string()),
                stale.map_or(0, |stale| stale.fence).to_string(),
            ];
            let answer = self.run(&registry::RESERVE_POINTER, key, &args).await?;
            let stamp = number(&answer, 1)?;
            let seal = match text(&answer, 0)?.as_str() {
                "CREATED" => Some(Seal::Written(stamp)),
                "EXISTING" => Some(Seal::Found(stamp)),
                "OTHER" => None,
                _ => return Err(unexpected()),
            };
            if let Some(seal) = seal {
                return Ok(Reservation {
                    seal,
                    outlives: number(&answer, 2)? == 1,
                    until: Some(self.until(late.unwrap_or(number(&answer, 3)?))),
                });
            }
            let other = Owner::from_encoded(&text(&answer, 2)?);
            if !self.fence(&other, key, stamp).await? {
                return Err(foreign_key());
            }
            if Instant::now() >= end {
                break;
            }
            stale = Some(Stale {
                stamp,
                fence: stamp,
                late: None,
            });
        }
        Err(GreenticError::new(
            ErrorCode::Unavailable,
            "other owners bring the session key at the same time; try again",
        ))
    }

    /// Sees to it that no call writes the session any more for a pointer of that stamp, as a step in
    /// the owner's slot. False if the session is there.
    async fn fence(&self, owner: &Owner, key: &SessionKey, stamp: u64) -> SessionResult<bool> {
        let keys = self.keys(owner);
        let args = Args::writing(&keys, &registry::FENCE, keys.session(key))
            .text(key.as_str())
            .number(stamp);
        match self.connections.run(args.call()).await?.value {
            Value::Array(fields) => Ok(text(&fields, 0)? == "NONE"),
            _ => Err(unexpected()),
        }
    }

    /// Has a pointer live as long as its session is about to, or longer. It is the `owner`'s, or
    /// without one anybody's. For the time of `hold` the session may be written. None if the pointer
    /// is not there.
    pub async fn lengthen(
        &self,
        owner: Option<&Owner>,
        key: &SessionKey,
        ttl: Ttl,
        hold: Duration,
    ) -> SessionResult<Option<Lengthened>> {
        let args = [
            owner.map_or("", Owner::as_str).to_owned(),
            life(ttl, self.longest_write()),
            whole_millis(hold).to_string(),
        ];
        let answer = self.run(&registry::EXTEND_POINTER, key, &args).await?;
        match text(&answer, 0)?.as_str() {
            "OK" => Ok(Some(Lengthened {
                owner: Owner::from_encoded(&text(&answer, 1)?),
                outlives: number(&answer, 2)? == 1,
                awaited: number(&answer, 3)?,
                at: number(&answer, 4)?,
                stamp: number(&answer, 5)?,
            })),
            "GONE" => Ok(None),
            _ => Err(unexpected()),
        }
    }

    pub async fn read(&self, key: &SessionKey) -> SessionResult<Option<Pointer>> {
        let name = self.name(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let reply = self.connections.command(command, name.as_bytes()).await?;
        let found = Option::<String>::from_redis_value(reply.value).map_err(|_| unexpected())?;
        found.map(|found| Pointer::parse(&found)).transpose()
    }

    /// Removes a pointer whose session is not there, and will not be. False if it is there.
    pub async fn clear_away(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: u64,
    ) -> SessionResult<bool> {
        let is_missing = self.fence(owner, key, stamp).await?;
        Ok(is_missing && self.remove(owner, key, stamp).await? == "OK")
    }

    /// Removes the pointer of that stamp.
    pub async fn remove(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: u64,
    ) -> SessionResult<String> {
        let args = [owner.as_str().to_owned(), stamp.to_string()];
        let answer = self.run(&registry::DELETE_POINTER, key, &args).await?;
        text(&answer, 0)
    }

    /// The pointer of a key as it is, with how long it lives on and how long no call was about to
    /// write the session.
    pub async fn inspect(&self, key: &SessionKey) -> SessionResult<Option<Inspected>> {
        let name = self.name(key);
        let answer = self
            .run_on(&registry::INSPECT_POINTER, &name, &[], false)
            .await?;
        match text(&answer, 0)?.as_str() {
            "OK" => Ok(Some(Inspected {
                owner: Owner::from_encoded(&text(&answer, 1)?),
                stamp: number(&answer, 2)?,
                // The -1 of a pointer without an end is no such number.
                left: number(&answer, 3).ok().map(Duration::from_millis),
                quiet: Duration::from_millis(number(&answer, 4)?),
            })),
            "GONE" => Ok(None),
            _ => Err(unexpected()),
        }
    }

    /// Whether a pointer goes by itself, or a call may be about to write its session.
    pub fn is_passing(&self, pointer: &Inspected) -> bool {
        // What settles pointers has done so by then.
        let settled = self.longest_write() * 3;
        pointer.ends_within(self.longest_write()) || pointer.quiet < settled
    }

    /// Writes the pointer of a session that has none, or makes it live as long. False if it is another
    /// owner's.
    pub async fn restore(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: u64,
        left: Option<Duration>,
    ) -> SessionResult<bool> {
        let left = Ttl(left.map(whole_millis));
        let life = life(left, self.longest_write());
        let args = [owner.as_str().to_owned(), stamp.to_string(), life];
        let answer = self.run(&registry::RESTORE_POINTER, key, &args).await?;
        Ok(text(&answer, 0)? == "OK")
    }

    /// Waits for as long as a step in the background may take.
    pub async fn wait_for_steps(&self) -> SessionResult<()> {
        let runtime = self.connections.runtime()?;
        runtime.lend(async { sleep(self.longest_call).await }).await;
        Ok(())
    }

    /// A session is written within that time after its pointer, as each is one step. A pointer lives
    /// longer than its session by that.
    pub fn longest_write(&self) -> Duration {
        self.longest_call * 2
    }

    /// Until when a session may be written whose pointer was ready at an instant, in microseconds.
    pub fn until(&self, ready: u64) -> u64 {
        let time = self.longest_write().min(LATEST);
        ready.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    }

    /// The time, by the clock of a session's node.
    pub async fn time_of(&self, keys: &Keys, key: &SessionKey) -> SessionResult<Timestamp> {
        let name = keys.session(key);
        let time = redis::cmd("TIME");
        let reply = self.connections.command(time, name.as_bytes()).await?;
        let told = <(u64, u64)>::from_redis_value(reply.value);
        let (seconds, micros) = told.map_err(|_| unexpected())?;
        Ok(Timestamp::from_millis(seconds * 1000 + micros / 1000))
    }

    /// How long a session lives on, none inside is for ever; none if it is not there.
    pub async fn life_of_session(
        &self,
        owner: &Owner,
        key: &SessionKey,
    ) -> SessionResult<Option<Option<Duration>>> {
        let name = self.keys(owner).session(key);
        let mut command = redis::cmd("PTTL");
        command.arg(&name);
        let reply = self.connections.command(command, name.as_bytes()).await?;
        match i64::from_redis_value(reply.value) {
            Ok(-2) => Ok(None),
            Ok(-1) => Ok(Some(None)),
            Ok(left) => {
                let left = u64::try_from(left).map_err(|_| unexpected())?;
                Ok(Some(Some(Duration::from_millis(left))))
            }
            Err(_) => Err(unexpected()),
        }
    }

    pub async fn run(
        &self,
        script: &'static Script,
        key: &SessionKey,
        args: &[String],
    ) -> SessionResult<Vec<Value>> {
        self.run_on(script, &self.name(key), args, true).await
    }

    pub async fn run_on(
        &self,
        script: &'static Script,
        name: &str,
        args: &[String],
        mutating: bool,
    ) -> SessionResult<Vec<Value>> {
        let call = Call {
            script,
            keys: vec![name.as_bytes().into()],
            args: args.iter().map(|arg| arg.as_bytes().into()).collect(),
            has_one_key: true,
            mutating,
        };
        match self.connections.run(call).await?.value {
            Value::Array(fields) => Ok(fields),
            _ => Err(unexpected()),
        }
    }

    /// Braces in a session key must not make a tag: the pointer's mark is in the pointer's slot.
    fn name(&self, key: &SessionKey) -> String {
        let key = key.as_str().replace('%', "%25").replace('{', "%7B");
        format!("{}:owner:{key}", self.namespace)
    }

    /// Matches the names of all pointers.
    pub fn pattern(&self) -> String {
        format!("{}:owner:*", self.namespace)
    }

    /// The session key of a pointer's name.
    pub fn key_of(&self, name: &[u8]) -> Option<SessionKey> {
        let name = std::str::from_utf8(name).ok()?;
        let rest = name.strip_prefix(&*self.namespace)?;
        let key = rest.strip_prefix(":owner:")?;
        Some(key.replace("%7B", "{").replace("%25", "%").into())
    }
}

pub(crate) fn text(fields: &[Value], place: usize) -> SessionResult<String> {
    match fields.get(place) {
        Some(Value::BulkString(text)) => String::from_utf8(text.clone()).map_err(|_| unexpected()),
        _ => Err(unexpected()),
    }
}

pub(crate) fn number(fields: &[Value], place: usize) -> SessionResult<u64> {
    match fields.get(place) {
        Some(Value::Int(number)) => u64::try_from(*number).map_err(|_| unexpected()),
        _ => text(fields, place)?.parse().map_err(|_| unexpected()),
    }
}
