//! The servers of a store, and the routes to them.

use std::sync::Arc;

use tokio::time::Instant;

use super::cluster::Cluster;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::config::address::Address;
use crate::backend::redis::config::credentials::Credentials;
use crate::backend::redis::config::protocol::RedisProtocol;
use crate::backend::redis::config::url::Deployment;
use crate::backend::redis::hash_slot::slot_of;
#[cfg(test)]
use crate::backend::redis::transport::connection::Connection;
use crate::backend::redis::transport::connector::Connector;
use crate::backend::redis::transport::endpoint::{ConnectionSettings, Endpoint};
use crate::backend::redis::transport::error::Failure;
use crate::backend::redis::transport::pool::Pool;
use crate::backend::redis::transport::runtime::Runtime;
use crate::backend::redis::transport::sentinel::Sentinels;
use crate::backend::redis::transport::tls;
use crate::error::SessionResult;

/// The servers of a store.
pub enum Topology {
    /// One server takes all calls; with sentinels, the current master.
    One(Arc<Pool>),
    /// The hash slot of a call's key determines the node.
    Cluster(Cluster),
}

/// The destination of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The master of the key's slot.
    Master,
    /// A node.
    Node(Address),
    /// The node named in an ASK answer, which imports the slot.
    AskTarget(Address),
}

/// The masters, which together have all keys.
pub struct Masters {
    /// A route to each master, in a fixed order.
    pub routes: Vec<Route>,
    /// Changes when other nodes serve the slots.
    pub fingerprint: String,
}

impl Topology {
    /// # Errors
    /// `InvalidInput` if a TLS certificate or key cannot be used.
    pub fn new(config: &RedisConfig) -> SessionResult<Self> {
        let target = &config.target;
        let settings = |credentials: &Credentials, database| -> SessionResult<_> {
            let tls = target.uses_tls.then(|| tls::connector(&target.tls));
            Ok(ConnectionSettings {
                credentials: credentials.clone(),
                database,
                tls: tls.transpose()?,
                only_resp2: config.protocol == RedisProtocol::Resp2,
            })
        };
        let connector = match &target.deployment {
            Deployment::Single { server, database } => {
                let settings = settings(&target.credentials, *database)?;
                Connector::Single(Endpoint::new(server.clone(), Arc::new(settings)))
            }
            Deployment::Sentinel {
                sentinels,
                master,
                database,
            } => Connector::Sentinel(Sentinels::new(
                sentinels.clone(),
                settings(&target.sentinel_credentials, 0)?,
                master,
                settings(&target.credentials, *database)?,
            )),
            Deployment::Cluster { seeds } => {
                let settings = settings(&target.credentials, 0)?;
                return Ok(Self::Cluster(Cluster::new(seeds.clone(), settings, config)));
            }
        };
        Ok(Self::One(Arc::new(Pool::new(connector, config))))
    }

    pub const fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    /// The hash slot of a key; 0 where slots do not matter.
    pub fn slot(&self, key: &[u8]) -> u16 {
        match self {
            Self::One(_) => 0,
            Self::Cluster(_) => slot_of(key),
        }
    }

    /// The master of a slot, if the slot map has it.
    pub fn master_of(&self, slot: u16) -> Option<Address> {
        match self {
            Self::One(_) => None,
            Self::Cluster(cluster) => cluster.master_of(slot),
        }
    }

    /// The connections to the server of a route.
    pub async fn pool(
        &self,
        runtime: &Arc<Runtime>,
        slot: u16,
        route: &Route,
        deadline: Instant,
    ) -> Result<Arc<Pool>, Failure> {
        match (self, route) {
            (Self::One(pool), _) => Ok(Arc::clone(pool)),
            (Self::Cluster(cluster), Route::Node(node) | Route::AskTarget(node)) => {
                Ok(cluster.node(node))
            }
            (Self::Cluster(cluster), Route::Master) => {
                cluster.master(runtime, slot, deadline).await
            }
        }
    }

    pub async fn masters(
        &self,
        runtime: &Arc<Runtime>,
        deadline: Instant,
    ) -> Result<Masters, Failure> {
        match self {
            // A failover may replace the master; its run id then differs.
            Self::One(_) => Ok(Masters {
                routes: vec![Route::Master],
                fingerprint: "0".to_owned(),
            }),
            Self::Cluster(cluster) => {
                let (masters, fingerprint) = cluster.masters(runtime, deadline).await?;
                let routes = masters.into_iter().map(Route::Node).collect();
                Ok(Masters {
                    routes,
                    fingerprint,
                })
            }
        }
    }

    /// The open connections to the only server.
    #[cfg(test)]
    pub fn open_connections(&self) -> Vec<Arc<Connection>> {
        match self {
            Self::One(pool) => pool.open_connections().collect(),
            Self::Cluster(_) => Vec::new(),
        }
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        match self {
            Self::One(pool) => pool.is_closed(),
            Self::Cluster(cluster) => cluster.is_closed(),
        }
    }
}
