//! The opening of connections to the server that takes writes, per deployment.

use std::time::Duration;

use tokio::time::timeout;

use super::connection::Connection;
use super::endpoint::Endpoint;
use super::error::Failure;
use super::handshake::ServerMode;
use super::sentinel::Sentinels;

/// Opens connections to one server.
pub enum Connector {
    /// The only server.
    Single(Endpoint),
    /// The master that the sentinels name; they are asked for each connection.
    Sentinel(Sentinels),
    /// One node of a cluster.
    Cluster(Endpoint),
}

impl Connector {
    /// Opens a connection within `limit`. Fails if the server is of another kind than the URL says.
    pub async fn connect(&self, limit: Duration) -> Result<Connection, Failure> {
        match self {
            Self::Single(endpoint) => {
                let (connection, hello) = endpoint.connect(limit).await?;
                match hello.mode {
                    Some(ServerMode::Cluster) => Err(endpoint
                        .denied("is a node of a cluster: its URL begins with redis-cluster://")),
                    Some(ServerMode::Sentinel) => Err(endpoint.denied(
                        "is a sentinel: its URL is redis-sentinel://host:port/master-name",
                    )),
                    _ => Ok(connection),
                }
            }
            Self::Cluster(endpoint) => {
                let (connection, hello) = endpoint.connect(limit).await?;
                match hello.mode {
                    Some(ServerMode::Standalone | ServerMode::Sentinel) => {
                        Err(endpoint
                            .denied("is no node of a cluster: its URL begins with redis://"))
                    }
                    _ => Ok(connection),
                }
            }
            Self::Sentinel(sentinels) => match timeout(limit, sentinels.connect(limit)).await {
                Ok(connected) => connected,
                Err(_elapsed) => Err(sentinels.unreachable("no answer in time")),
            },
        }
    }

    /// A failure that may pass, with the name of the server.
    pub fn unreachable(&self, reason: &str) -> Failure {
        match self {
            Self::Single(endpoint) | Self::Cluster(endpoint) => endpoint.unreachable(reason),
            Self::Sentinel(sentinels) => sentinels.unreachable(reason),
        }
    }
}
