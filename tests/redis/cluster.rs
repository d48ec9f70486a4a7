//! A Redis Cluster: the distribution of keys, failovers, and slots that move.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::sleep;
use std::time::{Duration, Instant};

use greentic_session::admin::ScanFilter;
use greentic_session::store::SessionStore;
use greentic_session::{
    AsyncSessionStore, Blocking, Conflict, ErrorCode, ParkOptions, ParkOutcome, RedisConfig,
    RedisSessionStore, SessionErrorExt, SessionKey,
};
use greentic_session_testkit::{
    RedisCluster, RedisServer, Reply, own_servers, require, wait_until,
};

use crate::samples::{ctx, data, scope, user};
use crate::topology::claims::Claims;
use crate::topology::cluster_url;
use crate::topology::load::{Load, Outcome, WRITERS};
use crate::torture::Torture;

const LIMIT: Duration = Duration::from_secs(60);
/// How long the writers run before the fault, and after it.
const WARM: Duration = Duration::from_secs(1);
const NAMESPACE: &str = "greentic:session";

/// The cluster that the tests of this process share, one at a time.
pub fn shared() -> Arc<Mutex<RedisCluster>> {
    static SHARED: Mutex<Weak<Mutex<RedisCluster>>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let cluster = Arc::new(Mutex::new(RedisCluster::start()));
        *shared = Arc::downgrade(&cluster);
        cluster
    })
}

pub fn alone(cluster: &Mutex<RedisCluster>) -> MutexGuard<'_, RedisCluster> {
    cluster.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn config(cluster: &RedisCluster) -> RedisConfig {
    RedisConfig::from_url(&cluster_url(cluster)).unwrap()
}

/// The hash tag of a user of the tests' tenant.
fn tag(name: &str) -> String {
    format!("{NAMESPACE}:{{dev:acme:-:{name}}}:")
}

fn refusal(url: &str) -> String {
    let config = RedisConfig::from_url(url).unwrap();
    let store = RedisSessionStore::new(config).unwrap();
    let error = store.get_session(&SessionKey::new("any")).unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable, "{error}");
    error.message
}

#[test]
fn c17_a_url_of_the_wrong_topology_is_reported() {
    require!(own_servers);
    let (server, shared) = (RedisServer::start(), shared());
    let cluster = alone(&shared);
    let at_a_server = refusal(&server.url().replace("redis://", "redis-cluster://"));
    assert!(at_a_server.contains("redis://"), "{at_a_server}");
    let at_a_node = refusal(&cluster.nodes()[0].url());
    assert!(at_a_node.contains("redis-cluster://"), "{at_a_node}");
    let address = server.address();
    drop(server);
    let gone = refusal(&format!("redis-cluster://{address}"));
    assert!(gone.contains(&address), "{gone}");
    // An unreachable seed does no harm as long as another one answers.
    let url = format!("redis-cluster://{address},{}", cluster.nodes()[4].address());
    let store = RedisSessionStore::from_url(url).unwrap();
    assert_eq!(store.get_session(&SessionKey::new("any")).unwrap(), None);
}

/// The lines of a section of INFO that begin with `prefix`.
fn info(server: &RedisServer, section: &str, prefix: &str) -> Vec<String> {
    let text = server.command(&["INFO", section]).text();
    let lines = text.lines().filter(|line| line.starts_with(prefix));
    lines.map(str::to_owned).collect()
}

#[test]
fn one_tenant_is_spread_over_all_masters_and_no_call_crosses_slots() {
    require!(own_servers);
    let shared = shared();
    let cluster = alone(&shared);
    let store = RedisSessionStore::new(config(&cluster)).unwrap();
    let before: Vec<_> = (0..6).map(|index| sessions(&cluster, index)).collect();
    for number in 0..60 {
        let name = format!("spread-{number}");
        let ctx = ctx(&name);
        let key = store.create_session(&ctx, data(&ctx, "{}")).unwrap();
        store.update_session(&key, data(&ctx, "{}")).unwrap();
        let user = user(&name);
        let chat = scope("chat");
        store
            .register_wait(&ctx, &user, &chat, &key, data(&ctx, "{}"), None)
            .unwrap();
        assert_eq!(
            store.find_wait_by_scope(&ctx, &user, &chat).unwrap(),
            Some(key)
        );
    }
    for index in cluster.masters() {
        let more = sessions(&cluster, index) - before[index];
        println!("node {index}: {more} of 60 users");
        assert!(more > 0, "nothing on node {index}");
    }
    for node in cluster.nodes() {
        let crossed = info(node, "errorstats", "errorstat_CROSSSLOT");
        assert_eq!(crossed, Vec::<String>::new());
    }
}

