//! How the operations of the store are run.

use greentic_types::{ErrorCode, SessionData, SessionKey};
use redis::Value;

use super::RedisSessionStore;
use crate::backend::redis::ownership::Home;
use crate::backend::redis::ownership::pointer::{Reservation, Stale};
use crate::backend::redis::script::args::Args;
use crate::backend::redis::script::reply::{Answer, unexpected};
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::owner::Owner;
use crate::payload;

impl RedisSessionStore {
    /// Runs a script. Tells also whether it may have been done by an earlier attempt of this call.
    pub(crate) async fn run(&self, args: Args<'_>) -> SessionResult<(Answer, bool)> {
        self.begin_sweep();
        let keys = args.keys.clone();
        let reply = self.connections.run(args.call()).await?;
        Ok((Answer::read(keys, reply.value)?, reply.repeated))
    }

    /// Where the session of a key would be. None if nobody has the key.
    pub(crate) async fn locate(&self, key: &SessionKey) -> SessionResult<Option<Home>> {
        self.begin_sweep();
        self.homes.locate(key).await
    }

    fn begin_sweep(&self) {
        if let Some(sweep) = &self.sweep {
            sweep.begin();
        }
    }

    pub(crate) async fn answer(&self, args: Args<'_>) -> SessionResult<Answer> {
        self.run(args).await.map(|(answer, _repeated)| answer)
    }

    /// Runs a script that brings a session key, which leads to its owner from then on.
    pub(crate) async fn bring<'a>(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: Ttl,
        args: impl Fn(Reservation) -> Args<'a>,
    ) -> SessionResult<Answer> {
        let mut stale = None;
        loop {
            let reserved = self.homes.reserve(owner, key, ttl, stale).await?;
            let mut answer = self.answer(args(reserved)).await;
            stale = stale_of(reserved, &mut answer)?;
            if stale.is_none() {
                self.homes.settle(owner, key, reserved, &answer);
                return answer;
            }
        }
    }

    /// The data of a session. One GET: a session whose payload is there is readable.
    pub(crate) async fn payload(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
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

/// What of a refusal on the way is to be known by the next attempt.
pub(crate) fn refused(answer: &mut Answer) -> SessionResult<Option<Refused>> {
    match answer.status.as_str() {
        "LATE" => answer.number().map(Refused::Late).map(Some),
        "STALE" => answer.number().map(Refused::Stale).map(Some),
        _ => Ok(None),
    }
}

/// Why a call is to begin anew.
pub(crate) enum Refused {
    /// It came too long after its pointer was ready: the time, by the clock of the session's node. The
    /// next attempt makes the pointer ready after that.
    Late(u64),
    /// Its pointer may be gone: up to which stamp calls are refused.
    Stale(u64),
}

impl Refused {
    pub const fn late(&self) -> Option<u64> {
        match self {
            Self::Late(at) => Some(*at),
            Self::Stale(_) => None,
        }
    }
}

/// The pointer of a call that is to begin anew.
fn stale_of(
    reserved: Reservation,
    answer: &mut SessionResult<Answer>,
) -> SessionResult<Option<Stale>> {
    let (Some(stamp), Ok(answer)) = (reserved.seal.stamp(), answer) else {
        return Ok(None);
    };
    let refused = refused(answer)?;
    Ok(refused.map(|refused| Stale {
        stamp,
        late: refused.late(),
        fence: match refused {
            Refused::Late(_) => 0,
            Refused::Stale(fence) => fence,
        },
    }))
}
