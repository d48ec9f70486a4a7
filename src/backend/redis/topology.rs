//! Where the server is, and how to open a connection to it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{ProtocolVersion, RedisConnectionInfo};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::config::RedisConfig;
use super::failure::Failure;
use super::link::Link;
use super::url::Server;

/// The servers that hold the data.
pub(super) enum Topology {
    /// One server.
    Single(Node),
}

impl Topology {
    pub fn of(config: &RedisConfig) -> Self {
        Self::Single(Node::new(config.server.clone()))
    }

    /// Opens a connection to the server that takes writes, in at most `limit`.
    pub async fn open(&self, limit: Duration) -> Result<Link, Failure> {
        let Self::Single(node) = self;
        match timeout(limit, node.open(limit)).await {
            Ok(opened) => opened,
            Err(_elapsed) => Err(self.unreachable("no answer in time")),
        }
    }

    /// A failure that names the server.
    pub fn unreachable(&self, reason: &str) -> Failure {
        let Self::Single(node) = self;
        node.unreachable(reason)
    }
}

/// One server.
pub(super) struct Node {
    server: Server,
    /// The server does not know RESP3.
    only_resp2: AtomicBool,
}

impl Node {
    const fn new(server: Server) -> Self {
        Self {
            server,
            only_resp2: AtomicBool::new(false),
        }
    }

    async fn open(&self, limit: Duration) -> Result<Link, Failure> {
        if self.only_resp2.load(Ordering::Relaxed) {
            return self.open_with(ProtocolVersion::RESP2, limit).await;
        }
        match self.open_with(ProtocolVersion::RESP3, limit).await {
            Err(Failure::NoResp3) => {}
            opened => return opened,
        }
        let link = self.open_with(ProtocolVersion::RESP2, limit).await?;
        self.only_resp2.store(true, Ordering::Relaxed);
        Ok(link)
    }

    async fn open_with(&self, protocol: ProtocolVersion, limit: Duration) -> Result<Link, Failure> {
        let stream = self
            .connect(limit)
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        Link::over(stream, &self.settings(protocol))
            .await
            .map_err(|error| Failure::of_opening(&self.server, protocol, &error))
    }

    /// Tries the addresses of the host in turn, each with an equal share of the time.
    async fn connect(&self, limit: Duration) -> io::Result<TcpStream> {
        let addresses: Vec<_> = lookup_host((self.server.host.as_str(), self.server.port))
            .await?
            .collect();
        let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut failure = io::Error::other("the host name has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = error,
                Err(_elapsed) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failure)
    }

    fn settings(&self, protocol: ProtocolVersion) -> RedisConnectionInfo {
        let mut settings = RedisConnectionInfo::default()
            .set_protocol(protocol)
            .set_db(self.server.database)
            .set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        if let Some(user) = &self.server.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.server.password {
            settings = settings.set_password(password.reveal());
        }
        settings
    }

    fn unreachable(&self, reason: &str) -> Failure {
        Failure::Unreachable(format!("cannot reach {}: {reason}", self.server.address()))
    }
}
