//! How the operations of the store are run.

use greentic_types::{ErrorCode, SessionData, SessionKey};
use redis::Value;

use super::args::Args;
use super::pointers::Seal;
use super::reply::{Answer, unexpected};
use super::store::RedisSessionStore;
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::owner::Owner;
use crate::payload;

impl RedisSessionStore {
    /// Runs a script. Tells also whether it may have been done by an earlier attempt of this call.
    pub(super) async fn run(&self, args: Args<'_>) -> SessionResult<(Answer, bool)> {
        let keys = args.keys.clone();
        let reply = self.connections.run(args.call()).await?;
        Ok((Answer::read(keys, reply.value)?, reply.repeated))
    }

    pub(super) async fn answer(&self, args: Args<'_>) -> SessionResult<Answer> {
        self.run(args).await.map(|(answer, _repeated)| answer)
    }

    /// Runs a script that brings a session key, which leads to its owner from then on.
    pub(super) async fn bring<'a>(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: Ttl,
        args: impl Fn(Seal) -> Args<'a>,
    ) -> SessionResult<Answer> {
        let mut stale = None;
        loop {
            let seal = self.homes.reserve(owner, key, stale).await?;
            let answer = self.keep(owner, key, seal, ttl, args(seal)).await?;
            if answer.status != "STALE" {
                return Ok(answer);
            }
            stale = Some(seal);
        }
    }

    /// Runs a script that gives a session a deadline. What leads to the session gets it too.
    pub(super) async fn keep(
        &self,
        owner: &Owner,
        key: &SessionKey,
        seal: Seal,
        ttl: Ttl,
        args: Args<'_>,
    ) -> SessionResult<Answer> {
        let extension = self.homes.extend(owner, key, seal, ttl)?;
        let answer = self.answer(args).await;
        let homes = &self.homes;
        homes.extended(owner, key, seal, extension, &answer).await?;
        answer
    }

    /// The data of a session. One GET: a session whose payload is there is readable.
    pub(super) async fn payload(&self, key: &SessionKey) -> SessionResult<Option<SessionData>> {
        let Some(home) = self.homes.locate(key).await? else {
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