fn sessions(cluster: &RedisCluster, index: usize) -> usize {
    let pattern = format!("{NAMESPACE}:*:session:*");
    cluster.command_on(index, &["KEYS", &pattern]).array().len()
}

#[test]
fn c13_a_pointer_is_removed_with_its_session_and_after_a_refused_call() {
    require!(own_servers);
    let shared = shared();
    let cluster = alone(&shared);
    let config = config(&cluster).response_timeout(Duration::from_secs(1));
    let store = RedisSessionStore::new(config).unwrap();
    let store = Blocking::from(Arc::new(store));
    let (ctx, user, chat) = (ctx("pointers"), user("pointers"), scope("chat"));
    let park = |key: &str, options| {
        let key = SessionKey::new(key);
        store
            .park(&ctx, &user, &chat, &key, data(&ctx, "{}"), options)
            .unwrap()
    };
    let life = |key: &str| {
        let pointer = format!("{NAMESPACE}:owner:{key}");
        cluster.command_for(&pointer, &["PTTL", &pointer]).int()
    };
    let _registered = park("first", ParkOptions::new());
    assert_eq!(life("first"), -1);
    let refused = park("second", ParkOptions::new().if_absent());
    assert_eq!(refused, ParkOutcome::Exists(SessionKey::new("first")));
    wait_until("the pointer of a refused call goes", LIMIT, || {
        life("second") == -2
    });
    let hour = Duration::from_secs(3600);
    let _registered = park("first", ParkOptions::new().ttl(hour));
    assert_eq!(life("first"), -1, "a pointer is never shortened");
    let _cleared = store.clear(&ctx, &user, &chat).unwrap();
    wait_until("the pointer goes with its session", LIMIT, || {
        life("first") == -2
    });
}

fn is_master(server: &RedisServer) -> bool {
    let role = server.try_command(&["ROLE"]);
    matches!(role, Ok(Reply::Array(fields)) if fields[0].text() == "master")
}

/// Waits until every master has its replica.
pub fn recover(cluster: &RedisCluster) {
    for node in cluster.nodes().iter().filter(|node| !node.is_running()) {
        node.restart();
    }
    wait_until("every master has a replica", LIMIT, || {
        let masters = cluster.masters();
        let has_replica = |index: usize| {
            let lines = info(&cluster.nodes()[index], "replication", "slave0:");
            lines.iter().any(|line| line.contains("state=online"))
        };
        masters.len() == 3 && masters.into_iter().all(has_replica)
    });
}

/// Kills a master under load. Returns the outcome of the calls, and how long after the promotion all
/// writers had succeeded again.
fn fail_over(cluster: &RedisCluster, config: RedisConfig) -> (Outcome, Duration) {
    recover(cluster);
    let master = cluster.masters()[0];
    let replica = (master + 3) % 6;
    let load = Load::on(config);
    sleep(WARM);
    cluster.kill_master(master);
    wait_until("the replica is promoted", LIMIT, || {
        is_master(&cluster.nodes()[replica])
    });
    let promoted = Instant::now();
    cluster.wait_for_failover(master);
    // The killed node returns as a replica, which min_replicas waits for.
    recover(cluster);
    sleep(WARM);
    let outcome = load.end();
    let recovery = outcome.recovery(promoted);
    (outcome, recovery)
}

#[test]
fn writes_continue_after_a_failover() {
    require!(own_servers);
    let shared = shared();
    let cluster = alone(&shared);
    let config = config(&cluster).namespace("failover");
    let (outcome, recovery) = fail_over(&cluster, config);
    println!("Cluster: {outcome}; all writers back {recovery:?} after the promotion");
    assert!(outcome.acknowledged() > 0);
}

#[test]
fn min_replicas_loses_nothing_in_a_failover() {
    require!(own_servers);
    let shared = shared();
    let cluster = alone(&shared);
    let config = config(&cluster).namespace("replicas");
    let config = config.min_replicas(1, Duration::from_secs(1));
    let (outcome, recovery) = fail_over(&cluster, config);
    println!("Cluster, min_replicas 1: {outcome}; all back {recovery:?} after the promotion");
    assert_eq!(outcome.lost, 0, "{outcome}");
}

fn signal(server: &RedisServer, signal: &str) {
    let pid = server.pid().unwrap().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(sent.success());
}

/// Users whose tags are in slots that `is_meant`.
fn users(cluster: &RedisCluster, count: usize, is_meant: impl Fn(u16) -> bool) -> Vec<String> {
    let names = (0..).map(|number| format!("user-{number}"));
    let meant = names.filter(|name| is_meant(cluster.slot_of(&tag(name))));
    meant.take(count).collect()
}

