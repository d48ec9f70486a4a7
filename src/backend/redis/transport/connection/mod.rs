//! One open connection, which many calls share.

mod drive_lock;
mod driver;

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisResult, Value};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use self::driver::Driver;
use super::connection_id::ConnectionId;
use super::error::Failure;
use super::info;
use super::runtime::Runtime;
use super::runtime::finished_when_dropped::FinishedWhenDropped;
use super::server_clock::ServerClock;
use crate::clock::whole_millis;

/// A connection that was silent for so long may be dead: it is checked before its next call.
const MAX_SILENCE: Duration = Duration::from_secs(5);
/// The server's clock is measured again after that. An older measurement gives earlier deadlines.
const MAX_AGE: Duration = Duration::from_secs(60);

/// How many calls may be in flight on a connection. Further ones are not sent before one of these is
/// answered, and never if they are dropped first.
pub const MAX_IN_FLIGHT: usize = 4096;
/// How many requests fit into the queue of a connection: all calls, and requests about the
/// connection itself.
const QUEUE_SIZE: usize = 2 * MAX_IN_FLIGHT;

/// What is sent in one write.
pub enum Outgoing {
    Command(Cmd),
    Commands(Pipeline),
}

/// The permission to send a call. Dropping it lets another call be sent.
pub struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

/// An open connection. It closes when the last call that uses it has ended.
pub struct Connection {
    multiplexed: MultiplexedConnection,
    /// None if the connection cannot be closed by another one.
    pub id: Option<ConnectionId>,
    pub clock: ServerClock,
    room: Arc<Semaphore>,
    opened: Instant,
    /// When the last answer was heard, on the scale of [`Connection::age_millis`].
    heard: AtomicU64,
    /// The check that runs, or ran last.
    check: Mutex<Option<watch::Receiver<Option<bool>>>>,
    /// Set when the connection is lost, or further calls must not use it.
    unusable: Arc<AtomicBool>,
    driver: Arc<Driver>,
    io_task: AbortHandle,
}

