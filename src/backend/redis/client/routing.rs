//! The servers of a store, and which of them a call goes to.

use std::sync::Arc;

use tokio::time::Instant;

use super::cluster::Cluster;
use super::hash_slot::slot_of;
use crate::backend::redis::config::RedisConfig;
use crate::backend::redis::config::address::{Address, Login};
use crate::backend::redis::config::url::Place;
use crate::backend::redis::transport::connector::Topology;
use crate::backend::redis::transport::endpoint::{Access, Node};
use crate::backend::redis::transport::error::Failure;
use crate::backend::redis::transport::pool::Pool;
use crate::backend::redis::transport::runtime::Runtime;
use crate::backend::redis::transport::sentinel::Sentinels;
use crate::backend::redis::transport::tls;
use crate::error::SessionResult;

/// The servers of a store.
pub(crate) enum Servers {
    /// One that takes all calls.
    One(Arc<Pool>),
    /// A cluster, where the key of a call decides.
    Many(Cluster),
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the master of its slot.
    Master,
    /// To this node.
    Node(Address),
    /// To the node that the slot is moving to.
    Asked(Address),
}

/// Where every key is.
pub(crate) struct Layout {
    /// A route to each master, always in the same order.
    pub masters: Vec<Route>,
    /// The same as long as the same nodes serve the same slots.
    pub fingerprint: String,
}

impl Servers {
    /// # Errors
    /// `InvalidInput` if a certificate cannot be used.
    pub fn of(config: &RedisConfig) -> SessionResult<Self> {
        let reach = &config.reach;
        let access = |login: &Login, database| -> SessionResult<Access> {
            let tls = reach
                .secure
                .then(|| tls::connector(&reach.tls))
                .transpose()?;
            Ok(Access {
                login: login.clone(),
                database,
                tls,
            })
        };
        let topology = match &reach.place {
            Place::Single { server, database } => {
                let access = access(&reach.login, *database)?;
                Topology::Single(Node::new(server.clone(), Arc::new(access)))
            }
            Place::Sentinel {
                sentinels,
                master,
                database,
            } => Topology::Sentinel(Sentinels::new(
                sentinels.clone(),
                access(&reach.sentinel_login, 0)?,
                master,
                access(&reach.login, *database)?,
            )),
            Place::Cluster { seeds } => {
                let access = access(&reach.login, 0)?;
                return Ok(Self::Many(Cluster::new(seeds.clone(), access, config)));
            }
        };
        Ok(Self::One(Arc::new(Pool::new(topology, config))))
    }

    /// Whether a call that fails at one server may succeed at another.
    pub const fn are_many(&self) -> bool {
        matches!(self, Self::Many(_))
    }

    /// The slot of a key, where that decides on the server.
    pub fn slot(&self, key: &[u8]) -> u16 {
        match self {
            Self::One(_) => 0,
            Self::Many(_) => slot_of(key),
        }
    }

    /// The connections to the server of a route.
    pub async fn pool(
        &self,
        runtime: &Arc<Runtime>,
        slot: u16,
        route: &Route,
        until: Instant,
    ) -> Result<Arc<Pool>, Failure> {
        match (self, route) {
            (Self::One(pool), _) => Ok(Arc::clone(pool)),
            (Self::Many(cluster), Route::Node(node) | Route::Asked(node)) => Ok(cluster.node(node)),
            (Self::Many(cluster), Route::Master) => cluster.master(runtime, slot, until).await,
        }
    }

    pub async fn layout(&self, runtime: &Arc<Runtime>, until: Instant) -> Result<Layout, Failure> {
        match self {
            // One server serves all; which one, a failover may change, and its process tells.
            Self::One(_) => Ok(Layout {
                masters: vec![Route::Master],
                fingerprint: "0".to_owned(),
            }),
            Self::Many(cluster) => {
                let (masters, fingerprint) = cluster.layout(runtime, until).await?;
                let masters = masters.into_iter().map(Route::Node).collect();
                Ok(Layout {
                    masters,
                    fingerprint,
                })
            }
        }
    }

    /// Takes note of a failure.
    pub fn learn(&self, runtime: &Arc<Runtime>, slot: u16, failure: &Failure) {
        if let Self::Many(cluster) = self {
            cluster.learn(runtime, slot, failure);
        }
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub fn are_closed(&self) -> bool {
        match self {
            Self::One(pool) => pool.is_closed(),
            Self::Many(cluster) => cluster.is_closed(),
        }
    }
}
