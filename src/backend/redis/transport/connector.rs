//! Which server a connection leads to.

use std::time::Duration;

use tokio::time::timeout;

use super::connection::Link;
use super::endpoint::Node;
use super::error::Failure;
use super::handshake::Mode;
use super::sentinel::Sentinels;

/// Where a connection of a slot leads.
pub(crate) enum Topology {
    /// To the one server.
    Single(Node),
    /// To the server that the sentinels name, asked anew for each connection.
    Sentinel(Sentinels),
    /// To one node of a cluster.
    Cluster(Node),
}

impl Topology {
    /// Opens a connection to the server that takes writes, in at most `limit`.
    pub async fn open(&self, limit: Duration) -> Result<Link, Failure> {
        match self {
            Self::Single(node) => {
                let (link, greeting) = node.open(limit).await?;
                match greeting.mode {
                    Some(Mode::Cluster) => {
                        Err(node
                            .denied("is a node of a cluster: its URL begins with redis-cluster://"))
                    }
                    Some(Mode::Sentinel) => Err(node.denied(
                        "is a sentinel: its URL is redis-sentinel://host:port/master-name",
                    )),
                    _ => Ok(link),
                }
            }
            Self::Cluster(node) => {
                let (link, greeting) = node.open(limit).await?;
                match greeting.mode {
                    Some(Mode::Standalone | Mode::Sentinel) => {
                        Err(node.denied("is no node of a cluster: its URL begins with redis://"))
                    }
                    _ => Ok(link),
                }
            }
            Self::Sentinel(sentinels) => match timeout(limit, sentinels.open(limit)).await {
                Ok(opened) => opened,
                Err(_elapsed) => Err(sentinels.unreachable("no answer in time")),
            },
        }
    }

    /// A failure that names the server.
    pub fn unreachable(&self, reason: &str) -> Failure {
        match self {
            Self::Single(node) | Self::Cluster(node) => node.unreachable(reason),
            Self::Sentinel(sentinels) => sentinels.unreachable(reason),
        }
    }
}
