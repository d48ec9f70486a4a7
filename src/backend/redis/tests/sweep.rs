use greentic_session_testkit::{RedisCluster, servers_or_skip, wait_until};

use super::pointers::{at, data, of_ada, pointer, scope};
use super::*;
use crate::backend::redis::pointer::Life;
use crate::backend::redis::pointers::Pointers;
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
    let left = pointers.reserve(&ada, &key, Life::For(Ttl(None)), None);
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
    for number in 0..40 {
        leave(&died, &format!("left-{number}"));
    }
    park(&died, &kept);
    drop(died);
    let is_there = |number| left(&cluster, &format!("left-{number}")) == -1;
    assert!((0..40).all(is_there), "they have no end");
    let other = store(&cluster, Some(SHORTLY));
    assert!(wait_here(other.get(&kept)).is_some());
    wait_until("the pointers go", NEVER, || !(0..40).any(is_there));
    assert_eq!(left(&cluster, "kept"), -1);
    assert!(wait_here(other.get(&kept)).is_some());
}

#[test]
fn c13_one_store_at_a_time_sweeps() {
    let Some(cluster) = cluster("c13_one_store_at_a_time_sweeps") else {
        return;
    };
    let stores = [store(&cluster, None), store(&cluster, None)];
    let has_turn = |store| wait_here(pointers(store).has_turn(NEVER));
    assert!(has_turn(&stores[0]));
    assert!(!has_turn(&stores[1]));
    let name = "greentic:session:sweep";
    let left = cluster.command_for(name, &["PTTL", name]).int();
    assert!(0 < left && left <= whole_millis(NEVER) as i64, "{left}");
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
    wait_here(runtime.lend(pointers.sweep()));
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
