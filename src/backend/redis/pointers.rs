//! The pointers from session keys to owners, on a Cluster.
//!
//! All that belongs to an owner is in one slot, and a session key does not tell the slot. So each
//! key has a pointer, in a slot of its own, and no step covers both. The order is: the pointer is
//! reserved for a minute; the session is written, and at the same time the pointer is given the
//! session's lifetime. A session bears the stamp of its pointer, and whoever removes the session
//! removes the pointer of that stamp and no other.

use std::sync::Arc;
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use redis::{FromRedisValue, Value};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::backoff::pause;
use super::config::RedisConfig;
use super::connection::Connections;
use super::keys::Keys;
use super::reply::unexpected;
use super::script::{Call, Script};
use super::scripts;
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::owner::{Owner, foreign_key};

/// How long a pointer stays whose session was never written.
const RESERVATION: Duration = Duration::from_secs(60);

/// How often the background looks whether a pointer and its session have come to rest.
const ROUNDS: u32 = 8;

/// Writes and reads pointers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pointers {
    connections: Arc<Connections>,
    namespace: Arc<str>,
    /// A call ends within that time: a pointer that is older is not about to get its session.
    longest_call: Duration,
}

/// The pointer for which a session is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seal {
    /// There are no pointers.
    None,
    /// The call wrote it.
    Written(u64),
    /// The call found it: its session must be there.
    Found(u64),
}

/// Whose a session key is.
struct Pointer {
    stamp: u64,
    owner: Owner,
}

impl Pointers {
    pub fn new(connections: &Arc<Connections>, config: &RedisConfig) -> Self {
        Self {
            connections: Arc::clone(connections),
            namespace: config.namespace.as_str().into(),
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

    /// Makes sure that the key is the owner's (C4): with a pointer that stays for a minute at least.
    /// `stale` is the stamp of one whose session is not there.
    pub async fn reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stale: Option<u64>,
    ) -> SessionResult<Seal> {
        let end = Instant::now() + self.longest_call;
        let mut replaced = stale;
        for round in 1.. {
            let live = millis(RESERVATION.max(self.longest_call * 2));
            let replace = replaced.map(|stamp| stamp.to_string()).unwrap_or_default();
            let args = [owner.as_str().to_owned(), live, replace];
            let answer = self.run(&scripts::RESERVE, key, &args).await?;
            let stamp = number(&answer, 1)?;
            match text(&answer, 0)?.as_str() {
                "WRITTEN" => return Ok(Seal::Written(stamp)),
                "FOUND" => return Ok(Seal::Found(stamp)),
                "OTHER" => {}
                _ => return Err(unexpected()),
            }
            let other = Owner::from_encoded(&text(&answer, 2)?);
            if self.life_of_session(&other, key).await?.is_some() {
                return Err(foreign_key());
            }
            if Duration::from_millis(number(&answer, 3)?) >= self.longest_call {
                replaced = Some(stamp);
            } else if Instant::now() < end {
                let runtime = self.connections.runtime()?;
                runtime.lend(async { sleep(pause(round)).await }).await;
            } else {
                break;
            }
        }
        Err(GreenticError::new(
            ErrorCode::Unavailable,
            "the session key was another owner's a moment ago; try again",
        ))
    }

    /// Gives a pointer the lifetime of its session, while the session is being written: it never
    /// ends earlier than it would have. The answer comes when it is done.
    pub fn extend(
        &self,
        owner: &Owner,
        key: &SessionKey,
        seal: Seal,
        ttl: Ttl,
    ) -> SessionResult<oneshot::Receiver<SessionResult<bool>>> {
        let (sender, receiver) = oneshot::channel();
        let (pointers, owner, key) = (self.clone(), owner.clone(), key.clone());
        self.connections.runtime()?.spawn(async move {
            let life = ttl.0.map(Duration::from_millis);
            let kept = pointers.keep(&owner, &key, seal.stamp(), life, true).await;
            let _nobody_waits = sender.send(kept);
        });
        Ok(receiver)
    }

    /// Removes the pointer of a session that is gone, in the background.
    pub fn retire(&self, owner: &Owner, key: &SessionKey, stamp: u64) {
        let (pointers, owner, key) = (self.clone(), owner.clone(), key.clone());
        self.in_background(async move {
            let answer = pointers.remove(&owner, &key, stamp, Duration::ZERO).await;
            // A call is under way that brings the key again, or was.
            if answer.is_err() || answer.is_ok_and(|answer| answer == "OTHER") {
                pointers.come_to_rest(&owner, &key, None).await;
            }
        });
    }

    /// Has the pointer live as long as its session, in the background. `ended` is the stamp of a
    /// pointer whose call is over.
    pub fn settle(&self, owner: &Owner, key: &SessionKey, ended: Option<u64>) {
        let (pointers, owner, key) = (self.clone(), owner.clone(), key.clone());
        self.in_background(async move { pointers.come_to_rest(&owner, &key, ended).await });
    }

    /// As [`Pointers::settle`], at once.
    pub async fn settle_now(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ended: Option<u64>,
    ) -> SessionResult<()> {
        self.adjust(owner, key, ended).await.map(|_later| ())
    }

    fn in_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = self.connections.runtime() {
            runtime.spawn(task);
        }
    }

