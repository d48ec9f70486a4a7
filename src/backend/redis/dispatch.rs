//! The dispatch of an operation to the owner's node: finds or reserves the session key, runs the
//! script, and begins anew if the node refused the reservation.

use std::sync::Arc;

use greentic_types::{ErrorCode, SessionData, SessionKey};
use redis::Value;

use super::client::Client;
use super::config::RedisConfig;
use super::ownership::pointer::{FencedPointer, Reservation};
use super::ownership::{KeyLayout, Location};
use super::script::args::OwnerCall;
use super::script::reply::{Answer, unexpected};
use super::script::status::Status;
use crate::error::SessionResult;
use crate::options::TtlMillis;
use crate::owner::Owner;
use crate::payload;

/// Dispatches operations to the nodes of a store.
pub struct Dispatcher {
    pub client: Arc<Client>,
    pub layout: KeyLayout,
}

impl Dispatcher {
    /// # Errors
    /// `InvalidInput` if the configuration is wrong.
    pub fn new(config: &RedisConfig) -> SessionResult<Self> {
        let client = Arc::new(Client::new(config)?);
        let layout = KeyLayout::new(config, &client);
        Ok(Self { client, layout })
    }

    /// Runs a script. Returns its answer, and whether an earlier attempt of this call may have been
    /// done.
    pub async fn run(&self, call: OwnerCall<'_>) -> SessionResult<(Answer, bool)> {
        self.begin_sweep();
        let OwnerCall { keys, call } = call;
        let reply = self.client.run(call).await?;
        Ok((Answer::read(keys, reply.value)?, reply.repeated))
    }

    /// As [`Dispatcher::run`], for a script whose repeat has the same answer.
    pub async fn answer(&self, call: OwnerCall<'_>) -> SessionResult<Answer> {
        self.run(call).await.map(|(answer, _repeated)| answer)
    }

    /// The location of the session with a key. None if no owner has the key.
    pub async fn locate(&self, key: &SessionKey) -> SessionResult<Option<Location>> {
        self.begin_sweep();
        self.layout.locate(key).await
    }

    /// Runs a script that writes a session with a given key: reserves the key for the owner first,
    /// and again if the owner's node refuses the reservation.
    pub async fn write_reserving_key<'a>(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: TtlMillis,
        call: impl Fn(Option<Reservation>) -> OwnerCall<'a>,
    ) -> SessionResult<Answer> {
        let mut fenced = None;
        loop {
            let reservation = self.layout.reserve(owner, key, ttl, fenced).await?;
            let mut answer = self.answer(call(reservation)).await;
            fenced = fenced_pointer(reservation, &mut answer)?;
            if fenced.is_none() {
                self.layout.settle(owner, key, reservation, &answer);
                return answer;
            }
        }
    }

    /// The data of a session, with one GET: a session whose payload exists is valid.
    pub async fn payload(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        let Some(location) = self.locate(key).await? else {
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
            Value::BulkString(bytes) => payload::decode(key, &bytes).map(Some),
            _ => Err(unexpected()),
        }
    }

    fn begin_sweep(&self) {
        if let Some(sweep) = self.layout.sweep() {
            sweep.begin();
        }
    }
}

/// The refusal of a reservation by the owner's node. The call has changed nothing, and begins anew.
pub enum Refusal {
    /// The write deadline has passed: the time of the node, in microseconds. The next write
    /// deadline counts from it.
    Late(u64),
    /// The pointer may have been removed: the highest fenced stamp.
    Stale(u64),
}

impl Refusal {
    /// The refusal in an answer.
    ///
    /// # Errors
    /// `Internal` if the answer has another form.
    pub fn of(answer: &mut Answer) -> SessionResult<Option<Self>> {
        match answer.status {
            Status::Late => answer.number().map(Self::Late).map(Some),
            Status::Stale => answer.number().map(Self::Stale).map(Some),
            _ => Ok(None),
        }
    }

    /// The time of the node that refused a late write.
    pub const fn refused_at(&self) -> Option<u64> {
        match self {
            Self::Late(at) => Some(*at),
            Self::Stale(_) => None,
        }
    }
}

/// The pointer that the next reservation replaces, if the reservation was refused.
fn fenced_pointer(
    reservation: Option<Reservation>,
    answer: &mut SessionResult<Answer>,
) -> SessionResult<Option<FencedPointer>> {
    let (Some(reservation), Ok(answer)) = (reservation, answer) else {
        return Ok(None);
    };
    let refusal = Refusal::of(answer)?;
    Ok(refusal.map(|refusal| FencedPointer {
        stamp: reservation.stamp,
        fence: match refusal {
            Refusal::Late(_) => 0,
            Refusal::Stale(fence) => fence,
        },
        refused_at: refusal.refused_at(),
    }))
}
