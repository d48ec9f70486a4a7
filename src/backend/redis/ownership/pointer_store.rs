//! The pointers of a Cluster: each method is one step on the pointer's or the owner's node.
//!
//! All keys of an owner are in one slot, and a session key does not contain its owner. So each
//! session key has a pointer in a slot of its own, and no script covers both. A pointer lives much
//! longer than its session, and is never shortened. The record of the session contains until when,
//! and a call that wants a later deadline than the pointer covers extends the pointer first. The
//! record also contains the stamp of the pointer, and a call that removes the session removes only
//! the pointer of that stamp.
//! docs/cluster-protocol.md describes the protocol.

use std::sync::Arc;
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use redis::FromRedisValue;
use tokio::time::{Instant, sleep};

use super::pointer::{Orphan, PointerState, Reservation, ReservationKind, Retry, pointer_life};
use crate::backend::redis::client::Client;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::known_pointer::KnownPointer;
use crate::backend::redis::script::reply::{Answer, unexpected};
use crate::backend::redis::script::status::Status;
use crate::backend::redis::script::wire::{OwnerCall, ScriptArguments};
use crate::backend::redis::script::{Call, arguments};
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::TtlMillis;
use crate::owner::{Owner, foreign_key};
use crate::payload::unreadable;

/// The longest time between a reservation and its write, for all stores. A fence lasts longer, also
/// if the clock of a node goes back after a failover.
const MAX_WRITE_TIME: Duration = Duration::from_secs(10);

/// The answer of a pointer's node to a reservation.
enum Reserved {
    Own(Reservation),
    /// Another owner has a pointer with that stamp.
    Other(u64, Owner),
}

/// Reads and writes pointers. Cheap to clone.
#[derive(Clone)]
pub struct PointerStore {
    client: Arc<Client>,
    namespace: Arc<str>,
    /// The time limit of each step.
    response_timeout: Duration,
}

impl PointerStore {
    pub fn new(client: &Arc<Client>, config: &RedisConfig) -> Self {
        Self {
            client: Arc::clone(client),
            namespace: config.namespace.as_str().into(),
            response_timeout: config.response_timeout,
        }
    }

    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Starts a background task; does nothing if the I/O threads did not start.
    pub fn spawn<F: Future<Output = ()> + Send + 'static>(&self, task: impl FnOnce(Self) -> F) {
        if let Ok(runtime) = self.client.runtime() {
            runtime.spawn(task(self.clone()));
        }
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The key names of an owner.
    pub fn keys(&self, owner: &Owner) -> Keys {
        Keys::tagged(&self.namespace, owner)
    }

