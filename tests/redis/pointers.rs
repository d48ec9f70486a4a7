//! Pointers on a cluster: no session outlives its pointer (C4), and none is left (C13).

use std::future::Future;
use std::slice;
use std::time::Duration;

use greentic_session::admin::ImportMode;
use greentic_session::{
    AsyncSessionStore, ClaimOptions, ClaimOutcome, Commit, CommitOptions, Committed, CreateOptions,
    MessageId, ParkOptions, RedisConfig, RedisSessionStore, RemoveOptions, SessionKey, Ttl, Turn,
};
use greentic_session_testkit::{RedisCluster, own_servers, require, wait_until};
use uuid::Uuid;

use crate::samples::{ctx, data, scope, user};
use crate::topology::cluster_url;

const ADA: &str = "dev:acme:-:ada";
const KEY: &str = "run-1";
const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// The response timeout of the stores.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The limit of background tasks.
const LIMIT: Duration = Duration::from_secs(120);

fn config(cluster: &RedisCluster, timeout: Duration) -> RedisConfig {
    let config = RedisConfig::from_url(&cluster_url(cluster)).unwrap();
    config
        .connect_timeout(LIMIT)
        .response_timeout(timeout)
        .connections(1)
}

fn wait<F: Future>(future: F) -> F::Output {
    pollster::block_on(future)
}

fn session() -> String {
    format!("greentic:session:{{{ADA}}}:session:{KEY}")
}

fn pointer() -> String {
    format!("greentic:session:owner:{KEY}")
}

/// The expiry of a key in epoch milliseconds: the maximum without one, 0 for a missing key.
fn expiry(cluster: &RedisCluster, name: &str) -> u64 {
    match cluster.command_for(name, &["PEXPIRETIME", name]).int() {
        -1 => u64::MAX,
        expiry => u64::try_from(expiry).unwrap_or(0),
    }
}

/// The time of the session's node in epoch milliseconds.
fn now(cluster: &RedisCluster) -> u64 {
    let time = cluster.command_for(&session(), &["TIME"]).texts();
    time[0].parse::<u64>().unwrap() * 1000
}

/// The session's expiry; checks that it is not later than the pointer's.
fn expiry_covered_by_pointer(cluster: &RedisCluster, how: &str) -> u64 {
    let session = expiry(cluster, &session());
    let pointer = expiry(cluster, &pointer());
    assert!(pointer >= session, "{how}: {pointer} < {session}");
    session
}

fn park(store: &RedisSessionStore, ttl: Option<Duration>) {
    let (ctx, ada, mut options) = (ctx("ada"), user("ada"), ParkOptions::new());
    options.ttl = ttl.into();
    let (key, scope) = (SessionKey::new(KEY), scope("chat"));
    let parked = store.park(&ctx, &ada, &scope, &key, data(&ctx, "{}"), options);
    let _registered = wait(parked).unwrap();
}

fn try_claim(store: &RedisSessionStore, lease: Duration) -> ClaimOutcome {
    let message = Uuid::new_v4().to_string();
    wait(store.claim(
        &ctx("ada"),
        &user("ada"),
        &[scope("chat")],
        &MessageId::new(&message),
        ClaimOptions::new(lease),
    ))
    .unwrap()
}

fn again(ttl: Option<Duration>) -> Commit {
    Commit::park(scope("chat"), data(&ctx("ada"), "{}")).ttl(ttl)
}

#[test]
fn c4_no_operation_lets_a_session_outlive_its_pointer() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(config(&cluster, TIMEOUT)).unwrap();
    let (ctx, ada) = (ctx("ada"), user("ada"));
    let data = || data(&ctx, "{}");
    let scope = scope("chat");
    let key = SessionKey::new(KEY);
    let hours = |hours: u32| HOUR * hours;
    // The expiries of session and pointer.
    let lives = || (expiry(&cluster, &session()), expiry(&cluster, &pointer()));
    let covered = |call: &str, least: u32| {
        let left = expiry_covered_by_pointer(&cluster, call).saturating_sub(now(&cluster));
        let least = hours(least) - Duration::from_secs(600);
        assert!(u128::from(left) > least.as_millis(), "{call}: {left}");
    };
    let park = |options: ParkOptions| {
        let _registered = wait(store.park(&ctx, &ada, &scope, &key, data(), options)).unwrap();
    };
    let commit = |message: &str, ttl: Option<Duration>| {
        let lease = Duration::from_secs(60);
        let claimed = wait(store.claim(
            &ctx,
            &ada,
            slice::from_ref(&scope),
            &MessageId::new(message),
            ClaimOptions::new(lease),
        ))
        .unwrap();
        let ClaimOutcome::Claimed(claim) = claimed else {
            panic!("{claimed:?}")
        };
        let next = Commit::park(scope.clone(), data()).ttl(ttl);
        wait(store.commit(&claim.token, next, CommitOptions::new())).unwrap();
    };

    let create = CreateOptions::new().key(key.clone()).ttl(hours(1));
    let _created = wait(store.create(&ctx, data(), create)).unwrap();
    covered("create", 1);
    park(ParkOptions::new().ttl(hours(3)));
    covered("park, longer", 3);
    park(ParkOptions::new().ttl(hours(2)));
    covered("park, shorter", 2);
    commit("m1", Some(hours(50)));
    covered("commit, longer", 50);
    commit("m2", None);
    assert_eq!(lives(), (u64::MAX, u64::MAX));
    commit("m3", None);
    assert_eq!(lives(), (u64::MAX, u64::MAX));
    let _deadline = wait(store.extend(&key, Ttl::After(hours(6)))).unwrap();
    covered("extend, shorter", 6);
    let _deadline = wait(store.extend(&key, Ttl::After(hours(9)))).unwrap();
    covered("extend, longer", 9);
    assert_eq!(lives().1, u64::MAX);

    let scanned = wait(store.export(None, 1000)).unwrap();
    wait(store.remove(&key, RemoveOptions::new())).unwrap();
    wait_until("the pointer is removed", LIMIT, || lives().1 == 0);
    for record in scanned.records {
        let _imported = wait(store.import(record, ImportMode::IfAbsent)).unwrap();
    }
    covered("import", 9);
    assert!(lives().1 < u64::MAX);
    let _deadline = wait(store.extend(&key, Ttl::After(hours(90)))).unwrap();
    covered("extend beyond the pointer", 90);
}

