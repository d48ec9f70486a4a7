use greentic_session_testkit::{RedisCluster, servers_or_skip, wait_until};

use super::pointers::{at, data, findings, of_ada, pointer, scope};
use super::*;
use crate::admin::{FindingKind, VerifyMode};
use crate::backend::redis::ownership::pointers::Pointers;
use crate::backend::redis::ownership::sweep::PAGE;
use crate::clock::whole_millis;
use crate::options::Ttl;
use crate::owner::Owner;
use crate::{AsyncSessionStore, ParkOptions, RedisSessionStore, SessionKey};

const SHORTLY: Duration = Duration::from_millis(100);

fn cluster(name: &str) -> Option<RedisCluster> {
    servers_or_skip(name).then(RedisCluster::start)
}

fn store(cluster: &RedisCluster, sweep: Option<Duration>) -> RedisSessionStore {
    RedisSessionStore::new(at(cluster).pointer_sweep(sweep)).unwrap()
}

fn pointers(store: &RedisSessionStore) -> Pointers {
    Pointers::new(&store.connections, &store.config)
}

/// As a process that dies between the two steps of a call.
fn leave(store: &RedisSessionStore, key: &str) {
    let (ada, key) = (Owner::from_encoded("dev:acme:-:ada"), SessionKey::new(key));
    let pointers = pointers(store);
    let left = pointers.reserve(&ada, &key, Ttl(None), None);
    wait_here(left);
}

fn wait_here<T>(answer: impl Future<Output = SessionResult<T>>) -> T {
    wait(answer).unwrap()
}

fn park(store: &RedisSessionStore, key: &SessionKey) {
    let (ctx, ada) = of_ada();
    let options = ParkOptions::new();
    let _parked = wait_here(store.park(&ctx, &ada, &scope(), key, data(&ctx), options));
}

fn left(cluster: &RedisCluster, key: &str) -> i64 {
    let name = pointer(key);
    cluster.command_for(&name, &["PTTL", &name]).int()
}

#[test]
fn c13_a_pointer_whose_process_died_goes_while_a_store_is_open() {
    let Some(cluster) = cluster("c13_a_pointer_whose_process_died_goes_while_a_store_is_open")
    else {
        return;
    };
    let (died, kept) = (store(&cluster, None), SessionKey::new("kept"));
    // More than a page of each master.
    let several = 0..4 * PAGE;
    for number in several.clone() {
        leave(&died, &format!("left-{number}"));
    }
    park(&died, &kept);
    drop(died);
    let is_there = |number| left(&cluster, &format!("left-{number}")) == -1;
    assert!(several.clone().all(is_there), "they have no end");
    let other = store(&cluster, Some(SHORTLY));
    assert!(wait_here(other.get(&kept)).is_some());
    wait_until("the pointers go", NEVER, || !several.clone().any(is_there));
    assert_eq!(left(&cluster, "kept"), -1);
    assert!(wait_here(other.get(&kept)).is_some());
}

#[test]
fn c13_one_store_at_a_time_sweeps() {
    let Some(cluster) = cluster("c13_one_store_at_a_time_sweeps") else {
        return;
    };
    let stores = [store(&cluster, None), store(&cluster, None)];
    let turns = [NEVER, NEVER].map(|interval| pointers(&stores[0]).turn(interval));
    let takes = |store: usize| wait_here(pointers(&stores[store]).take(&turns[store]));
    assert!(takes(0));
    assert!(!takes(1));
    // It is kept while a walk goes on, and a repeat whose first answer was lost still has it.
    assert!(takes(0));
    assert!(!takes(1));
    let name = "greentic:session:sweep";
    let left = || cluster.command_for(name, &["PTTL", name]).int();
    let within = |time| 0 < left() && left() <= whole_millis(time) as i64;
    assert!(within(NEVER) && !within(NEVER / 2), "{}", left());
    // One that was given back is the next store's soon, and not at once.
    assert!(wait_here(pointers(&stores[0]).give_back(&turns[0])));
    assert!(within(NEVER / 4), "{}", left());
    assert!(!takes(1));
}

/// What one pointer, or one master, keeps from a walk does not keep the others from it.
#[test]
fn c13_a_walk_leaves_out_what_fails_and_says_so() {
    let Some(cluster) = cluster("c13_a_walk_leaves_out_what_fails_and_says_so") else {
        return;
    };
    let store = store(&cluster, Some(SHORTLY));
    for number in 0..40 {
        leave(&store, &format!("left-{number}"));
    }
    let broken = pointer("broken");
    let _pushed = cluster.command_for(&broken, &["RPUSH", &broken, "x"]);
    let is_there = |number| left(&cluster, &format!("left-{number}")) == -1;
    assert!(wait_here(store.get(&SessionKey::new("kept"))).is_none());
    wait_until("the other pointers go", NEVER, || !(0..40).any(is_there));
    let warnings = || wait_here(store.health()).warnings;
    let is_told = || {
        warnings()
            .iter()
            .any(|warning| warning.code == "pointer_sweep")
    };
    wait_until("the operator is told", NEVER, is_told);
    let found = findings(&store, VerifyMode::Repair);
    let found: Vec<_> = found.iter().map(|f| (f.kind, f.session.clone())).collect();
    let unreadable = (FindingKind::Unreadable, Some(SessionKey::new("broken")));
    assert!(found.contains(&unreadable), "{found:?}");
    let _deleted = cluster.command_for(&broken, &["DEL", &broken]);
    wait_until("all is well again", NEVER, || !is_told());
}

#[test]
fn c13_a_pointer_that_a_call_may_need_is_not_swept() {
    let Some(cluster) = cluster("c13_a_pointer_that_a_call_may_need_is_not_swept") else {
        return;
    };
    let config = at(&cluster).response_timeout(NEVER);
    let store = RedisSessionStore::new(config).unwrap();
    leave(&store, "awaited");
    let (pointers, runtime) = (pointers(&store), store.connections.runtime().unwrap());
    let turn = pointers.turn(NEVER);
    wait_here(runtime.lend(pointers.sweep(&turn)));
    assert_eq!(left(&cluster, "awaited"), -1);
}

#[test]
fn a_store_that_is_dropped_sweeps_no_more() {
    let Some(cluster) = cluster("a_store_that_is_dropped_sweeps_no_more") else {
        return;
    };
    let store = store(&cluster, Some(NEVER));
    park(&store, &SessionKey::new("kept"));
    let connections = Arc::downgrade(&store.connections);
    drop(store);
    let is_closed = || connections.strong_count() == 0;
    wait_until("its task has ended", NEVER, is_closed);
}
