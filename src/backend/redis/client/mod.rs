//! The connections of a store, and the calls that go over them.

mod cluster;
mod cursor;
pub mod hash_slot;
pub mod info;
mod replication;
mod retry;
pub mod routing;
pub mod scan;
pub mod side_by_side;
mod slot_map;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError};
use redis::{Cmd, Pipeline};
use tokio::time::{Instant, sleep, timeout_at};

use self::replication::Replication;
use self::retry::Course;
use self::routing::{Layout, Route, Servers};
use super::config::RedisConfig;
use super::script::{Call, Reply};
use super::transport::error::Failure;
use super::transport::runtime::Runtime;
use crate::error::SessionResult;

#[cfg(test)]
thread_local! {
    /// How often this thread asked a server; the background does so on threads of its own.
    pub(crate) static ROUND_TRIPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The connections of one store. They open when a call needs them, and again when they were lost.
///
/// The futures run on any executor, and may be dropped at any time.
pub(crate) struct Connections {
    servers: Servers,
    replication: Option<Replication>,
    runtime: OnceLock<Arc<Runtime>>,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

impl Connections {
    /// Prepares the connections; opens nothing.
    ///
    /// # Errors
    /// `InvalidInput` if the configuration is wrong.
    pub fn new(config: &RedisConfig) -> SessionResult<Self> {
        config.check()?;
        Ok(Self {
            servers: Servers::of(config)?,
            replication: Replication::of(config),
            runtime: OnceLock::new(),
            connect_timeout: config.connect_timeout,
            response_timeout: config.response_timeout,
        })
    }

    /// Runs a script: by its hash, and by its text where the server does not know the hash.
    ///
    /// A call whose connection is lost is made again within the response timeout; the script must
    /// recognise a repeat by its operation id.
    ///
    /// # Errors
    /// `Unavailable`: the server was not reached or refused, nothing was done. `Timeout`: done or
    /// not done. `RateLimited`: the server is out of memory, nothing was done. `Internal`: the
    /// script failed.
    pub async fn run(&self, call: Call<'_>) -> SessionResult<Reply> {
        let task = Task {
            key: call.key(),
            route: Route::Master,
            has_one_key: call.has_one_key,
            mutating: call.mutating,
            text: Some(&call),
        };
        self.perform(call.by_sha1(), task).await
    }

    /// Runs a plain command that changes nothing, on a key if it has one.
    ///
    /// # Errors
    /// As [`Connections::run`].
    pub async fn command(&self, command: Cmd, key: &[u8]) -> SessionResult<Reply> {
        self.perform(command, Task::plain(key, Route::Master)).await
    }

    /// As [`Connections::command`], for a command about all keys that are somewhere.
    ///
    /// # Errors
    /// As [`Connections::run`].
    pub async fn command_at(&self, route: &Route, command: Cmd) -> SessionResult<Reply> {
        self.perform(command, Task::plain(b"", route.clone())).await
    }

    /// Where all keys are.
    ///
    /// # Errors
    /// `Unavailable` if no server tells.
    pub async fn layout(&self) -> SessionResult<Layout> {
        let runtime = self.runtime()?;
        let layout = async {
            let until = Instant::now() + self.connect_timeout;
            self.servers.layout(runtime, until).await
        };
        runtime.lend(layout).await.map_err(Failure::into_error)
    }

    async fn perform(&self, command: Cmd, task: Task<'_>) -> SessionResult<Reply> {
        let runtime = self.runtime()?;
        runtime.lend(self.attempts(runtime, command, task)).await
    }

    async fn attempts(
        &self,
        runtime: &Arc<Runtime>,
        mut command: Cmd,
        mut task: Task<'_>,
    ) -> SessionResult<Reply> {
        let mut course = Course::new(self, task.route.clone(), self.servers.are_many());
        let slot = self.servers.slot(task.key);
        loop {
            #[cfg(test)]
            ROUND_TRIPS.with(|trips| trips.set(trips.get() + 1));
            let attempt = self.attempt(runtime, &command, &task, slot, &course);
            let failure = match attempt.await {
                Ok(value) => {
                    let repeated = course.unknown;
                    return Ok(Reply { value, repeated });
                }
                Err(failure) => failure,
            };
            self.servers.learn(runtime, slot, &failure);
            if failure == Failure::NoScript
                && let Some(call) = task.text.take()
            {
                command = call.by_text();
                continue;
            }
            course.unknown |= task.mutating && failure == Failure::Lost;
            course.route = match &failure {
                Failure::Ask(address) if task.has_one_key => Route::Asked(address.clone()),
                _ => task.route.clone(),
            };
            match course.pause_after(&failure) {
                Some(pause) => sleep(pause).await,
                None => return Err(course.give_up(failure)),
            }
        }
    }

    async fn attempt(
        &self,
        runtime: &Arc<Runtime>,
        command: &Cmd,
        task: &Task<'_>,
        slot: u16,
        course: &Course,
    ) -> Result<redis::Value, Failure> {
        let replication = self.replication.as_ref().filter(|_| task.mutating);
        let patience = course.patience();
        let pool = self
            .servers
            .pool(runtime, slot, &course.route, patience.until);
        let pool = pool.await?;
        let link = pool.link(runtime, patience, replication.is_some()).await?;
        let sent = timeout_at(course.deadline, async {
            let asking = matches!(course.route, Route::Asked(_));
            match replication {
                None if !asking => link.send(command).await.map_err(Failure::from),
                None => {
                    let answers = link.send_all(&asked(command)).await?;
                    let answer = answers.into_iter().nth(1).unwrap_or(redis::Value::Nil);
                    answer.extract_error().map_err(Failure::from)
                }
                Some(replication) => {
                    let commands = replication.wrap(command, task.key, asking);
                    replication.unwrap(link.send_all(&commands).await?, asking)
                }
            }
        });
        let answer = sent.await.unwrap_or(Err(Failure::NoAnswer));
        if answer.as_ref().is_err_and(Failure::ends_connection) {
            link.retire();
        }
        answer
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub fn are_closed(&self) -> bool {
        self.servers.are_closed()
    }

    /// The threads that do the I/O.
    ///
    /// # Errors
    /// `Unavailable` if the system gives none.
    pub fn runtime(&self) -> SessionResult<&Arc<Runtime>> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let shared = Runtime::shared().map_err(|error| {
            let message = format!("the I/O threads did not start: {}", error.kind());
            GreenticError::new(ErrorCode::Unavailable, message)
        })?;
        Ok(self.runtime.get_or_init(|| shared))
    }
}

/// A command for a node that does not serve the slot yet, but has the key already.
fn asked(command: &Cmd) -> Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.cmd("ASKING").add_command(command.clone());
    pipeline
}

/// What is asked of the server.
struct Task<'a> {
    key: &'a [u8],
    /// Where it goes at first.
    route: Route,
    /// It touches no other key: so it can follow that key to a node that the slot is moving to.
    has_one_key: bool,
    /// A lost connection leaves it unknown whether it was done.
    mutating: bool,
    /// The call to send again by its text if the server does not know the script.
    text: Option<&'a Call<'a>>,
}

impl<'a> Task<'a> {
    /// A plain command that changes nothing.
    const fn plain(key: &'a [u8], route: Route) -> Self {
        Self {
            key,
            route,
            has_one_key: true,
            mutating: false,
            text: None,
        }
    }
}
