//! The pointers of a Cluster: each method is one step on the pointer's or the owner's node.
//!
//! All keys of an owner are in one slot, and a session key does not contain its owner. So each
//! session key has a pointer in a slot of its own, and no script covers both. A write first gives
//! the pointer the lifetime that the session will have, and then writes the session. So a session
//! never outlives its pointer, wherever a call ends. The record of a session contains the stamp of
//! its pointer, and a call that removes the session removes only the pointer of that stamp.
//! docs/cluster-protocol.md describes the protocol.

use std::sync::Arc;
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use redis::FromRedisValue;
use tokio::time::{Instant, sleep};

use super::pointer::{
    ExtendedPointer, FencedPointer, Orphan, Pointer, PointerState, Reservation, ReservationKind,
    pointer_ttl,
};
use crate::backend::redis::client::Client;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::script::args::{OwnerCall, ScriptArguments};
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::reply::{Answer, unexpected};
use crate::backend::redis::script::status::Status;
use crate::backend::redis::script::{Call, registry};
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::TtlMillis;
use crate::owner::{Owner, foreign_key};

/// The longest time between a reservation and its write, for all stores. A fence lasts longer, also
/// if the clock of a node goes back after a failover.
pub const MAX_WRITE_TIME: Duration = Duration::from_secs(10);

