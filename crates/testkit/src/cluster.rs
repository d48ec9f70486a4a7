//! A Redis Cluster of three masters with one replica each.

use std::time::Duration;

use crate::reply::Reply;
use crate::server::RedisServer;
use crate::slots::{SLOTS, SlotMap};
use crate::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(60);
const MASTERS: usize = 3;
const BATCH: &str = "100";

/// Six nodes on this machine. Nodes 0, 1, 2 start as masters, each with a third of the slots;
/// nodes 3, 4, 5 start as their replicas, in this order.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
    ids: Vec<String>,
}

impl RedisCluster {
    /// Starts the nodes, joins them, and waits until every node sees every slot served and every
    /// replica is in sync.
    ///
    /// # Panics
    /// If they cannot be started or do not agree.
    #[must_use]
    pub fn start() -> Self {
        let nodes: Vec<_> = (0..2 * MASTERS).map(|_| start_node()).collect();
        let ids = nodes
            .iter()
            .map(|node| node.command(&["CLUSTER", "MYID"]).text())
            .collect();
        let cluster = Self { nodes, ids };
        cluster.join();
        cluster
    }

    fn join(&self) {
        // Different epochs from the start, so that the nodes need not resolve conflicts first.
        for (node, epoch) in self.nodes.iter().zip(1..) {
            ok(node, &["CLUSTER", "SET-CONFIG-EPOCH", &format!("{epoch}")]);
        }
        for (index, node) in self.nodes[..MASTERS].iter().enumerate() {
            let first = usize::from(SLOTS) * index / MASTERS;
            let last = usize::from(SLOTS) * (index + 1) / MASTERS - 1;
            let (first, last) = (first.to_string(), last.to_string());
            ok(node, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        for other in &self.nodes[1..] {
            let port = other.port().to_string();
            let bus = other.bus_port().expect("a bus port").to_string();
            ok(
                &self.nodes[0],
                &["CLUSTER", "MEET", "127.0.0.1", &port, &bus],
            );
        }
        wait_until("all nodes know each other", LIMIT, || {
            self.nodes.iter().all(|node| self.is_known_to(node))
        });
        for (master, replica) in self.ids.iter().zip(&self.nodes[MASTERS..]) {
            ok(replica, &["CLUSTER", "REPLICATE", master]);
        }
        wait_until("the cluster is ready", LIMIT, || {
            self.nodes.iter().all(serves_all_slots)
                && self.nodes[MASTERS..].iter().all(is_replica_in_step)
                && self.nodes.iter().all(|node| self.sees_all_replicas(node))
        });
    }

    fn is_known_to(&self, node: &RedisServer) -> bool {
        let text = node.command(&["CLUSTER", "NODES"]).text();
        text.lines().count() == self.nodes.len()
            && !text.contains("handshake")
            && self.ids.iter().all(|id| text.contains(id))
    }

    fn sees_all_replicas(&self, node: &RedisServer) -> bool {
        let text = node.command(&["CLUSTER", "NODES"]).text();
        text.lines().filter(|line| line.contains("slave")).count() == self.nodes.len() - MASTERS
    }

    /// The URL of every node.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// Sends one command to node `index`; redirections are replies ([`Reply::Error`]).
    ///
    /// # Panics
    /// If the node cannot be reached.
    #[must_use]
    pub fn command_on(&self, index: usize, arguments: &[&str]) -> Reply {
        self.nodes[index].command(arguments)
    }

    /// Sends one command to the node that serves the slot of `key`.
    ///
    /// # Panics
    /// If no node serves it or the node cannot be reached.
    #[must_use]
    pub fn command_for(&self, key: &str, arguments: &[&str]) -> Reply {
        self.command_on(self.slot_owner(self.slot_of(key)), arguments)
    }

    /// The slot of `key`.
    ///
    /// # Panics
    /// If no node is running.
    #[must_use]
    pub fn slot_of(&self, key: &str) -> u16 {
        let slot = self.living().command(&["CLUSTER", "KEYSLOT", key]).int();
        u16::try_from(slot).expect("a slot")
    }

    /// The index of the node that serves `slot`, according to the first running node.
    ///
    /// # Panics
    /// If no node serves it.
    #[must_use]
    pub fn slot_owner(&self, slot: u16) -> usize {
        let port = SlotMap::seen_by(self.living()).owner(slot);
        self.index_of(port.unwrap_or_else(|| panic!("no node serves slot {slot}")))
    }

    /// The indices of the nodes that serve slots.
    #[must_use]
    pub fn masters(&self) -> Vec<usize> {
        let ports = SlotMap::seen_by(self.living()).owners();
        ports.into_iter().map(|port| self.index_of(port)).collect()
    }

    /// Kills node `index`, a master, and returns at once; the cluster notices after about two
    /// seconds. See [`wait_for_failover`](Self::wait_for_failover).
    ///
    /// # Panics
    /// If the node is not a master now.
    pub fn kill_master(&self, index: usize) {
        assert!(self.masters().contains(&index), "node {index} is no master");
        self.nodes[index].kill();
    }

    /// Waits until every running node sees all slots served, and none by node `dead`.
    ///
    /// # Panics
    /// If that does not happen within a minute.
    pub fn wait_for_failover(&self, dead: usize) {
        let port = self.nodes[dead].port();
        wait_until("a replica takes over", LIMIT, || {
            self.running().all(|node| {
                let map = SlotMap::seen_by(node);
                serves_all_slots(node) && map.is_complete() && !map.owners().contains(&port)
            })
        });
    }

    /// Moves the first `count` slots of master `from`, with their keys, to master `to`.
    ///
    /// # Panics
    /// If `from` has fewer slots, or a node refuses.
    pub fn migrate_slots(&self, from: usize, to: usize, count: usize) {
        let map = SlotMap::seen_by(&self.nodes[from]);
        let slots = map.slots_of(self.nodes[from].port());
        assert!(slots.len() >= count, "node {from} has too few slots");
        for &slot in &slots[..count] {
            self.begin_migration(slot, from, to);
            self.migrate_keys(slot, from, to);
            self.finish_migration(slot, from, to);
        }
    }

    /// Starts the move of `slot`: `from` then answers ASK for keys that it does not have.
    ///
    /// # Panics
    /// If a node refuses.
    pub fn begin_migration(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let importing = ["CLUSTER", "SETSLOT", &slot, "IMPORTING", &self.ids[from]];
        let migrating = ["CLUSTER", "SETSLOT", &slot, "MIGRATING", &self.ids[to]];
        ok(target, &importing);
        ok(source, &migrating);
    }

    /// Moves all keys of `slot`.
    ///
    /// # Panics
    /// If a node refuses.
    pub fn migrate_keys(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let source = &self.nodes[from];
        let port = self.nodes[to].port().to_string();
        loop {
            let keys = source.command(&["CLUSTER", "GETKEYSINSLOT", &slot, BATCH]);
            let keys = keys.texts();
            if keys.is_empty() {
                return;
            }
            let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            command.extend(keys.iter().map(String::as_str));
            ok(source, &command);
        }
    }

    /// Ends the move of `slot`: all running nodes learn that `to` serves it.
    ///
    /// # Panics
    /// If a node refuses.
    pub fn finish_migration(&self, slot: u16, from: usize, to: usize) {
        let slot = slot.to_string();
        let command = ["CLUSTER", "SETSLOT", &slot, "NODE", &self.ids[to]];
        // The new owner first: it takes a new epoch with the slot, which resolves conflicts.
        ok(&self.nodes[to], &command);
        ok(&self.nodes[from], &command);
        for node in self.running().filter(|node| is_master(node)) {
            ok(node, &command);
        }
    }

    fn running(&self) -> impl Iterator<Item = &RedisServer> {
        self.nodes.iter().filter(|node| node.is_running())
    }

    fn living(&self) -> &RedisServer {
        self.running().next().expect("no node runs")
    }

    fn index_of(&self, port: u16) -> usize {
        let found = self.nodes.iter().position(|node| node.port() == port);
        found.expect("a node of this cluster")
    }
}

fn start_node() -> RedisServer {
    let mut options = RedisServer::builder()
        .config("cluster-config-file", "nodes.conf")
        .config("cluster-node-timeout", "2000")
        .config("repl-diskless-sync-delay", "0");
    options.config.cluster = true;
    options.start()
}

fn ok(node: &RedisServer, command: &[&str]) {
    let _ = node.command(command).accepted();
}

fn serves_all_slots(node: &RedisServer) -> bool {
    let info = node.command(&["CLUSTER", "INFO"]).text();
    info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
}

fn is_replica_in_step(node: &RedisServer) -> bool {
    let info = node.command(&["INFO", "replication"]).text();
    info.contains("master_link_status:up")
}

fn is_master(node: &RedisServer) -> bool {
    let info = node.command(&["INFO", "replication"]).text();
    info.contains("role:master")
}
