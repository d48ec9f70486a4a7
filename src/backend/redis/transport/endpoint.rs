//! One server, and how to open a connection to it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{ProtocolVersion, RedisConnectionInfo};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::connection::{Link, tune};
use super::error::Failure;
use super::handshake::Greeting;
use super::tls;
use crate::backend::redis::config::address::{Address, Login};

/// How servers of one kind let us in.
pub(crate) struct Access {
    pub login: Login,
    pub database: i64,
    /// None: without TLS.
    pub tls: Option<TlsConnector>,
}

/// One server.
pub(crate) struct Node {
    pub address: Address,
    access: Arc<Access>,
    /// The server does not know RESP3.
    only_resp2: AtomicBool,
}

impl Node {
    pub const fn new(address: Address, access: Arc<Access>) -> Self {
        Self {
            address,
            access,
            only_resp2: AtomicBool::new(false),
        }
    }

    /// Opens a connection in at most `limit`, and tells what the server says it is.
    pub async fn open(&self, limit: Duration) -> Result<(Link, Greeting), Failure> {
        let opened = timeout(limit, async {
            let link = self.link(limit).await?;
            let greeting = Greeting::of(&link).await;
            Ok((link, greeting))
        });
        match opened.await {
            Ok(opened) => opened,
            // A server without TLS waits for the end of what it takes for a command.
            Err(_elapsed) if self.access.tls.is_some() => Err(self.unreachable(
                "no answer in time; where the server has no TLS the scheme is redis, not rediss",
            )),
            Err(_elapsed) => Err(self.unreachable("no answer in time")),
        }
    }

    async fn link(&self, limit: Duration) -> Result<Link, Failure> {
        if self.only_resp2.load(Ordering::Relaxed) {
            return self.link_with(ProtocolVersion::RESP2, limit).await;
        }
        match self.link_with(ProtocolVersion::RESP3, limit).await {
            Err(Failure::NoResp3) => {}
            opened => return opened,
        }
        let link = self.link_with(ProtocolVersion::RESP2, limit).await?;
        self.only_resp2.store(true, Ordering::Relaxed);
        Ok(link)
    }

    async fn link_with(&self, protocol: ProtocolVersion, limit: Duration) -> Result<Link, Failure> {
        let stream = self
            .connect(limit)
            .await
            .map_err(|error| self.unreachable(&error.to_string()))?;
        let settings = self.settings(protocol);
        let opened = match &self.access.tls {
            None => Link::over(stream, &settings).await,
            Some(connector) => {
                let stream = tls::open(connector, self.server_name()?, stream).await;
                let stream = stream.map_err(|error| self.without_tls(&error))?;
                Link::over(stream, &settings).await
            }
        };
        opened.map_err(|error| {
            Failure::of_opening(&self.address, self.access.database, protocol, &error)
        })
    }

    /// Tries the addresses of the host in turn, each with an equal share of the time.
    async fn connect(&self, limit: Duration) -> io::Result<TcpStream> {
        let addresses: Vec<_> = lookup_host((self.address.host.as_str(), self.address.port))
            .await?
            .collect();
        let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        let mut failure = io::Error::other("the host name has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    tune(&stream)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => failure = error,
                Err(_elapsed) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failure)
    }

    fn settings(&self, protocol: ProtocolVersion) -> RedisConnectionInfo {
        let mut settings = RedisConnectionInfo::default()
            .set_protocol(protocol)
            .set_db(self.access.database)
            .set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
        if let Some(user) = &self.access.login.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.access.login.password {
            settings = settings.set_password(password.reveal());
        }
        settings
    }

    fn server_name(&self) -> Result<ServerName<'static>, Failure> {
        ServerName::try_from(self.address.host.clone())
            .map_err(|_| self.denied("has a host name that TLS cannot check"))
    }

    fn without_tls(&self, error: &io::Error) -> Failure {
        match tls::advice(error) {
            Some(advice) => self.denied(advice),
            None => self.unreachable(&error.kind().to_string()),
        }
    }

    /// The server is of another kind than the URL says, or does not let us in.
    pub fn denied(&self, reason: &str) -> Failure {
        Failure::Denied(format!("{} {reason}", self.address))
    }

    pub fn unreachable(&self, reason: &str) -> Failure {
        Failure::Unreachable(format!("cannot reach {}: {reason}", self.address))
    }
}
