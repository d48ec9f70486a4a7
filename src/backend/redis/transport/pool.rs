//! The connections to one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::connection::Connection;
use super::connector::Connector;
use super::error::Failure;
use super::reconnect::{ConnectBudget, ReconnectingConnection};
use super::runtime::Runtime;
use crate::backend::redis::config::RedisConfig;

/// The connections to one server, used round-robin.
pub struct Pool {
    connections: Box<[ReconnectingConnection]>,
    /// The connections for calls that wait for replicas, which block a connection meanwhile.
    blocking: Box<[ReconnectingConnection]>,
    next: AtomicUsize,
}

impl Pool {
    /// Prepares the connections; opens none.
    pub fn new(connector: Connector, config: &RedisConfig) -> Self {
        let connector = Arc::new(connector);
        let connection =
            || ReconnectingConnection::new(Arc::clone(&connector), config.connect_timeout);
        let connections = |count| (0..count).map(|_| connection()).collect();
        Self {
            connections: connections(config.connections),
            blocking: connections(if config.min_replicas > 0 {
                config.connections
            } else {
                0
            }),
            next: AtomicUsize::new(0),
        }
    }

    /// The next connection. If it is not open another open one is returned; the call waits for it
    /// only if none is open.
    pub async fn connection(
        &self,
        runtime: &Runtime,
        budget: ConnectBudget,
        blocks: bool,
    ) -> Result<Arc<Connection>, Failure> {
        let connections = if blocks {
            &self.blocking
        } else {
            &self.connections
        };
        let index = self.next.fetch_add(1, Ordering::Relaxed) % connections.len();
        let next = &connections[index];
        if let Some(open) = next.if_open_or_start(runtime) {
            return Ok(open);
        }
        if let Some(open) = connections.iter().find_map(ReconnectingConnection::if_open) {
            return Ok(open);
        }
        next.get(runtime, budget).await
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        let mut connections = self.connections.iter().chain(&self.blocking);
        connections.all(|connection| connection.if_open().is_none())
    }
}
