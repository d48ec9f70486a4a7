//! A Sentinel group and a Cluster, each with a failover.

use greentic_session_testkit::{RedisCluster, Reply, SentinelGroup, own_servers, require};

#[test]
fn sentinels_promote_a_replica() {
    require!(own_servers);
    let group = SentinelGroup::start(1);
    assert_eq!(group.sentinel_addresses().len(), 3);
    let written = group.master().command(&["SET", "key", "value"]);
    assert_eq!(written.text(), "OK");
    assert_eq!(group.master().command(&["WAIT", "1", "5000"]).int(), 1);
    let old = group.kill_master();
    let new = group.wait_for_failover(old.port());
    assert_ne!(new.port(), old.port());
    assert_eq!(new.command(&["GET", "key"]).text(), "value");
    assert_eq!(group.master_port(), new.port());
}

#[test]
fn a_cluster_moves_slots_and_fails_over() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    assert_eq!(cluster.urls().len(), 6);
    assert_eq!(cluster.masters(), [0, 1, 2]);
    moves_slots_with_their_keys(&cluster);
    answers_ask_in_the_middle_of_a_move(&cluster);
    fails_over(&cluster);
}

// Returns a key in slot `slot`.
fn key_in(cluster: &RedisCluster, slot: u16) -> String {
    let mut keys = (0..).map(|number| format!("key:{number}"));
    keys.find(|key| cluster.slot_of(key) == slot).unwrap()
}

fn set(cluster: &RedisCluster, key: &str) {
    let reply = cluster.command_for(key, &["SET", key, key]);
    assert_eq!(reply.text(), "OK");
}

fn moves_slots_with_their_keys(cluster: &RedisCluster) {
    // Slot 5 is among the first ten, which node 0 serves.
    let key = key_in(cluster, 5);
    set(cluster, &key);
    cluster.migrate_slots(0, 1, 10);
    assert_eq!(cluster.slot_owner(5), 1);
    assert_eq!(cluster.slot_owner(10), 0);
    assert_eq!(cluster.command_on(1, &["GET", &key]).text(), key);
    let moved = cluster.command_on(0, &["GET", &key]);
    assert!(matches!(moved, Reply::Error(text) if text.starts_with("MOVED 5 ")));
}

fn answers_ask_in_the_middle_of_a_move(cluster: &RedisCluster) {
    let key = key_in(cluster, 20);
    set(cluster, &key);
    cluster.begin_migration(20, 0, 2);
    assert_eq!(cluster.command_on(0, &["GET", &key]).text(), key);
    cluster.migrate_keys(20, 0, 2);
    let asked = cluster.command_on(0, &["GET", &key]);
    assert!(matches!(asked, Reply::Error(text) if text.starts_with("ASK 20 ")));
    cluster.finish_migration(20, 0, 2);
    assert_eq!(cluster.slot_owner(20), 2);
    assert_eq!(cluster.command_for(&key, &["GET", &key]).text(), key);
}

fn fails_over(cluster: &RedisCluster) {
    let slot = cluster.slot_of("survivor");
    let master = cluster.slot_owner(slot);
    set(cluster, "survivor");
    let waited = cluster.command_on(master, &["WAIT", "1", "5000"]);
    assert_eq!(waited.int(), 1);
    cluster.kill_master(master);
    cluster.wait_for_failover(master);
    assert_eq!(cluster.slot_owner(slot), master + 3);
    let value = cluster.command_for("survivor", &["GET", "survivor"]);
    assert_eq!(value.text(), "survivor");
}