#[test]
fn c17_a_hung_node_delays_only_its_own_slots() {
    require!(own_servers);
    let shared = shared();
    let cluster = alone(&shared);
    recover(&cluster);
    let config = config(&cluster)
        .connect_timeout(Duration::from_millis(500))
        .response_timeout(Duration::from_secs(1));
    let store = RedisSessionStore::new(config).unwrap();
    let hung = cluster.masters()[0];
    let serves = |slot| cluster.slot_owner(slot) == hung;
    let (its, others) = (
        users(&cluster, 2, serves),
        users(&cluster, 4, |slot| !serves(slot)),
    );
    let waits = |name: &String| store.list_waits_for_user(&ctx(name), &user(name));
    for name in its.iter().chain(&others) {
        assert!(waits(name).is_ok());
    }
    signal(&cluster.nodes()[hung], "-STOP");
    let begun = Instant::now();
    let failed: Vec<_> = its
        .iter()
        .map(|name| waits(name).unwrap_err().code)
        .collect();
    let until = begun.elapsed();
    let answered = others.iter().filter(|name| waits(name).is_ok()).count();
    signal(&cluster.nodes()[hung], "-CONT");
    println!(
        "a hung node: {failed:?} after {until:?} for two calls; {answered} of 4 others answered"
    );
    assert!(
        failed
            .iter()
            .all(|code| matches!(code, ErrorCode::Timeout | ErrorCode::Unavailable))
    );
    assert_eq!(answered, 4);
    wait_until("the node answers again", LIMIT, || {
        its.iter().all(|name| waits(name).is_ok())
    });
}

#[test]
fn slots_that_move_under_load_lose_no_session() {
    require!(own_servers);
    let shared = shared();
    let cluster = alone(&shared);
    recover(&cluster);
    let (from, to) = (cluster.masters()[0], cluster.masters()[1]);
    let slots = || (0..16384).filter(|&slot| slot % 128 == 0 && cluster.slot_owner(slot) == from);
    let first = slots().next().unwrap();
    let moving = |slot: u16| slot >= first && slot < first + 800;
    let names = users(&cluster, WRITERS, moving);
    let load = Load::of(config(&cluster).namespace("moving"), names.clone());
    let claims = Claims::on(
        config(&cluster).namespace("moving-claims"),
        names[..4].to_vec(),
    );
    sleep(WARM);
    let begun = Instant::now();
    cluster.migrate_slots(from, to, 1000);
    let took = begun.elapsed();
    sleep(WARM);
    let (outcome, claims) = (load.end(), claims.end());
    println!("1,000 slots moved in {took:?}: {outcome}; {claims}");
    assert_eq!(outcome.lost, 0, "{outcome}");
    claims.assert_exactly_once();
    for node in cluster.nodes() {
        let crossed = info(node, "errorstats", "errorstat_CROSSSLOT");
        assert_eq!(crossed, Vec::<String>::new());
    }
}

#[test]
fn c21_a_walk_is_refused_after_slots_moved() {
    require!(own_servers);
    let shared = shared();
    let cluster = alone(&shared);
    recover(&cluster);
    let config = config(&cluster).namespace("walked");
    let store = Blocking::new(RedisSessionStore::new(config).unwrap());
    let filter = ScanFilter::new();
    let page = store.scan(&filter, None, 10).unwrap();
    let next = page.next.unwrap();
    assert!(store.scan(&filter, Some(&next), 10).is_ok());
    let masters = cluster.masters();
    cluster.migrate_slots(masters[0], masters[2], 1);
    let refused = || {
        let page = store.scan(&filter, Some(&next), 10);
        page.is_err_and(|error| error.conflict() == Some(&Conflict::StaleCursor))
    };
    // Until the node that is asked knows the new slots.
    wait_until("the walk is refused", LIMIT, refused);
}

#[test]
fn c16_each_message_counts_once_during_a_failover() {
    require!(own_servers);
    let shared = shared();
    let cluster = alone(&shared);
    recover(&cluster);
    let store = config(&cluster)
        .namespace("torture")
        .min_replicas(1, Duration::from_secs(1))
        .connections(4);
    let store: Arc<dyn AsyncSessionStore> = Arc::new(RedisSessionStore::new(store).unwrap());
    let fails = AtomicBool::new(true);
    let messages = 300;
    let tally = Torture {
        messages,
        times: 2,
        workers: 8,
        starts: false,
        timeouts: false,
        flows: 12,
        lease: Duration::from_millis(500),
        open: &|| Arc::clone(&store),
        pass: &sleep,
        disturb: &|commits| {
            if commits > messages / 3 && fails.swap(false, Ordering::SeqCst) {
                let master = cluster.masters()[0];
                cluster.kill_master(master);
                cluster.wait_for_failover(master);
                // A master without a replica confirms nothing.
                recover(&cluster);
            }
        },
    }
    .run();
    println!("a failover of the cluster: {tally}");
    assert!(!fails.load(Ordering::SeqCst));
    tally.assert_exact();
}
