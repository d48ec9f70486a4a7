//! The dispatch of an operation to the owner's node: finds or reserves the session key, runs the
//! script, and begins anew if the node refused the reservation.

use std::future::ready;
use std::sync::Arc;

use greentic_types::{ErrorCode, SessionData, SessionKey};
use redis::Value;

use super::client::Client;
use super::config::RedisConfig;
use super::ownership::pointer::{Reservation, Retry};
use super::ownership::{KeyLayout, Location};
use super::script::reply::{Answer, Stored, outcome_unknown, unexpected};
use super::script::status::Status;
use super::script::wire::OwnerCall;
use crate::error::{Conflict, SessionErrorExt, SessionResult};
use crate::options::NextTtl;
use crate::owner::Owner;
use crate::sealing::Sealing;
use crate::session::Session;

/// Dispatches operations to the nodes of a store.
pub struct Dispatcher {
    pub client: Arc<Client>,
    pub layout: KeyLayout,
    pub sealing: Sealing,
}

impl Dispatcher {
    /// # Errors
    /// `InvalidInput` if the configuration is wrong.
    pub fn new(config: &RedisConfig) -> SessionResult<Self> {
        #[cfg(feature = "encryption")]
        let sealing = Sealing::new(config.encryption.as_ref(), config.response_timeout)?;
        #[cfg(not(feature = "encryption"))]
        let sealing = Sealing::default();
        let client = Arc::new(Client::new(config)?);
        let layout = KeyLayout::new(config, &client);
        Ok(Self {
            client,
            layout,
            sealing,
        })
    }

    /// Runs a script. Returns its answer, and whether an earlier attempt of this call may have been
    /// done.
    ///
    /// # Errors
    /// `Timeout` for every refusal of a repeat: the earlier attempt may have been done, and another
    /// call may have changed since what the script found (C14).
    pub async fn run(&self, call: OwnerCall<'_>) -> SessionResult<(Answer, bool)> {
        let (answer, repeated) = self.send(call).await?;
        match answer {
            Err(_refused) if repeated => Err(outcome_unknown()),
            answer => Ok((answer?, repeated)),
        }
    }

    /// As [`Dispatcher::run`], for a script that recognises its own earlier attempt and then has the
    /// same answer. If it finds its claim lost, it has not been done.
    pub async fn answer(&self, call: OwnerCall<'_>) -> SessionResult<Answer> {
        let (answer, repeated) = self.send(call).await?;
        answer.map_err(|refused| match refused.conflict() {
            Some(Conflict::ClaimLost) => refused,
            _ if repeated => outcome_unknown(),
            _ => refused,
        })
    }

    async fn send(&self, call: OwnerCall<'_>) -> SessionResult<(SessionResult<Answer>, bool)> {
        self.begin_sweep();
        let OwnerCall { keys, call } = call;
        let reply = self.client.run(call).await?;
        Ok((Answer::read(keys, reply.value), reply.repeated))
    }

    /// The location of the session with a key. None if no owner has the key, or one that is not
    /// `fence` (C38).
    pub async fn locate(
        &self,
        key: &SessionKey,
        fence: Option<&Owner>,
    ) -> SessionResult<Option<Location>> {
        self.begin_sweep();
        let location = self.layout.locate(key).await?;
        Ok(location.filter(|location| {
            let owner = location.owner.as_ref();
            owner.is_none_or(|owner| owner.is_within(fence))
        }))
    }

    /// Runs a script that writes a session with a given key: reserves the key for the owner first,
    /// and again if the owner's node refuses the reservation.
    pub async fn write_reserving_key<'a>(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: NextTtl,
        call: impl Fn(Option<Reservation>) -> OwnerCall<'a>,
    ) -> SessionResult<Answer> {
        // Only the session's node knows a TTL that is kept. The default is the first guess.
        let (NextTtl::Given(mut needed) | NextTtl::Kept(mut needed)) = ttl;
        let mut retry = Retry::default();
        loop {
            let reservation = self.layout.reserve(owner, key, needed, retry).await?;
            let until = reservation.map(|reservation| reservation.write_deadline);
            let (mut answer, is_valid) = match self.answer(call(reservation).until(until)).await {
                Ok(answer) if answer.status == Status::Ok => return Ok(answer),
                Ok(answer) if answer.status == Status::ExtendPointer => (answer, true),
                Ok(answer) if matches!(answer.status, Status::Late | Status::Stale) => {
                    (answer, false)
                }
                refused => {
                    self.layout.discard(owner, key, reservation);
                    return refused;
                }
            };
            let stamp = reservation.map(|reservation| reservation.pointer.stamp);
            retry = Retry {
                replaced: stamp.filter(|_| !is_valid),
                above: answer.number()?,
            };
            if is_valid {
                needed = answer.needed_ttl(ttl)?;
            }
        }
    }

    /// Runs a script that gives an existing session a deadline. If the script refuses it because
    /// the session's pointer ends too early, extends the pointer and runs the script again. `call`
    /// takes what was found of the pointer, for the script.
    pub async fn write_extending_pointer<'a>(
        &self,
        owner: Option<&Owner>,
        key: &SessionKey,
        ttl: NextTtl,
        call: impl Fn(String) -> OwnerCall<'a>,
    ) -> SessionResult<Answer> {
        let mut extended = String::new();
        loop {
            let mut answer = self.answer(call(extended)).await?;
            if answer.status != Status::ExtendPointer {
                return Ok(answer);
            }
            extended = self.layout.extend(owner, key, ttl, &mut answer).await?;
        }
    }

    /// A session that a script has found, opened.
    ///
    /// # Errors
    /// `Internal` if it cannot be read, `Unavailable` if the vault of its key does not answer.
    pub async fn opened(&self, stored: &Stored) -> SessionResult<Arc<Session>> {
        let open = || ready(self.opened_at_once(stored));
        self.sealing.with_keys(open).await
    }

    /// As [`Dispatcher::opened`], with the keys that are in memory.
    ///
    /// # Errors
    /// `Unavailable` if the key is not.
    pub fn opened_at_once(&self, stored: &Stored) -> SessionResult<Arc<Session>> {
        let (key, record) = (&stored.key, &stored.record);
        let data = self
            .sealing
            .open_session(&record.owner, key, &stored.payload)?;
        Ok(Arc::new(Session {
            data,
            key: key.clone(),
            revision: record.revision,
            deadline: record.deadline,
        }))
    }

    /// The data of a session, with one GET: a session whose payload exists is valid. For a store that
    /// does not encrypt: the answer names no owner.
    pub async fn payload(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        let Some(location) = self.locate(key, None).await? else {
            return Ok(None);
        };
        let name = location.keys.session(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let reply = self.client.command(command, name.as_bytes()).await;
        let reply = reply.map_err(|error| {
            if error.code == ErrorCode::Internal && error.message.contains("WRONGTYPE") {
                return location
                    .keys
                    .unreadable(name.as_bytes(), "its type is wrong");
            }
            error
        })?;
        match reply.value {
            Value::Nil => {
                self.layout.forget_at(&location, key, None);
                Ok(None)
            }
            Value::BulkString(bytes) => Sealing::clear_session(key, &bytes).map(Some),
            _ => Err(unexpected()),
        }
    }

    fn begin_sweep(&self) {
        if let Some(sweep) = self.layout.sweep() {
            sweep.begin();
        }
    }
}
