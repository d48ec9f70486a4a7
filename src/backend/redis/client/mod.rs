//! The client of a store: sends calls to the right server, and repeats them after failures.

mod cluster;
pub mod cursor;
pub mod fan_out;
pub mod lost_attempts;
mod redirect;
mod replication;
mod retry;
pub mod scan;
mod slot_map;
pub mod topology;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use greentic_types::{ErrorCode, GreenticError};
use redis::{Cmd, Pipeline, Value};
use tokio::time::{Instant, sleep, timeout_at};

use self::redirect::{Target, route_after};
use self::replication::Replication;
use self::retry::{RetryState, Timeouts};
use self::topology::{Masters, Route, Topology};
use super::config::RedisConfig;
use super::config::address::Address;
use super::script::reply::{late, unexpected};
use super::script::{Call, Reply, ScriptForm};
use super::transport::connection::{Connection, MAX_IN_FLIGHT, Outgoing};
use super::transport::error::Failure;
use super::transport::info;
use super::transport::runtime::Runtime;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::observe::{Event, Fact, Storage, Watch};

#[cfg(test)]
thread_local! {
    /// The number of requests that calls of this thread sent. Background tasks run on other
    /// threads.
    pub static ROUND_TRIPS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// The client of one store.
///
/// Its futures run on any executor, and may be dropped at any time.
pub struct Client {
    topology: Topology,
    replication: Option<Replication>,
    runtime: OnceLock<Arc<Runtime>>,
    timeouts: Timeouts,
    watch: Watch,
}

impl Client {
    /// Prepares the connections; opens none.
    ///
    /// # Errors
    /// `InvalidInput` if the configuration is wrong.
    pub fn new(config: &RedisConfig) -> SessionResult<Self> {
        config.check()?;
        Ok(Self {
            topology: Topology::new(config)?,
            replication: Replication::new(config),
            runtime: OnceLock::new(),
            timeouts: Timeouts {
                connect: config.connect_timeout,
                response: config.response_timeout,
            },
            watch: config.watch.clone(),
        })
    }

    /// Runs a script: by its hash, and by its text if the server does not know the hash. A plain command
    /// that stands for it is tried before.
    ///
    /// If the connection is lost the call is repeated until the response timeout. The script must
    /// recognise a repeat by its operation id.
    ///
    /// # Errors
    /// `Unavailable`: the server was not reached or refused the call; nothing was done. `Timeout`:
    /// the outcome is unknown. `RateLimited`: the server is out of memory; nothing was done.
    /// `Internal`: the script failed.
    pub async fn run(&self, call: Call<'_>) -> SessionResult<Reply> {
        let request = Request {
            key: call.key(),
            route: Route::Master,
            has_one_key: call.has_one_key,
            mutating: call.mutating(),
        };
        self.send(Batch::Script(&call, call.first_form()), request)
            .await
    }

    /// Runs a command that changes nothing, at the master of the key's slot.
    ///
    /// # Errors
    /// As [`Client::run`].
    pub async fn command(&self, command: Cmd, key: &[u8]) -> SessionResult<Reply> {
        let request = Request::reading(key, Route::Master);
        self.send(Batch::Command(command), request).await
    }

    /// Runs a command that changes nothing and has no key, at one server.
    ///
    /// # Errors
    /// As [`Client::run`].
    pub async fn command_at(&self, route: &Route, command: Cmd) -> SessionResult<Reply> {
        let request = Request::reading(b"", route.clone());
        self.send(Batch::Command(command), request).await
    }

    /// Runs commands that change nothing and have no key, on one connection to one server and in
    /// one round trip: the same process answers them all.
    ///
    /// # Errors
    /// As [`Client::run`], for the first command that fails.
    pub async fn commands_at(&self, route: &Route, commands: Pipeline) -> SessionResult<Value> {
        let request = Request::reading(b"", route.clone());
        let reply = self.send(Batch::Commands(commands), request).await?;
        Ok(reply.value)
    }

    /// Runs commands that change nothing at one server, in one round trip. Each has its own answer,
    /// which may be an error.
    ///
    /// # Errors
    /// As [`Client::run`], if the server does not answer.
    pub async fn answers_at(&self, route: &Route, commands: Pipeline) -> SessionResult<Vec<Value>> {
        let request = Request::reading(b"", route.clone());
        let reply = self.send(Batch::Several(commands), request).await?;
        reply.value.into_sequence().map_err(|_| unexpected())
    }

    /// The known master of a slot, on a Cluster.
    pub fn master_of(&self, slot: u16) -> Option<Address> {
        self.topology.master_of(slot)
    }

    /// The time of the master of the key's slot.
    ///
    /// # Errors
    /// As [`Client::run`].
    pub async fn time(&self, key: &[u8]) -> SessionResult<Timestamp> {
        let reply = self.command(redis::cmd("TIME"), key).await?;
        info::time(reply.value).ok_or_else(unexpected)
    }

    /// The masters, which together have all keys.
    ///
    /// # Errors
    /// `Unavailable` if no server answers.
    pub async fn masters(&self) -> SessionResult<Masters> {
        let runtime = self.runtime()?;
        let masters = async {
            let deadline = Instant::now() + self.timeouts.connect;
            self.topology.masters(runtime, deadline).await
        };
        let masters = runtime.with_timers(masters).await;
        masters.map_err(Failure::into_error)
    }

    /// The I/O threads, for background tasks.
    ///
    /// # Errors
    /// `Unavailable` if the operating system refuses threads.
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

    /// The open connections to the only server.
    #[cfg(test)]
    pub fn open_connections(&self) -> Vec<Arc<Connection>> {
        self.topology.open_connections()
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        self.topology.is_closed()
    }

    async fn send(&self, batch: Batch<'_>, request: Request<'_>) -> SessionResult<Reply> {
        let runtime = self.runtime()?;
        let attempts = self.send_with_retries(runtime, batch, request);
        runtime.with_timers(attempts).await
    }

    async fn send_with_retries(
        &self,
        runtime: &Arc<Runtime>,
        mut batch: Batch<'_>,
        request: Request<'_>,
    ) -> SessionResult<Reply> {
        let is_cluster = self.topology.is_cluster();
        let mut retry = RetryState::new(self.timeouts, request.route.clone(), is_cluster);
        let slot = self.topology.slot(request.key);
        loop {
            #[cfg(test)]
            ROUND_TRIPS.with(|trips| trips.set(trips.get() + 1));
            let begun = self.watch.begin();
            let attempt = self.attempt(runtime, &mut batch, &request, slot, &mut retry);
            let attempt = attempt.await;
            if let Some(took) = begun.took() {
                self.tell(batch.name(), took, attempt.as_ref().err());
            }
            let failure = match attempt {
                Ok(value) => {
                    if let Some(value) = batch.answer(value) {
                        let repeated = retry.outcome_unknown;
                        return Ok(Reply { value, repeated });
                    }
                    continue;
                }
                Err(failure) => failure,
            };
            let target = Target {
                slot,
                route: &request.route,
                has_one_key: request.has_one_key,
            };
            let next_route = route_after(&failure, &self.topology, runtime, &target);
            match (&mut batch, &failure) {
                (Batch::Script(_, form @ ScriptForm::Sha1), Failure::NoScript) => {
                    *form = ScriptForm::Text;
                    continue;
                }
                // The call must reserve its session key anew.
                (Batch::Script(call, _), Failure::Late(time))
                    if call.write_deadline.is_some_and(|deadline| deadline < *time) =>
                {
                    let (value, repeated) = (late(*time), retry.outcome_unknown);
                    return Ok(Reply { value, repeated });
                }
                _ => {}
            }
            retry.route = next_route;
            match retry.pause_after(&failure) {
                Some(pause) => {
                    let fact = match failure {
                        Failure::Moved(_) | Failure::Ask(_) => Fact::Redirected,
                        _ => Fact::Repeated,
                    };
                    self.watch.fact("redis", fact, 1);
                    sleep(pause).await;
                }
                None => {
                    retry.lost.wait().await;
                    return Err(retry.into_error(failure));
                }
            }
        }
    }

    /// Tells the observer of a request.
    fn tell(&self, name: &'static str, took: Duration, failure: Option<&Failure>) {
        // What the call goes on with at once is no error.
        let is_next = |failure: &&Failure| {
            matches!(
                failure,
                Failure::NoScript | Failure::Moved(_) | Failure::Ask(_)
            )
        };
        let failed = failure.filter(|failure| !is_next(failure));
        let error = failed.map(|failure| failure.clone().into_error().code);
        let storage = Storage::new("redis", name, took, error);
        self.watch.tell(&Event::Storage(storage));
    }

    async fn attempt(
        &self,
        runtime: &Arc<Runtime>,
        batch: &mut Batch<'_>,
        request: &Request<'_>,
        slot: u16,
        retry: &mut RetryState,
    ) -> Result<Value, Failure> {
        let replication = self.replication.as_ref().filter(|_| request.mutating);
        let budget = retry.connect_budget();
        let pool = self
            .topology
            .pool(runtime, slot, &retry.route, budget.deadline);
        let pool = pool.await?;
        let connection = pool
            .connection(runtime, budget, replication.is_some())
            .await?;
        let Ok(room) = timeout_at(retry.deadline, connection.room()).await else {
            return Err(Failure::Final(
                ErrorCode::RateLimited,
                format!("{MAX_IN_FLIGHT} calls wait for the server; nothing was done"),
            ));
        };
        retry.lost.end(&connection, retry.deadline).await?;
        if connection.id.is_none() {
            batch.require_script();
        }
        let end = self.attempt_end(&connection, retry.deadline);
        let asking = matches!(retry.route, Route::AskTarget(_));
        let outgoing = |command: Cmd| match replication {
            Some(replication) => {
                Outgoing::Commands(replication.wrap(&command, request.key, asking))
            }
            None if asking => Outgoing::Commands(with_asking(&command)),
            None => Outgoing::Command(command),
        };
        let outgoing = match batch {
            Batch::Script(call, form) => {
                call.note_sent();
                if !retry.outcome_unknown {
                    retry.first_sent = Instant::now();
                }
                let clock = &connection.clock;
                let first_sent = retry
                    .outcome_unknown
                    .then(|| clock.shown_at(retry.first_sent));
                outgoing(call.command(*form, clock.deadline(end), first_sent))
            }
            Batch::Command(command) => outgoing(command.clone()),
            Batch::Commands(commands) | Batch::Several(commands) => {
                Outgoing::Commands(commands.clone())
            }
        };
        let limit = self.timeouts.response;
        let exchange = connection.exchange(outgoing, room, runtime, limit);
        let sent = timeout_at(retry.deadline, async {
            let answer = exchange.await?;
            match (batch, replication) {
                (Batch::Several(_), _) => Ok(answer),
                (Batch::Commands(_), _) => answer.extract_error().map_err(Failure::from),
                (_, Some(replication)) => replication.answer(answer, asking),
                (_, None) if asking => {
                    let answers = answer.into_sequence().unwrap_or_default();
                    let answer = answers.into_iter().nth(1).unwrap_or(Value::Nil);
                    answer.extract_error().map_err(Failure::from)
                }
                (_, None) => Ok(answer),
            }
        });
        let answer = sent.await.unwrap_or(Err(Failure::NoAnswer));
        if let Err(failure) = &answer {
            if failure.ends_connection() {
                connection.mark_unusable();
            }
            match failure {
                Failure::Late(time) => connection.clock.set(*time),
                Failure::ConnectionLost if request.mutating => {
                    retry.outcome_unknown = true;
                    retry.lost.add(&connection, end);
                }
                _ => {}
            }
        }
        answer
    }

    /// The end of an attempt, by the local clock: its write deadline. If its connection cannot be
    /// closed, a repeat waits for that, so there must be time for one.
    fn attempt_end(&self, connection: &Connection, deadline: Instant) -> Instant {
        match connection.id {
            Some(_) => deadline,
            None => deadline.min(Instant::now() + self.timeouts.response / 4),
        }
    }
}

/// A command for the node that imports the slot: without ASKING the node would refuse it.
fn with_asking(command: &Cmd) -> Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.cmd("ASKING").add_command(command.clone());
    pipeline
}

