//! The connections of a store, and the calls that go over them.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError};
use redis::Cmd;
use tokio::time::{Instant, sleep, timeout_at};

use super::backoff::pause;
use super::config::RedisConfig;
use super::failure::Failure;
use super::link::Link;
use super::runtime::Runtime;
use super::script::{Call, Reply};
use super::slot::{Patience, Slot};
use super::topology::Topology;
use crate::error::SessionResult;

/// The connections of one store. They open when a call needs them, and again when they were lost.
///
/// The futures run on any executor, and may be dropped at any time.
pub(super) struct Connections {
    slots: Box<[Slot]>,
    next: AtomicUsize,
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
        let topology = Arc::new(Topology::of(config));
        let slot = Slot::new(topology, config.connect_timeout);
        Ok(Self {
            slots: (0..config.connections).map(|_| slot.another()).collect(),
            next: AtomicUsize::new(0),
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
            mutating: call.mutating,
            text: Some(&call),
        };
        self.perform(call.by_sha1(), task).await
    }

    /// Runs a plain command that changes nothing.
    ///
    /// # Errors
    /// As [`Connections::run`].
    pub async fn command(&self, command: Cmd) -> SessionResult<Reply> {
        let task = Task {
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
            let failure = match self.attempt(runtime, &command, &course).await {
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
        course: &Course,
    ) -> Result<redis::Value, Failure> {
        let link = self.link(runtime, course.patience()).await?;
        let failure = match timeout_at(course.deadline, link.send(command)).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Failure::of_call(&error),
            Err(_elapsed) => Failure::NoAnswer,
        };
        if failure.ends_connection() {
            link.retire();
        }
        Err(failure)
    }

    /// The next connection in turn. A call waits for it to open only where no other is open.
    async fn link(&self, runtime: &Runtime, patience: Patience) -> Result<Arc<Link>, Failure> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let slot = &self.slots[turn];
        if let Some(link) = slot.open_soon(runtime) {
            return Ok(link);
        }
        if let Some(link) = self.slots.iter().find_map(Slot::open) {
            return Ok(link);
        }
        slot.link(runtime, patience).await
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub fn are_closed(&self) -> bool {
        self.slots.iter().all(|slot| slot.open().is_none())
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
