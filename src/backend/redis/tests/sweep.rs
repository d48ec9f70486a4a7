use greentic_session_testkit::{RedisCluster, own_servers, require, wait_until};

use super::pointers::{at, data, findings, of_ada, pointer, scope};
use super::*;
use crate::admin::{FindingKind, VerifyMode};
use crate::backend::redis::ownership::pointer::Retry;
use crate::backend::redis::ownership::pointer_store::PointerStore;
use crate::backend::redis::ownership::sweep::{PAGE_SIZE, Sweeper};
use crate::clock::whole_millis;
use crate::options::TtlMillis;
use crate::owner::Owner;
use crate::{AsyncSessionStore, ParkOptions, RedisSessionStore, SessionKey};

const SHORTLY: Duration = Duration::from_millis(100);

fn store(cluster: &RedisCluster, sweep: Option<Duration>) -> RedisSessionStore {
    RedisSessionStore::new(at(cluster).pointer_sweep(sweep)).unwrap()
}

fn pointers(store: &RedisSessionStore) -> PointerStore {
    PointerStore::new(&store.dispatcher.client, &store.config)
}

fn sweeper(store: &RedisSessionStore) -> Sweeper {
    Sweeper::new(&pointers(store), NEVER)
}

/// Leaves the pointer of a process that died between the two steps of a call.
fn leave(store: &RedisSessionStore, key: &str) {
    let (ada, key) = (Owner::from_encoded("dev:acme:-:ada"), SessionKey::new(key));
    let pointers = pointers(store);
    let left = pointers.reserve(&ada, &key, TtlMillis(None), Retry::default());
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
fn c13_the_sweep_removes_orphans_of_a_crash() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let (died, kept) = (store(&cluster, None), SessionKey::new("kept"));
    // More than a page for each master.
    let several = 0..4 * PAGE_SIZE;
    for number in several.clone() {
        leave(&died, &format!("left-{number}"));
    }
    park(&died, &kept);
    drop(died);
    let is_there = |number| left(&cluster, &format!("left-{number}")) == -1;
    assert!(several.clone().all(is_there), "the pointers have no expiry");
    let other = store(&cluster, Some(SHORTLY));
    assert!(wait_here(other.get(&kept)).is_some());
    wait_until("the pointers are removed", NEVER, || {
        !several.clone().any(is_there)
    });
    assert_eq!(left(&cluster, "kept"), -1);
    assert!(wait_here(other.get(&kept)).is_some());
}

#[test]
fn c13_one_store_at_a_time_has_the_sweep_lease() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let stores = [store(&cluster, None), store(&cluster, None)];
    let sweepers = [sweeper(&stores[0]), sweeper(&stores[1])];
    let leases = [sweepers[0].lease(), sweepers[1].lease()];
    let acquires = |store: usize| wait_here(sweepers[store].acquire(&leases[store]));
    assert!(acquires(0));
    assert!(!acquires(1));
    // The holder renews the lease, and a repeat whose first answer was lost still has it.
    assert!(acquires(0));
    assert!(!acquires(1));
    let name = "greentic:session:sweep";
    let left = || cluster.command_for(name, &["PTTL", name]).int();
    let within = |time| 0 < left() && left() <= whole_millis(time) as i64;
    assert!(within(NEVER) && !within(NEVER / 2), "{}", left());
    // After an error the lease ends soon, but not at once.
    assert!(wait_here(sweepers[0].shorten(&leases[0])));
    assert!(within(NEVER / 4), "{}", left());
    assert!(!acquires(1));
}

/// An unreadable pointer does not keep the others from being swept.
#[test]
fn c13_an_error_does_not_stop_the_sweep_and_is_reported() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = store(&cluster, Some(SHORTLY));
    for number in 0..40 {
        leave(&store, &format!("left-{number}"));
    }
    let broken = pointer("broken");
    let _pushed = cluster.command_for(&broken, &["RPUSH", &broken, "x"]);
    let is_there = |number| left(&cluster, &format!("left-{number}")) == -1;
    assert!(wait_here(store.get(&SessionKey::new("kept"))).is_none());
    wait_until("the other pointers are removed", NEVER, || {
        !(0..40).any(is_there)
    });
    let warnings = || wait_here(store.health()).warnings;
    let is_reported = || {
        warnings()
            .iter()
            .any(|warning| warning.code == "pointer_sweep")
    };
    wait_until("the error is reported", NEVER, is_reported);
    let found = findings(&store, VerifyMode::Repair);
    let found: Vec<_> = found.iter().map(|f| (f.kind, f.session.clone())).collect();
    let unreadable = (FindingKind::Unreadable, Some(SessionKey::new("broken")));
    assert!(found.contains(&unreadable), "{found:?}");
    let _deleted = cluster.command_for(&broken, &["DEL", &broken]);
    wait_until("the warning is gone", NEVER, || !is_reported());
}

#[test]
fn c13_the_sweep_keeps_pointers_that_a_call_may_use() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let config = at(&cluster).response_timeout(NEVER);
    let store = RedisSessionStore::new(config).unwrap();
    leave(&store, "awaited");
    let (sweeper, runtime) = (sweeper(&store), store.dispatcher.client.runtime().unwrap());
    let lease = sweeper.lease();
    wait_here(runtime.with_timers(sweeper.sweep(&lease)));
    assert_eq!(left(&cluster, "awaited"), -1);
}

#[test]
fn the_sweep_ends_when_the_store_is_dropped() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = store(&cluster, Some(NEVER));
    park(&store, &SessionKey::new("kept"));
    let client = Arc::downgrade(&store.dispatcher.client);
    drop(store);
    let is_closed = || client.strong_count() == 0;
    wait_until("the task has ended", NEVER, is_closed);
}