/// A number below `limit`.
fn any(limit: u64) -> u64 {
    u64::try_from(Uuid::new_v4().as_u128() % u128::from(limit)).unwrap()
}

fn any_ttl() -> Option<Duration> {
    (any(100) > 0).then(|| HOUR * any(5).pow(2) as u32 + Duration::from_secs(600 + any(600)))
}

fn any_lease() -> Duration {
    [Duration::ZERO, Duration::from_millis(20), MINUTE, HOUR][any(4) as usize]
}

/// A random step of a worker, which may be refused.
fn any_step(store: &RedisSessionStore, tokens: &mut Vec<Turn>) -> &'static str {
    let key = SessionKey::new(KEY);
    let some = (any(tokens.len().max(1) as u64) as usize).min(tokens.len());
    let token = tokens.get(some).map(|claim| claim.token.clone());
    match (any(12), token) {
        (0..4, _) => {
            if let ClaimOutcome::Claimed(claim) = try_claim(store, any_lease()) {
                tokens.push(claim);
            }
            "claim"
        }
        (4..8, Some(token)) => {
            let _done = wait(store.commit(&token, again(any_ttl()), CommitOptions::new()));
            "commit"
        }
        (8, Some(token)) => {
            let _done = wait(store.renew(&token, any_lease()));
            "renew"
        }
        (9, Some(token)) => {
            let _done = wait(store.release(&token));
            tokens.swap_remove(some);
            "release"
        }
        (10, _) => {
            let _done = wait(store.revoke(&key));
            "revoke"
        }
        _ => {
            let _done = wait(store.extend(&key, any_ttl().into()));
            "extend"
        }
    }
}

#[test]
fn c4_no_session_outlives_its_pointer_after_random_steps_of_two_workers() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let config = config(&cluster, TIMEOUT);
    let open = || RedisSessionStore::new(config.clone()).unwrap();
    let workers = [open(), open()];
    park(&workers[0], Some(HOUR));
    let mut tokens = [Vec::new(), Vec::new()];
    for step in 0..4000 {
        let worker = any(2) as usize;
        let taken = any_step(&workers[worker], &mut tokens[worker]);
        let session = expiry_covered_by_pointer(&cluster, &format!("step {step}, {taken}"));
        assert!(session > 0, "step {step}, {taken}: the session is gone");
    }
}

#[test]
fn c13_sessions_that_expire_while_claimed_leave_nothing() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let (soon, lease) = (Duration::from_millis(300), TIMEOUT);
    // One store for each end of a claim.
    let stores = [0, 1, 2, 3, 4, 5].map(|end| {
        let mut config = config(&cluster, TIMEOUT / 4);
        config.options.message_window = Duration::from_secs(1);
        let config = config.namespace(format!("end-{end}"));
        let config = config.pointer_sweep(Some(TIMEOUT / 4));
        let store = RedisSessionStore::new(config).unwrap();
        park(&store, (end != 5).then_some(soon));
        if end == 5 {
            // The pointer has no expiry.
            let ClaimOutcome::Claimed(claim) = try_claim(&store, lease) else {
                panic!("the wait can be claimed")
            };
            wait(store.commit(&claim.token, again(Some(soon)), CommitOptions::new())).unwrap();
        }
        // On a loaded machine the session may expire before it is claimed or committed.
        if let ClaimOutcome::Claimed(Turn { token, .. }) = try_claim(&store, lease) {
            let _done = match end {
                0 | 5 => Ok(Committed::new()),
                1 => wait(store.release(&token)).map(|()| Committed::new()),
                2 => wait(store.commit(&token, again(Some(soon)), CommitOptions::new())),
                3 => wait(store.commit(&token, again(Some(2 * lease)), CommitOptions::new())),
                _ => wait(store.commit(&token, Commit::Finish, CommitOptions::new())),
            };
        }
        store
    });
    let keys = |index| cluster.command_on(index, &["KEYS", "end-*"]).texts();
    let names = || cluster.masters().into_iter().flat_map(keys);
    // Fences expire within a minute, and the lease of the sweep after its interval.
    let (is_expected, ends) = (
        |name: &String| name.contains(":fence:") || name.ends_with(":sweep"),
        |name: &String| expiry(&cluster, name) < u64::MAX,
    );
    wait_until("all keys are gone", LIMIT, || {
        names().all(|name| is_expected(&name) && ends(&name))
    });
    drop(stores);
}