    /// Reserves a session key for an owner (C4). The pointer then outlives a session with that TTL.
    ///
    /// # Errors
    /// `InvalidInput` if the session of another owner has the key.
    pub async fn reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: TtlMillis,
        mut retry: Retry,
    ) -> SessionResult<Reservation> {
        let deadline = Instant::now() + self.response_timeout;
        loop {
            let (stamp, other) = match self.try_reserve(owner, key, ttl, retry).await? {
                Reserved::Own(reservation) => return Ok(reservation),
                Reserved::Other(stamp, other) => (stamp, other),
            };
            if !self.fence(&other, key, stamp).await? {
                return Err(foreign_key());
            }
            if Instant::now() >= deadline {
                break;
            }
            retry = Retry {
                replaced: Some(stamp),
                above: retry.above.max(stamp),
            };
        }
        Err(GreenticError::new(
            ErrorCode::Unavailable,
            "other owners reserve the session key at the same time; try again",
        ))
    }

    /// Extends the pointer of an existing session, so that it outlives one with that TTL from an
    /// instant of the session's node on, in microseconds. None if another owner has the pointer.
    pub async fn extend(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: TtlMillis,
        from: u64,
    ) -> SessionResult<Option<KnownPointer>> {
        let retry = Retry {
            replaced: None,
            above: from,
        };
        match self.try_reserve(owner, key, ttl, retry).await? {
            Reserved::Own(reservation) => Ok(Some(reservation.pointer)),
            Reserved::Other(..) => Ok(None),
        }
    }

    async fn try_reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: TtlMillis,
        retry: Retry,
    ) -> SessionResult<Reserved> {
        let arguments = arguments::ReservePointer {
            new_owner: owner,
            life: pointer_life(ttl),
            replaced: retry.replaced,
            above: retry.above,
        };
        let mut answer = self.run(key, arguments).await?;
        let stamp = answer.number()?;
        let kind = match answer.status {
            Status::Created => ReservationKind::Created,
            Status::Existing => ReservationKind::Existing,
            Status::Other => {
                let other = Owner::from_encoded(&answer.text()?);
                return Ok(Reserved::Other(stamp, other));
            }
            _ => return answer.unexpected(),
        };
        let pointer = KnownPointer {
            stamp,
            ends: answer.number()?,
            confirmed: answer.number()?,
        };
        let time = (self.response_timeout * 2).min(MAX_WRITE_TIME);
        let from = pointer.confirmed.saturating_add(whole_millis(time));
        Ok(Reserved::Own(Reservation {
            kind,
            pointer,
            write_deadline: from.saturating_mul(1000),
        }))
    }

    /// Extends the pointer of an existing session as [`PointerStore::extend`], and stores that in
    /// the session's record, if it still has that stamp. False if another owner has the pointer.
    pub async fn confirm(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: u64,
        ttl: TtlMillis,
        from: u64,
    ) -> SessionResult<bool> {
        let Some(pointer) = self.extend(owner, key, ttl, from).await? else {
            return Ok(false);
        };
        let keys = self.keys(owner);
        let extended = format!("{stamp}={pointer}");
        let arguments = arguments::ConfirmPointer { key, extended };
        let call = OwnerCall::new(&keys, keys.session(key), arguments);
        let reply = self.client.run(call.call).await?;
        Answer::read(keys, reply.value).map(|_| true)
    }

    /// Removes the pointer of a stamp. False if there is none.
    pub async fn remove(&self, owner: &Owner, key: &SessionKey, stamp: u64) -> SessionResult<bool> {
        let arguments = arguments::DeletePointer {
            expected_owner: owner,
            expected_stamp: stamp,
        };
        let answer = self.run(key, arguments).await?;
        Ok(answer.status == Status::Ok)
    }

    /// Removes the pointer of a session key, if it is an orphan.
    pub async fn remove_if_orphan(&self, key: &SessionKey) -> SessionResult<bool> {
        match self.find_orphan(key).await? {
            Some(found) => self.remove_orphan(&found.owner, key, found.stamp).await,
            None => Ok(false),
        }
    }

    /// Sets a fence, and removes the pointer of a stamp. False if the session exists.
    pub async fn remove_orphan(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: u64,
    ) -> SessionResult<bool> {
        let is_missing = self.fence(owner, key, stamp).await?;
        Ok(is_missing && self.remove(owner, key, stamp).await?)
    }

    /// Excludes all writes of the session for pointers up to a stamp, as a step in the owner's
    /// slot. False if the session exists.
    async fn fence(&self, owner: &Owner, key: &SessionKey, stamp: u64) -> SessionResult<bool> {
        let keys = self.keys(owner);
        let call = OwnerCall::new(&keys, keys.session(key), arguments::Fence { key, stamp });
        let reply = self.client.run(call.call).await?;
        match Answer::read(keys, reply.value) {
            Ok(answer) => Ok(answer.status == Status::None),
            // If the fence cannot be read, the key stays with its owner.
            Err(error) if error.code == ErrorCode::Internal => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The owner of a session key.
    ///
    /// # Errors
    /// `Internal`, naming the key, if the stored value is not a pointer.
    pub async fn find_owner(&self, key: &SessionKey) -> SessionResult<Option<Owner>> {
        let name = self.name(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let reply = self.client.command(command, name.as_bytes()).await?;
        let unreadable = || unreadable(key, "owner: it is no pointer");
        let found = Option::<String>::from_redis_value(reply.value).map_err(|_| unreadable())?;
        let Some(found) = found else { return Ok(None) };
        let (_, owner) = found
            .split_once(' ')
            .filter(|(stamp, _)| is_stamp(stamp))
            .ok_or_else(unreadable)?;
        Ok(Some(Owner::from_encoded(owner)))
    }

    /// The pointer of a session key, with its expiry and its age.
    ///
    /// # Errors
    /// `Internal`, naming the key, if the stored value is not a pointer.
    pub async fn inspect(&self, key: &SessionKey) -> SessionResult<Option<PointerState>> {
        let mut answer = self.run(key, arguments::InspectPointer {}).await?;
        match answer.status {
            Status::Ok => Ok(Some(PointerState {
                owner: Owner::from_encoded(&answer.text()?),
                stamp: answer.number()?,
                // -1, for no expiry, is not a number here.
                expires_in: answer.number().ok().map(Duration::from_millis),
                age: Duration::from_millis(answer.number()?),
            })),
            Status::Gone => Ok(None),
            _ => answer.unexpected(),
        }
    }

    /// The pointer of a session key, if it is an orphan: its session is missing, and the call that
    /// created it is over. A call that found it needs its session.
    pub async fn find_orphan(&self, key: &SessionKey) -> SessionResult<Option<Orphan>> {
        let Some(found) = self.inspect(key).await? else {
            return Ok(None);
        };
        let is_new = found.age < self.response_timeout * 2;
        if is_new || self.session_ttl(&found.owner, key).await?.is_some() {
            return Ok(None);
        }
        Ok(Some(Orphan {
            owner: found.owner,
            stamp: found.stamp,
            expires: found.expires_in.is_some(),
        }))
    }

    /// The remaining TTL of a session; none if it does not exist.
    pub async fn session_ttl(
        &self,
        owner: &Owner,
        key: &SessionKey,
    ) -> SessionResult<Option<TtlMillis>> {
        let name = self.keys(owner).session(key);
        let mut command = redis::cmd("PTTL");
        command.arg(&name);
        let reply = self.client.command(command, name.as_bytes()).await?;
        match i64::from_redis_value(reply.value) {
            Ok(-2) => Ok(None),
            Ok(-1) => Ok(Some(TtlMillis(None))),
            Ok(left) => {
                let left = u64::try_from(left).map_err(|_| unexpected())?;
                Ok(Some(TtlMillis(Some(left))))
            }
            Err(_) => Err(unexpected()),
        }
    }

    /// The time, by the clock of a session's node.
    pub async fn session_time(&self, keys: &Keys, key: &SessionKey) -> SessionResult<Timestamp> {
        self.client.time(keys.session(key).as_bytes()).await
    }

    /// Waits for the time limit of a step.
    pub async fn wait_for_running_steps(&self) -> SessionResult<()> {
        let runtime = self.client.runtime()?;
        let timeout = self.response_timeout;
        runtime.with_timers(async { sleep(timeout).await }).await;
        Ok(())
    }

    /// A pattern that matches the names of all pointers.
    pub fn pattern(&self) -> String {
        format!("{}:owner:*", self.namespace)
    }

    /// The session key in the name of a pointer.
    pub fn session_key(&self, name: &[u8]) -> Option<SessionKey> {
        let name = std::str::from_utf8(name).ok()?;
        let rest = name.strip_prefix(&*self.namespace)?;
        let key = rest.strip_prefix(":owner:")?;
        let key = key.replace("%7B", "{").replace("%7D", "}");
        Some(key.replace("%25", "%").into())
    }

    /// The name of a pointer. Braces are encoded: they would make a hash tag, and the barrier of
    /// [`Client`] for replicas, which has the name in braces, must be in the pointer's slot and be
    /// no key of another namespace.
    fn name(&self, key: &SessionKey) -> String {
        let key = key.as_str().replace('%', "%25");
        let key = key.replace('{', "%7B").replace('}', "%7D");
        format!("{}:owner:{key}", self.namespace)
    }

    async fn run<'a>(
        &self,
        key: &SessionKey,
        arguments: impl ScriptArguments<'a>,
    ) -> SessionResult<Answer> {
        self.run_on(self.name(key), arguments).await
    }

    /// Runs a script that uses one key.
    pub async fn run_on<'a>(
        &self,
        name: String,
        arguments: impl ScriptArguments<'a>,
    ) -> SessionResult<Answer> {
        let call = Call::on_key(name, arguments);
        let reply = self.client.run(call).await?;
        Answer::read(Keys::new(&self.namespace), reply.value)
    }
}

/// Whether a text is the stamp of a pointer. Longer numbers are no exact instants in a script.
fn is_stamp(text: &str) -> bool {
    (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