    async fn come_to_rest(&self, owner: &Owner, key: &SessionKey, ended: Option<u64>) {
        for round in 1..=ROUNDS {
            match self.adjust(owner, key, ended).await {
                Ok(None) => return,
                Ok(Some(wait)) => sleep(wait).await,
                Err(_) => sleep(pause(round)).await,
            }
        }
    }

    /// One look at pointer and session; how long to wait before the next, if it takes one.
    async fn adjust(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ended: Option<u64>,
    ) -> SessionResult<Option<Duration>> {
        let Some(found) = self.read(key).await?.filter(|found| found.owner == *owner) else {
            return Ok(None);
        };
        let stamp = Some(found.stamp);
        let Some(life) = self.life_of_session(owner, key).await? else {
            let age = if ended == stamp {
                Duration::ZERO
            } else {
                self.longest_call * 2
            };
            let answer = self.remove(owner, key, found.stamp, age).await?;
            // The call that wrote the pointer may be about to write the session.
            return Ok((answer == "YOUNG").then_some(self.longest_call));
        };
        self.keep(owner, key, stamp, life, false).await?;
        // A call may have changed the session's deadline meanwhile.
        let now = self.life_of_session(owner, key).await?;
        let is_same = now.is_some_and(|now| match (now, life) {
            (Some(now), Some(life)) => now <= life,
            (None, None) => true,
            _ => false,
        });
        Ok((!is_same).then_some(Duration::ZERO))
    }

    async fn read(&self, key: &SessionKey) -> SessionResult<Option<Pointer>> {
        let name = self.name(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let reply = self.connections.command(command, name.as_bytes()).await?;
        let found = Option::<String>::from_redis_value(reply.value).map_err(|_| unexpected())?;
        found.map(|found| Pointer::parse(&found)).transpose()
    }

    /// Sets how long a pointer lives; none is for ever. Tells whether it lives longer than that.
    async fn keep(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: Option<u64>,
        life: Option<Duration>,
        may_live_longer: bool,
    ) -> SessionResult<bool> {
        // The session is written within the time of a call, so the pointer outlives it.
        let life = life.map(|life| millis(life.saturating_add(self.longest_call)));
        let args = [
            owner.as_str().to_owned(),
            stamp.map(|stamp| stamp.to_string()).unwrap_or_default(),
            life.unwrap_or_default(),
            if may_live_longer { "1" } else { "0" }.to_owned(),
        ];
        let answer = self.run(&scripts::KEEP, key, &args).await?;
        Ok(text(&answer, 0)? == "LONGER")
    }

    async fn remove(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: u64,
        age: Duration,
    ) -> SessionResult<String> {
        let args = [owner.as_str().to_owned(), stamp.to_string(), millis(age)];
        let answer = self.run(&scripts::RETIRE, key, &args).await?;
        text(&answer, 0)
    }

    /// How long a session lives on, none inside is for ever; none if it is not there.
    async fn life_of_session(
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

    async fn run(
        &self,
        script: &'static Script,
        key: &SessionKey,
        args: &[String],
    ) -> SessionResult<Vec<Value>> {
        let call = Call {
            script,
            keys: vec![self.name(key).into_bytes().into()],
            args: args.iter().map(|arg| arg.as_bytes().into()).collect(),
            has_one_key: true,
            mutating: true,
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
}

impl Pointer {
    fn parse(text: &str) -> SessionResult<Self> {
        let (stamp, owner) = text.split_once(' ').ok_or_else(unexpected)?;
        Ok(Self {
            stamp: stamp.parse().map_err(|_| unexpected())?,
            owner: Owner::from_encoded(owner),
        })
    }
}

impl Seal {
    /// As the scripts want it.
    pub fn text(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Written(stamp) => format!("+{stamp}"),
            Self::Found(stamp) => format!("={stamp}"),
        }
    }

    /// As it stands in the flags of a record.
    pub fn digits(self) -> String {
        self.stamp()
            .map(|stamp| stamp.to_string())
            .unwrap_or_default()
    }

    pub const fn stamp(self) -> Option<u64> {
        match self {
            Self::None => None,
            Self::Written(stamp) | Self::Found(stamp) => Some(stamp),
        }
    }
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

fn text(fields: &[Value], place: usize) -> SessionResult<String> {
    match fields.get(place) {
        Some(Value::BulkString(text)) => String::from_utf8(text.clone()).map_err(|_| unexpected()),
        _ => Err(unexpected()),
    }
}

fn number(fields: &[Value], place: usize) -> SessionResult<u64> {
    match fields.get(place) {
        Some(Value::Int(number)) => u64::try_from(*number).map_err(|_| unexpected()),
        _ => text(fields, place)?.parse().map_err(|_| unexpected()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_read_as_it_is_written() {
        let pointer = Pointer::parse("1700000000000000 dev:acme:-:@a b").unwrap();
        assert_eq!(pointer.stamp, 1_700_000_000_000_000);
        assert_eq!(pointer.owner.as_str(), "dev:acme:-:@a b");
        assert!(Pointer::parse("dev:acme:-:ada").is_err());
    }
}
