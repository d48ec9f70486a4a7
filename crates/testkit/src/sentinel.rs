//! A master, its replicas and three sentinels.

use std::collections::HashMap;
use std::time::Duration;

use crate::reply::Reply;
use crate::server::RedisServer;
use crate::wait::wait_until;

const LIMIT: Duration = Duration::from_secs(60);
const MASTER: &str = "main";
const SENTINELS: usize = 3;
const QUORUM: usize = 2;

/// A replicated server with three sentinels, which fail over within seconds.
pub struct SentinelGroup {
    nodes: Vec<RedisServer>,
    sentinels: Vec<RedisServer>,
}

impl SentinelGroup {
    /// Starts one master, `replicas` replicas and three sentinels, and waits until the replicas are
    /// in sync and every sentinel knows the others.
    ///
    /// # Panics
    /// If they cannot be started or do not find each other.
    #[must_use]
    pub fn start(replicas: usize) -> Self {
        let master = RedisServer::builder().config("repl-diskless-sync-delay", "0");
        let master = master.start();
        let port = master.port();
        let mut nodes = vec![master];
        nodes.extend((0..replicas).map(|_| {
            RedisServer::builder()
                .config("replicaof", &format!("127.0.0.1 {port}"))
                .config("repl-diskless-sync-delay", "0")
                .start()
        }));
        wait_until("the replicas are in step", LIMIT, || {
            nodes[1..].iter().all(is_in_step)
        });
        let sentinels = (0..SENTINELS).map(|_| sentinel_of(port)).collect();
        let group = Self { nodes, sentinels };
        wait_until("the sentinels know each other", LIMIT, || {
            group.sentinels.iter().all(|one| knows_all(one, replicas))
        });
        group
    }

    /// The name under which the sentinels know the master.
    #[must_use]
    pub fn master_name(&self) -> &'static str {
        MASTER
    }

    /// The sentinels' addresses, as `127.0.0.1:port`.
    #[must_use]
    pub fn sentinel_addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(RedisServer::address).collect()
    }

    /// The servers of the sentinels.
    #[must_use]
    pub fn sentinels(&self) -> &[RedisServer] {
        &self.sentinels
    }

    /// The master and the replicas, in order of their start.
    #[must_use]
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The port of the master, according to the first running sentinel.
    ///
    /// # Panics
    /// If no sentinel is running.
    #[must_use]
    pub fn master_port(&self) -> u16 {
        let sentinel = self.sentinels.iter().find(|one| one.is_running());
        master_seen_by(sentinel.expect("no sentinel runs"))
    }

    /// The current master.
    ///
    /// # Panics
    /// If no sentinel is running.
    #[must_use]
    pub fn master(&self) -> &RedisServer {
        let port = self.master_port();
        let node = self.nodes.iter().find(|node| node.port() == port);
        node.expect("the sentinels named a stranger")
    }

    /// Kills the master and returns it, so that it can be restarted.
    ///
    /// # Panics
    /// If no sentinel is running.
    pub fn kill_master(&self) -> &RedisServer {
        let master = self.master();
        master.kill();
        master
    }

    /// Waits until all sentinels agree on a master other than the one on port `old`, and it accepts
    /// writes. Returns it.
    ///
    /// # Panics
    /// If that does not happen within a minute.
    pub fn wait_for_failover(&self, old: u16) -> &RedisServer {
        wait_until("a replica is promoted", LIMIT, || {
            let mut living = self.sentinels.iter().filter(|one| one.is_running());
            let port = self.master_port();
            port != old && living.all(|one| master_seen_by(one) == port) && is_master(self.master())
        });
        self.master()
    }
}

fn sentinel_of(master_port: u16) -> RedisServer {
    let of_master = |name: &str| format!("sentinel {name} {MASTER}");
    let mut options = RedisServer::builder()
        .config(
            &of_master("monitor"),
            &format!("127.0.0.1 {master_port} {QUORUM}"),
        )
        // A busy machine must not cause a failover.
        .config(&of_master("down-after-milliseconds"), "3000")
        .config(&of_master("failover-timeout"), "3000")
        .config(&of_master("parallel-syncs"), "1");
    options.config.sentinel = true;
    options.start()
}

fn is_in_step(replica: &RedisServer) -> bool {
    // A sentinel closes a server's connections when it changes its role.
    let info = replica.try_command(&["INFO", "replication"]);
    info.is_ok_and(|info| info.text().contains("master_link_status:up"))
}

fn is_master(node: &RedisServer) -> bool {
    let role = node.try_command(&["ROLE"]);
    matches!(role, Ok(Reply::Array(items)) if items.first().is_some_and(|role| role.text() == "master"))
}

fn master_seen_by(sentinel: &RedisServer) -> u16 {
    let reply = sentinel.command(&["SENTINEL", "get-master-addr-by-name", MASTER]);
    let address = reply.texts();
    address[1].parse().expect("a port")
}

fn knows_all(sentinel: &RedisServer, replicas: usize) -> bool {
    let reply = sentinel.command(&["SENTINEL", "master", MASTER]);
    let fields = fields_of(&reply);
    let is = |name: &str, value: &str| fields.get(name).is_some_and(|found| found == value);
    is("flags", "master")
        && is("num-slaves", &replicas.to_string())
        && is("num-other-sentinels", &(SENTINELS - 1).to_string())
}

fn fields_of(reply: &Reply) -> HashMap<String, String> {
    let (pairs, _) = reply.array().as_chunks::<2>();
    pairs
        .iter()
        .map(|[name, value]| (name.text(), value.text()))
        .collect()
}