/// The result of a removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Removed,
    /// The pointer does not exist, or belongs to another owner.
    Missing,
    /// The owner has a pointer with another stamp.
    OtherStamp,
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

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The key names of an owner.
    pub fn keys(&self, owner: &Owner) -> Keys {
        Keys::tagged(&self.namespace, owner)
    }

    /// The longest time between a reservation and the end of its write, as each is one step. A
    /// pointer lives longer than its session by that.
    pub fn write_time(&self) -> Duration {
        self.response_timeout * 2
    }

    /// The write deadline of a pointer that was reserved or extended at an instant, in
    /// microseconds.
    pub fn write_deadline(&self, from: u64) -> u64 {
        let time = self.write_time().min(MAX_WRITE_TIME);
        from.saturating_add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    }

    /// Reserves a session key for an owner (C4). The pointer then lives at least as long as a
    /// session with that TTL. `fenced` is a pointer to replace.
    ///
    /// # Errors
    /// `InvalidInput` if the session of another owner has the key.
    pub async fn reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: TtlMillis,
        mut fenced: Option<FencedPointer>,
    ) -> SessionResult<Reservation> {
        let refused_at = fenced.and_then(|fenced| fenced.refused_at);
        let deadline = Instant::now() + self.response_timeout;
        loop {
            let arguments = registry::ReservePointer {
                new_owner: owner,
                ttl: pointer_ttl(ttl, self.write_time()),
                replaced: fenced.map(|fenced| fenced.stamp),
                above: fenced.map_or(0, |fenced| fenced.fence),
            };
            let mut answer = self.run(key, arguments).await?;
            let stamp = answer.number()?;
            let kind = match answer.status {
                Status::Created => Some(ReservationKind::Created),
                Status::Existing => Some(ReservationKind::Existing),
                Status::Other => None,
                _ => return answer.unexpected(),
            };
            if let Some(kind) = kind {
                let outlives = answer.number()? == 1;
                let reserved_at = answer.number()?;
                return Ok(Reservation {
                    kind,
                    stamp,
                    write_deadline: self.write_deadline(refused_at.unwrap_or(reserved_at)),
                    outlives,
                });
            }
            let other = Owner::from_encoded(&answer.text()?);
            if !self.fence(&other, key, stamp).await? {
                return Err(foreign_key());
            }
            if Instant::now() >= deadline {
                break;
            }
            fenced = Some(FencedPointer {
                stamp,
                fence: stamp,
                refused_at: None,
            });
        }
        Err(GreenticError::new(
            ErrorCode::Unavailable,
            "other owners reserve the session key at the same time; try again",
        ))
    }

    /// Extends a pointer's lifetime to cover a session with that TTL; checks the owner if given.
    /// With a `lease` it also sets `awaited` to the end of that lease. None if there is no such
    /// pointer.
    pub async fn extend(
        &self,
        owner: Option<&Owner>,
        key: &SessionKey,
        ttl: TtlMillis,
        lease: Duration,
    ) -> SessionResult<Option<ExtendedPointer>> {
        let arguments = registry::ExtendPointer {
            expected_owner: owner,
            ttl: pointer_ttl(ttl, self.write_time()),
            lease: whole_millis(lease),
        };
        let mut answer = self.run(key, arguments).await?;
        match answer.status {
            Status::Ok => Ok(Some(ExtendedPointer {
                owner: Owner::from_encoded(&answer.text()?),
                outlives: answer.number()? == 1,
                awaited: answer.number()?,
                extended_at: answer.number()?,
                stamp: answer.number()?,
            })),
            Status::Gone => Ok(None),
            _ => answer.unexpected(),
        }
    }

    /// Sets the expiry of a pointer to that of its session, whose TTL is given. A shorter expiry is
    /// set only after a `quiet_period` without an announced write, or if `awaited` is still
    /// `ended`, the value that a claim wrote which is over. Otherwise returns how long to wait.
    pub async fn set_expiry(
        &self,
        pointer: &Pointer,
        key: &SessionKey,
        session: TtlMillis,
        quiet_period: Duration,
        ended: Option<u64>,
    ) -> SessionResult<Option<Duration>> {
        let arguments = registry::SetPointerExpiry {
            expected_owner: &pointer.owner,
            expected_stamp: pointer.stamp,
            ttl: pointer_ttl(session, self.write_time()),
            quiet_period: whole_millis(quiet_period),
            ended,
        };
        let mut answer = self.run(key, arguments).await?;
        match answer.status {
            Status::Wait => Ok(Some(Duration::from_millis(answer.number()?))),
            _ => Ok(None),
        }
    }

    /// Writes the pointer of a session that has none, or extends it to cover the session's TTL.
    /// False if another owner has the pointer.
    pub async fn restore(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: u64,
        session: TtlMillis,
    ) -> SessionResult<bool> {
        let arguments = registry::RestorePointer {
            expected_owner: owner,
            new_stamp: stamp,
            ttl: pointer_ttl(session, self.write_time()),
        };
        let answer = self.run(key, arguments).await?;
        Ok(answer.status == Status::Ok)
    }

    /// Removes the pointer of a stamp.
    pub async fn remove(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stamp: u64,
    ) -> SessionResult<Removal> {
        let arguments = registry::DeletePointer {
            expected_owner: owner,
            expected_stamp: stamp,
        };
        let answer = self.run(key, arguments).await?;
        match answer.status {
            Status::Ok => Ok(Removal::Removed),
            Status::Other => Ok(Removal::OtherStamp),
            _ => Ok(Removal::Missing),
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
        Ok(is_missing && self.remove(owner, key, stamp).await? == Removal::Removed)
    }

    /// Excludes all writes of the session for pointers up to a stamp, as a step in the owner's
    /// slot. False if the session exists.
    async fn fence(&self, owner: &Owner, key: &SessionKey, stamp: u64) -> SessionResult<bool> {
        let keys = self.keys(owner);
        let call = OwnerCall::new(&keys, keys.session(key), registry::Fence { key, stamp });
        let reply = self.client.run(call.call).await?;
        // If the fence cannot be read, the key stays with its owner.
        Ok(Answer::read(keys, reply.value).is_ok_and(|answer| answer.status == Status::None))
    }

    /// The pointer of a session key.
    pub async fn read(&self, key: &SessionKey) -> SessionResult<Option<Pointer>> {
        let name = self.name(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let reply = self.client.command(command, name.as_bytes()).await?;
        let found = Option::<String>::from_redis_value(reply.value).map_err(|_| unexpected())?;
        found.map(|found| Pointer::parse(&found)).transpose()
    }

    /// The owner of a session key.
    pub async fn find_owner(&self, key: &SessionKey) -> SessionResult<Option<Owner>> {
        Ok(self.read(key).await?.map(|pointer| pointer.owner))
    }

    /// The pointer of a session key, with its expiry and the time since its last use.
    ///
    /// # Errors
    /// `Internal` if the stored value is not a pointer.
    pub async fn inspect(&self, key: &SessionKey) -> SessionResult<Option<PointerState>> {
        let mut answer = self.run(key, registry::InspectPointer {}).await?;
        match answer.status {
            Status::Ok => Ok(Some(PointerState {
                owner: Owner::from_encoded(&answer.text()?),
                stamp: answer.number()?,
                // -1, for no expiry, is not a number here.
                expires_in: answer.number().ok().map(Duration::from_millis),
                quiet: Duration::from_millis(answer.number()?),
            })),
            Status::Gone => Ok(None),
            _ => answer.unexpected(),
        }
    }

    /// The pointer of a session key, if it is an orphan: it does not expire soon, no call announced
    /// a write for so long that settling it would be over, and its session is missing.
    pub async fn find_orphan(&self, key: &SessionKey) -> SessionResult<Option<Orphan>> {
        let Some(found) = self.inspect(key).await? else {
            return Ok(None);
        };
        let (owner, stamp) = (&found.owner, found.stamp);
        let is_transient =
            found.expires_within(self.write_time()) || found.quiet < self.write_time() * 3;
        if is_transient || self.session_ttl(owner, key).await?.is_some() {
            return Ok(None);
        }
        let owner = found.owner;
        Ok(Some(Orphan { owner, stamp }))
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
