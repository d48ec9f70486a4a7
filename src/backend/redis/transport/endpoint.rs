//! One server, and the opening of connections to it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{ProtocolVersion, RedisConnectionInfo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::connection::{Connection, configure_socket};
use super::error::Failure;
use super::handshake::{Handshake, ServerHello};
use super::tls;
use crate::backend::redis::config::address::Address;
use crate::backend::redis::config::credentials::Credentials;
use crate::backend::redis::config::place::Place;
use crate::secret::Secret;

/// The settings that all connections to servers of one kind share.
pub struct ConnectionSettings {
    pub credentials: Credentials,
    pub database: i64,
    /// None without TLS.
    pub tls: Option<TlsConnector>,
    /// RESP3 is not tried.
    pub only_resp2: bool,
}

/// One server.
pub struct Endpoint {
    place: Place,
    settings: Arc<ConnectionSettings>,
    /// Whether the server does not support RESP3.
    only_resp2: AtomicBool,
}

impl Endpoint {
    pub fn new(place: impl Into<Place>, settings: Arc<ConnectionSettings>) -> Self {
        Self {
            place: place.into(),
            settings,
            only_resp2: AtomicBool::new(false),
        }
    }

    /// Opens a connection within `limit`, and asks the server for its kind and role.
    pub async fn connect(&self, limit: Duration) -> Result<(Connection, ServerHello), Failure> {
        let opened = timeout(limit, async {
            let (mut connection, protocol) = self.negotiate(limit).await?;
            let handshake = match Handshake::request(&connection, protocol).await {
                Some(handshake) => handshake,
                // A login with RESP2 and without a password asks nothing, so this is the first answer.
                None if protocol == ProtocolVersion::RESP2 => {
                    return Err(self.unreachable("closed the connection"));
                }
                // A lost connection fails its first call.
                None => Handshake::default(),
            };
            if let Some(time) = handshake.time {
                connection.clock.set(time);
            }
            connection.id = handshake.id;
            Ok((connection, handshake.hello))
        });
        match opened.await {
            Ok(opened) => opened,
            // A server without TLS takes the TLS handshake for the beginning of a command, and
            // waits.
            Err(_elapsed) if self.settings.tls.is_some() => Err(self.unreachable(
                "no answer in time; if the server has no TLS the scheme is redis, not rediss",
            )),
            Err(_elapsed) => Err(self.unreachable("no answer in time")),
        }
    }

    /// Connects with RESP3, or with RESP2 to a server or a proxy that refuses that or hangs up.
    async fn negotiate(&self, limit: Duration) -> Result<(Connection, ProtocolVersion), Failure> {
        const RESP2: ProtocolVersion = ProtocolVersion::RESP2;
        if self.settings.only_resp2 || self.only_resp2.load(Ordering::Relaxed) {
            return Ok((self.connect_with(RESP2, limit).await?, RESP2));
        }
        let refusal = match self.connect_with(ProtocolVersion::RESP3, limit).await {
            Ok(connection) => return Ok((connection, ProtocolVersion::RESP3)),
            Err(failure @ (Failure::NoResp3 | Failure::HungUp(_))) => failure,
            Err(failure) => return Err(failure),
        };
        let connection = self.connect_with(RESP2, limit).await?;
        // A server that hung up may have been about to restart: it is asked again the next time.
        if refusal == Failure::NoResp3 {
            self.only_resp2.store(true, Ordering::Relaxed);
        }
        Ok((connection, RESP2))
    }

    async fn connect_with(
        &self,
        protocol: ProtocolVersion,
        limit: Duration,
    ) -> Result<Connection, Failure> {
        let failed = |error: io::Error| self.unreachable(&error.to_string());
        match &self.place {
            Place::Socket(path) => {
                let stream = open_unix_socket(path).await.map_err(failed)?;
                self.log_in(stream, protocol).await
            }
            Place::Address(address) => {
                let stream = open_socket(address, limit).await.map_err(failed)?;
                let Some(connector) = &self.settings.tls else {
                    return self.log_in(stream, protocol).await;
                };
                let name = self.server_name(address)?;
                let stream = tls::handshake(connector, name, stream).await;
                let stream = stream.map_err(|error| self.tls_failure(&error))?;
                self.log_in(stream, protocol).await
            }
        }
    }

    async fn log_in<S>(&self, stream: S, protocol: ProtocolVersion) -> Result<Connection, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let opened = Connection::open(stream, &self.connection_info(protocol)).await;
        opened.map_err(|error| {
            Failure::of_opening(&self.place, self.settings.database, protocol, &error)
        })
    }
    fn connection_info(&self, protocol: ProtocolVersion) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default()
            .set_protocol(protocol)
            .set_db(self.settings.database);
        info = match protocol {
            // A proxy may hang up at a command that it does not know.
            ProtocolVersion::RESP2 => info.set_skip_set_lib_name(),
            _ => info.set_lib_name(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
        };
        let Credentials { user, password } = &self.settings.credentials;
        if let Some(user) = user {
            info = info.set_username(user);
        }
        // A user without a password logs in with an empty one. Without a login the server would
        // take the connection for the default user's.
        let password = password.as_ref().map(Secret::reveal);
        if let Some(password) = password.or_else(|| user.as_ref().map(|_| "")) {
            info = info.set_password(password);
        }
        info
    }

    fn server_name(&self, address: &Address) -> Result<ServerName<'static>, Failure> {
        ServerName::try_from(address.host.clone())
            .map_err(|_| self.denied("has a host name that TLS cannot verify"))
    }

    fn tls_failure(&self, error: &io::Error) -> Failure {
        match tls::advice(error) {
            Some(advice) => self.denied(advice),
            None => self.unreachable(&error.kind().to_string()),
        }
    }

    /// A failure that only an operator can resolve: wrong credentials, or a wrong kind of server.
    pub fn denied(&self, reason: &str) -> Failure {
        Failure::Denied(format!("{} {reason}", self.place))
    }

    /// A failure that may pass.
    pub fn unreachable(&self, reason: &str) -> Failure {
        Failure::Unreachable(format!("cannot reach {}: {reason}", self.place))
    }
}

/// Tries the addresses of a host one after the other, each with an equal share of the time.
async fn open_socket(address: &Address, limit: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((address.host.as_str(), address.port))
        .await?
        .collect();
    let share = limit / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
    let mut failure = io::Error::other("the host name has no address");
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                configure_socket(&stream)?;
                return Ok(stream);
            }
            Ok(Err(error)) => failure = error,
            Err(_elapsed) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failure)
}

#[cfg(unix)]
async fn open_unix_socket(path: &str) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(path).await
}

#[cfg(not(unix))]
async fn open_unix_socket(_path: &str) -> io::Result<TcpStream> {
    Err(io::Error::other("this system has no Unix sockets"))
}
