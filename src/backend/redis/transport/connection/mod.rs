//! One open connection, which many calls share.

mod drive_lock;
mod driver;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisResult, Value};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use self::driver::Driver;

/// How many calls fit into the queue of a connection. It is large because a call must not wait for
/// room: while it waits it reserves room even if its thread is blocked by another call.
const QUEUE_SIZE: usize = 1 << 16;

/// An open connection. It closes when the last call that uses it has ended.
pub struct Connection {
    multiplexed: MultiplexedConnection,
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
            unusable,
            driver,
            io_task: io_task.abort_handle(),
        })
    }

    /// Sends a command and waits for its answer, without a time limit.
    pub async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let mut multiplexed = self.multiplexed.clone();
        let sent = multiplexed.send_packed_command(command);
        self.driver.request(sent).await?.extract_error()
    }

    /// Sends commands in one write and waits for all their answers, each of which may be an error.
    pub async fn send_all(&self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut multiplexed = self.multiplexed.clone();
        let sent = multiplexed.send_packed_commands(commands, 0, commands.len());
        self.driver.request(sent).await
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
