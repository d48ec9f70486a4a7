//! Which server a connection leads to.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::address::Login;
use super::config::RedisConfig;
use super::failure::Failure;
use super::greeting::Mode;
use super::link::Link;
use super::node::{Access, Node};
use super::sentinel::Sentinels;
use super::url::Place;
use crate::error::{SessionResult, invalid_input};

/// Where a connection of a slot leads.
pub(super) enum Topology {
    /// To the one server.
    Single(Node),
    /// To the server that the sentinels name, asked anew for each connection.
    Sentinel(Sentinels),
}

impl Topology {
    /// # Errors
    /// `InvalidInput` if a certificate cannot be used.
    pub fn of(config: &RedisConfig) -> SessionResult<Self> {
        let connector = || {
            config
                .reach
                .secure
                .then(|| config.reach.tls.connector())
                .transpose()
        };
        let access = |login: &Login, database| -> SessionResult<Access> {
            Ok(Access {
                login: login.clone(),
                database,
                tls: connector()?,
            })
        };
        Ok(match &config.reach.place {
            Place::Single { server, database } => {
                let access = access(&config.reach.login, *database)?;
                Self::Single(Node::new(server.clone(), Arc::new(access)))
            }
            Place::Sentinel {
                sentinels,
                master,
                database,
            } => Self::Sentinel(Sentinels::new(
                sentinels.clone(),
                access(&config.reach.sentinel_login, 0)?,
                master,
                access(&config.reach.login, *database)?,
            )),
            Place::Cluster { .. } => return Err(invalid_input("clusters are not supported yet")),
        })
    }

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
            Self::Sentinel(sentinels) => match timeout(limit, sentinels.open(limit)).await {
                Ok(opened) => opened,
                Err(_elapsed) => Err(sentinels.unreachable("no answer in time")),
            },
        }
    }

    /// A failure that names the server.
    pub fn unreachable(&self, reason: &str) -> Failure {
        match self {
            Self::Single(node) => node.unreachable(reason),
            Self::Sentinel(sentinels) => sentinels.unreachable(reason),
        }
    }
}
