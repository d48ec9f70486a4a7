//! One open connection, shared by many calls.

mod driver;
mod turn;

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

/// How many calls may be queued on a connection before the next one waits for room. No call should:
/// one that waits holds its place also while its thread is blocked by another.
const QUEUE: usize = 1 << 16;

/// An open connection. It is closed when the last call that uses it has ended.
pub(crate) struct Link {
    connection: MultiplexedConnection,
    /// Set when the connection is lost, or must not be used by further calls.
    retired: Arc<AtomicBool>,
    driver: Arc<Driver>,
    io_task: AbortHandle,
}

impl Link {
    /// Speaks the protocol's opening words over a fresh socket. Must run on the I/O runtime.
    pub async fn over<S>(stream: S, settings: &RedisConnectionInfo) -> RedisResult<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None) // the caller has a deadline over all attempts
            .set_pipeline_buffer_size(QUEUE);
        let (connection, io) =
            MultiplexedConnection::new_with_config(settings, stream, config).await?;
        let retired = Arc::new(AtomicBool::new(false));
        let end = Retire(Arc::clone(&retired));
        let driver = Arc::new(Driver::new(async move {
            let _end = end;
            io.await;
        }));
        let task = Arc::clone(&driver);
        let io_task = tokio::spawn(async move { task.run().await });
        Ok(Self {
            connection,
            retired,
            driver,
            io_task: io_task.abort_handle(),
        })
    }

    /// Sends a command and waits for its answer, for as long as that takes.
    pub async fn send(&self, command: &Cmd) -> RedisResult<Value> {
        let mut connection = self.connection.clone();
        let sent = connection.send_packed_command(command);
        self.driver.carry(sent).await?.extract_error()
    }

    /// Sends commands at once, and waits for all their answers, which may be errors.
    pub async fn send_all(&self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut connection = self.connection.clone();
        let sent = connection.send_packed_commands(commands, 0, commands.len());
        self.driver.carry(sent).await
    }

    /// Keeps further calls off this connection; those that are on it go on.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.io_task.abort();
    }
}

/// Retires a connection when its driver ends, for whatever reason.
struct Retire(Arc<AtomicBool>);

impl Drop for Retire {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Sends small writes at once, and notices a peer that is gone while nothing is sent.
pub(crate) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(15))
        .with_interval(Duration::from_secs(5));
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
