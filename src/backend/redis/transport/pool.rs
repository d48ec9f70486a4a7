//! The connections to one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

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
    /// How long a connection may take to answer a check. Short, so that a call can still be made on
    /// another one.
    check_limit: Duration,
    /// The same for the connections that wait for replicas.
    blocking_check_limit: Duration,
}

impl Pool {
    /// Prepares the connections; opens none.
    pub fn new(connector: Connector, config: &RedisConfig) -> Self {
        let connector = Arc::new(connector);
        let connection = || ReconnectingConnection::new(Arc::clone(&connector), config);
        let connections = |count| (0..count).map(|_| connection()).collect();
        Self {
            connections: connections(config.connections),
            blocking: connections(if config.min_replicas > 0 {
                config.connections
            } else {
                0
            }),
            next: AtomicUsize::new(0),
            check_limit: config.response_timeout / 4,
            blocking_check_limit: config.response_timeout / 4 + config.min_replicas_timeout,
        }
    }

    /// The next connection. If it is not open another open one is returned; the call waits for it
    /// only if none is open. A connection that was idle is checked, and replaced if it is dead.
    pub async fn connection(
        &self,
        runtime: &Runtime,
        budget: ConnectBudget,
        blocks: bool,
    ) -> Result<Arc<Connection>, Failure> {
        let (connections, check_limit) = if blocks {
            (&self.blocking, self.blocking_check_limit)
        } else {
            (&self.connections, self.check_limit)
        };
        let index = self.next.fetch_add(1, Ordering::Relaxed) % connections.len();
        let next = &connections[index];
        let open = || {
            connections
                .iter()
                .filter_map(ReconnectingConnection::if_open)
        };
        loop {
            let connection = match next.if_open_or_start(runtime).or_else(|| open().next()) {
                Some(open) => open,
                None => next.get(runtime, budget).await?,
            };
            let left = budget.deadline.saturating_duration_since(Instant::now());
            if !connection.is_silent() || connection.answers(runtime, check_limit.min(left)).await {
                connection.keep_clock(runtime, check_limit);
                return Ok(connection);
            }
            // What ended one idle connection has probably ended all of them.
            for silent in open().filter(|connection| connection.is_silent()) {
                silent.mark_unusable();
            }
        }
    }

    #[cfg(test)]
    pub fn open_connections(&self) -> impl Iterator<Item = Arc<Connection>> {
        let connections = self.connections.iter();
        connections.filter_map(ReconnectingConnection::if_open)
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        let mut connections = self.connections.iter().chain(&self.blocking);
        connections.all(|connection| connection.if_open().is_none())
    }
}
