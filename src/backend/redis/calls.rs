//! How the operations of the store are run.

use greentic_types::{ErrorCode, SessionData, SessionKey};
use redis::Value;

use super::args::Args;
use super::homes::Home;
use super::pointer::{Life, Reservation, Stale};
use super::reply::{Answer, unexpected};
use super::store::RedisSessionStore;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::payload;

impl RedisSessionStore {
    /// Runs a script. Tells also whether it may have been done by an earlier attempt of this call.
    pub(super) async fn run(&self, args: Args<'_>) -> SessionResult<(Answer, bool)> {
        self.begin_sweep();
        let keys = args.keys.clone();
        let reply = self.connections.run(args.call()).await?;
        Ok((Answer::read(keys, reply.value)?, reply.repeated))
    }

    /// Where the session of a key would be. None if nobody has the key.
    pub(super) async fn locate(&self, key: &SessionKey) -> SessionResult<Option<Home>> {
        self.begin_sweep();
        self.homes.locate(key).await
    }

    fn begin_sweep(&self) {
        if let Some(sweep) = &self.sweep {
            sweep.begin();
        }
    }

    pub(super) async fn answer(&self, args: Args<'_>) -> SessionResult<Answer> {
        self.run(args).await.map(|(answer, _repeated)| answer)
    }

    /// Runs a script that brings a session key, which leads to its owner from then on.
    pub(super) async fn bring<'a>(
        &self,
        owner: &Owner,
        key: &SessionKey,
        life: Life,
        args: impl Fn(Reservation) -> Args<'a>,
    ) -> SessionResult<Answer> {
        let mut stale = None;
        loop {
            let reserved = self.homes.reserve(owner, key, life, stale).await?;
            let mut answer = self.answer(args(reserved)).await;
            stale = stale_of(reserved, &mut answer)?;
            if stale.is_none() {
                self.homes.settle(owner, key, reserved, &answer);
                return answer;
            }
        }
    }

    /// The data of a session. One GET: a session whose payload is there is readable.
    pub(super) async fn payload(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        let Some(home) = self.locate(key).await? else {
            return Ok(None);
        };
        let name = home.keys.session(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let reply = self.connections.command(command, name.as_bytes()).await;
        let reply = reply.map_err(|error| {
            if error.code == ErrorCode::Internal && error.message.contains("WRONGTYPE") {
                return home.keys.unreadable(name.as_bytes(), "its type is wrong");
            }
            error
        })?;
        match reply.value {
            Value::Nil => {
                self.homes.forget_at(&home, key, None);
                Ok(None)
            }
            Value::BulkString(bytes) => payload::decode(key, &bytes).map(Some),
            _ => Err(unexpected()),
        }
    }
}

/// When a call was refused that came too late after its pointer, by the clock of the session's node. The
/// next attempt makes the pointer ready after that instant.
pub(super) fn late(answer: &mut Answer) -> SessionResult<Option<u64>> {
    match answer.status.as_str() {
        "LATE" => answer.number().map(Some),
        _ => Ok(None),
    }
}

/// The pointer of a call that was refused because its pointer may be gone.
fn stale_of(
    reserved: Reservation,
    answer: &mut SessionResult<Answer>,
) -> SessionResult<Option<Stale>> {
    match (reserved.seal.stamp(), answer) {
        (Some(stamp), Ok(answer)) if answer.status == "STALE" => {
            let fence = answer.number()?;
            Ok(Some(Stale { stamp, fence }))
        }
        _ => Ok(None),
    }
}
