//! The connections to one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::connection::Link;
use super::connector::Topology;
use super::error::Failure;
use super::reconnect::{Patience, Slot};
use super::runtime::Runtime;
use crate::backend::redis::config::RedisConfig;

/// The connections to one server, which take their turns.
pub(crate) struct Pool {
    slots: Box<[Slot]>,
    /// For calls that wait for replicas: a connection carries nothing else meanwhile.
    waiting: Box<[Slot]>,
    next: AtomicUsize,
}

impl Pool {
    /// Prepares the connections; opens nothing.
    pub fn new(topology: Topology, config: &RedisConfig) -> Self {
        let slot = Slot::new(Arc::new(topology), config.connect_timeout);
        let slots = |count| (0..count).map(|_| slot.another()).collect();
        Self {
            slots: slots(config.connections),
            waiting: slots(if config.min_replicas > 0 {
                config.connections
            } else {
                0
            }),
            next: AtomicUsize::new(0),
        }
    }

    /// The next connection in turn. A call waits for it to open only where no other is open.
    pub async fn link(
        &self,
        runtime: &Runtime,
        patience: Patience,
        waits: bool,
    ) -> Result<Arc<Link>, Failure> {
        let slots = if waits { &self.waiting } else { &self.slots };
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % slots.len();
        let slot = &slots[turn];
        if let Some(link) = slot.open_soon(runtime) {
            return Ok(link);
        }
        if let Some(link) = slots.iter().find_map(Slot::open) {
            return Ok(link);
        }
        slot.link(runtime, patience).await
    }

    /// Whether no connection is open.
    #[cfg(test)]
    pub fn is_closed(&self) -> bool {
        let mut slots = self.slots.iter().chain(&self.waiting);
        slots.all(|slot| slot.open().is_none())
    }
}