/// What is sent in one round trip.
enum Batch<'a> {
    Script(&'a Call<'a>, ScriptForm),
    /// A command that changes nothing.
    Command(Cmd),
    /// Commands that change nothing and have no key.
    Commands(Pipeline),
    /// Commands that change nothing, of which each has its own answer.
    Several(Pipeline),
}

impl Batch<'_> {
    /// The name that observers are told.
    fn name(&self) -> &'static str {
        match self {
            Self::Command(_) | Self::Script(_, ScriptForm::Plain) => "command",
            Self::Script(call, _) => call.script.name(),
            Self::Commands(_) | Self::Several(_) => "commands",
        }
    }

    /// A proxy may split a command on several keys: where there may be one, the script itself is sent.
    const fn require_script(&mut self) {
        if let Self::Script(_, form @ ScriptForm::Plain) = self {
            *form = ScriptForm::Sha1;
        }
    }

    /// The answer to a batch that was sent; none if the script must be sent next.
    fn answer(&mut self, value: Value) -> Option<Value> {
        let Self::Script(call, form) = self else {
            return Some(value);
        };
        let answer = call.answer(*form, value);
        if answer.is_none() {
            *form = ScriptForm::Sha1;
        }
        answer
    }
}

/// What the client must know of a command to route and to repeat it.
struct Request<'a> {
    key: &'a [u8],
    /// The route of the first attempt.
    route: Route,
    /// The command uses no key but `key`, so it can follow that key to an importing node.
    has_one_key: bool,
    /// After a lost connection its outcome is unknown.
    mutating: bool,
}

impl<'a> Request<'a> {
    /// A command that changes nothing.
    const fn reading(key: &'a [u8], route: Route) -> Self {
        Self {
            key,
            route,
            has_one_key: true,
            mutating: false,
        }
    }
}