impl Connection {
    /// Opens the Redis protocol on a new stream: logs in and selects the database. Must run on the
    /// I/O runtime.
    pub async fn open<S>(stream: S, settings: &RedisConnectionInfo) -> RedisResult<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None) // the client has a deadline over all attempts
            .set_pipeline_buffer_size(QUEUE_SIZE);
        let (multiplexed, io) =
            MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let unusable = Arc::new(AtomicBool::new(false));
        let end = MarkUnusable(Arc::clone(&unusable));
        let driver = Arc::new(Driver::new(async move {
            let _end = end;
            io.await;
        }));
        let task = Arc::clone(&driver);
        let io_task = tokio::spawn(async move { task.run().await });
        Ok(Self {
            multiplexed,
            id: None,
            clock: ServerClock::unknown(),
            room: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            opened: Instant::now(),
            heard: AtomicU64::new(whole_millis(MAX_SILENCE)),
            check: Mutex::default(),
            unusable,
            driver,
            io_task: io_task.abort_handle(),
        })
    }

    /// Waits until a call may be sent.
    pub async fn room(&self) -> Room {
        Room {
            _permit: Arc::clone(&self.room).acquire_owned().await.ok(),
        }
    }

    /// Sends the request of a call. If the future is dropped, the call stays in flight until it is
    /// answered, for `limit` at most.
    pub fn exchange(
        self: &Arc<Self>,
        outgoing: Outgoing,
        room: Room,
        runtime: &Arc<Runtime>,
        limit: Duration,
    ) -> impl Future<Output = RedisResult<Value>> + use<> {
        let (connection, runtime) = (Arc::clone(self), Arc::clone(runtime));
        let exchange = async move {
            let _room = room;
            match outgoing {
                Outgoing::Command(command) => connection.send(&command).await,
                Outgoing::Commands(commands) => {
                    connection.send_all(&commands).await.map(Value::Array)
                }
            }
        };
        FinishedWhenDropped::new(exchange, move |rest| {
            runtime.spawn(async move {
                let _answered = timeout(limit, rest).await;
            });
        })
    }

    /// Sends a command and waits for its answer, without a time limit.
    pub async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let mut multiplexed = self.multiplexed.clone();
        let sent = multiplexed.send_packed_command(command);
        let answer = self.driver.request(sent).await?;
        self.hear();
        answer.extract_error()
    }

    /// Sends commands in one write and waits for all their answers, each of which may be an error.
    pub async fn send_all(&self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut multiplexed = self.multiplexed.clone();
        let sent = multiplexed.send_packed_commands(commands, 0, commands.len());
        let answers = self.driver.request(sent).await?;
        self.hear();
        Ok(answers)
    }

    fn hear(&self) {
        self.heard.store(self.age_millis(), Ordering::Relaxed);
    }

    /// The time since the connection was opened, and [`MAX_SILENCE`].
    fn age_millis(&self) -> u64 {
        whole_millis(self.opened.elapsed() + MAX_SILENCE)
    }

    /// Whether the connection must be checked before a call uses it.
    pub fn is_silent(&self) -> bool {
        let heard = self.heard.load(Ordering::Relaxed);
        self.age_millis().saturating_sub(heard) >= whole_millis(MAX_SILENCE)
    }

    /// Lets the connection look as if it had been silent.
    #[cfg(test)]
    pub fn pretend_silence(&self) {
        self.heard.store(0, Ordering::Relaxed);
    }

    /// Measures the server's clock in the background, if the measurement is old.
    pub fn keep_clock(self: &Arc<Self>, runtime: &Runtime, limit: Duration) {
        if self.clock.age() >= MAX_AGE {
            let _measured = self.start_check(runtime, limit);
        }
    }

    /// Whether the server answers on this connection within `limit`. Calls that ask at the same time
    /// share one request.
    pub async fn answers(self: &Arc<Self>, runtime: &Runtime, limit: Duration) -> bool {
        let mut check = self.start_check(runtime, limit);
        let answered = timeout(limit, check.wait_for(Option::is_some)).await;
        matches!(answered, Ok(Ok(answered)) if *answered == Some(true))
    }

    /// Starts to ask for the time, unless that is running.
    fn start_check(
        self: &Arc<Self>,
        runtime: &Runtime,
        limit: Duration,
    ) -> watch::Receiver<Option<bool>> {
        let mut running = self.check.lock();
        if let Some(check) = running.as_ref().filter(|check| check.borrow().is_none()) {
            return check.clone();
        }
        let (sender, check) = watch::channel(None);
        *running = Some(check.clone());
        let connection = Arc::clone(self);
        runtime.spawn(async move {
            let answers = connection.check(limit).await;
            sender.send_replace(Some(answers));
        });
        check
    }

    /// Asks for the time. False if there is no answer within `limit`.
    async fn check(&self, limit: Duration) -> bool {
        match timeout(limit, self.send(&redis::cmd("TIME"))).await {
            Ok(Ok(time)) => {
                if let Some(time) = info::micros(time) {
                    self.clock.set(time);
                }
                true
            }
            Ok(Err(error)) => Failure::of_call(&error) != Failure::ConnectionLost,
            Err(_elapsed) => false,
        }
    }

    /// Excludes further calls from this connection. Calls that already use it continue.
    pub fn mark_unusable(&self) {
        self.unusable.store(true, Ordering::Release);
    }

    pub fn is_usable(&self) -> bool {
        !self.unusable.load(Ordering::Acquire)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.io_task.abort();
    }
}

/// Marks a connection unusable when its driver ends, also by a panic.
struct MarkUnusable(Arc<AtomicBool>);

impl Drop for MarkUnusable {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Sends small writes without delay, and detects a lost peer on an idle connection.
pub fn configure_socket(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5));
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
