//! The connections of a store, and the calls that go over them.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError};
use redis::Cmd;
use tokio::time::{Instant, sleep, timeout_at};

use super::backoff::pause;
use super::config::RedisConfig;
use super::failure::Failure;
use super::pool::Pool;
use super::replication::Replication;
use super::runtime::Runtime;
use super::script::{Call, Reply};
use super::slot::Patience;
use super::topology::Topology;
use crate::error::SessionResult;

/// The connections of one store. They open when a call needs them, and again when they were lost.
///
/// The futures run on any executor, and may be dropped at any time.
pub(super) struct Connections {
    pool: Pool,
    replication: Option<Replication>,
    runtime: OnceLock<Arc<Runtime>>,
    connect_timeout: Duration,
    response_timeout: Duration,
}

impl Connections {
    /// Prepares the connections; opens nothing.
    ///
    /// # Errors
    /// `InvalidInput` if the configuration is wrong.
    pub fn new(config: &RedisConfig) -> SessionResult<Self> {
        config.check()?;
        Ok(Self {
            pool: Pool::new(Topology::of(config)?, config),
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
        let task = Task {
            key,
            mutating: false,
            text: None,
        };
        self.perform(command, task).await
    }

    async fn perform(&self, command: Cmd, task: Task<'_>) -> SessionResult<Reply> {
        let runtime = self.runtime().map_err(|error| {
            let message = format!("the I/O threads did not start: {}", error.kind());
            GreenticError::new(ErrorCode::Unavailable, message)
        })?;
        runtime.lend(self.attempts(runtime, command, task)).await
    }

    async fn attempts(
        &self,
        runtime: &Runtime,
        mut command: Cmd,
        mut task: Task<'_>,
    ) -> SessionResult<Reply> {
        let mut course = Course::new(self);
        loop {
            let failure = match self.attempt(runtime, &command, &task, &course).await {
                Ok(value) => {
                    let repeated = course.unknown;
                    return Ok(Reply { value, repeated });
                }
                Err(failure) => failure,
            };
            if failure == Failure::NoScript
                && let Some(call) = task.text.take()
            {
                command = call.by_text();
                continue;
            }
            course.unknown |= task.mutating && failure == Failure::Lost;
            match course.pause_after(&failure) {
                Some(pause) => sleep(pause).await,
                None => return Err(course.give_up(failure)),
            }
        }
    }

    async fn attempt(
        &self,
        runtime: &Runtime,
        command: &Cmd,
        task: &Task<'_>,
        course: &Course,
    ) -> Result<redis::Value, Failure> {
        let replication = self.replication.as_ref().filter(|_| task.mutating);
        let patience = course.patience();
        let link = self
            .pool
            .link(runtime, patience, replication.is_some())
            .await?;
        let sent = timeout_at(course.deadline, async {
            match replication {
                None => link.send(command).await,
                Some(replication) => {
                    let answers = link.send_all(&replication.wrap(command, task.key)).await;
                    return replication.unwrap(answers.map_err(|error| Failure::of_call(&error))?);
                }
            }
            .map_err(|error| Failure::of_call(&error))
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
        self.pool.is_closed()
    }

    fn runtime(&self) -> io::Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let shared = Runtime::shared()?;
        Ok(self.runtime.get_or_init(|| shared))
    }
}

/// What is asked of the server.
struct Task<'a> {
    key: &'a [u8],
    /// A lost connection leaves it unknown whether it was done.
    mutating: bool,
    /// The call to send again by its text if the server does not know the script.
    text: Option<&'a Call<'a>>,
}

/// How far a call has come.
struct Course {
    /// When its time is up, over all attempts.
    deadline: Instant,
    /// Until when it waits for a server that answers, but cannot do it now.
    willing: Instant,
    connect_timeout: Duration,
    /// An attempt has an unknown outcome.
    unknown: bool,
    failures: u32,
}

impl Course {
    fn new(connections: &Connections) -> Self {
        let now = Instant::now();
        let deadline = now + connections.response_timeout;
        Self {
            deadline,
            willing: deadline.min(now + connections.connect_timeout),
            connect_timeout: connections.connect_timeout,
            unknown: false,
            failures: 0,
        }
    }

    /// A call that may have been done already goes on until it knows.
    fn patience(&self) -> Patience {
        let connect = Instant::now() + self.connect_timeout;
        Patience {
            until: if self.unknown {
                self.deadline
            } else {
                connect.min(self.deadline)
            },
            persistent: self.unknown,
        }
    }

    /// How long to wait before the next attempt; none if there is to be none.
    fn pause_after(&mut self, failure: &Failure) -> Option<Duration> {
        let (pause, end) = match failure {
            // The first loss tells nothing about the server: the connection may have been idle.
            Failure::Lost => (pause(self.failures), self.deadline),
            Failure::NotNow(_) if self.unknown => (pause(self.failures + 1), self.deadline),
            Failure::NotNow(_) => (pause(self.failures + 1), self.willing),
            _ => return None,
        };
        self.failures += 1;
        (Instant::now() + pause < end).then_some(pause)
    }

    /// The error of a call that was never done, or of one that may have been done.
    fn give_up(&self, failure: Failure) -> GreenticError {
        let error = failure.into_error();
        match error.code {
            ErrorCode::Unavailable | ErrorCode::RateLimited if self.unknown => GreenticError::new(
                ErrorCode::Timeout,
                format!(
                    "the connection was lost, and the call was done or not done; then: {}",
                    error.message
                ),
            ),
            _ => error,
        }
    }
}
