//! docs/redis-layout.md lists exactly the keys that a Cluster holds.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions, MessageId,
    ParkOptions, RedisConfig, RedisSessionStore, SessionKey, Timeout,
};
use greentic_session_testkit::{RedisCluster, own_servers, require, wait_until};
use greentic_types::TenantCtx;

use crate::document::{Row, keys_of};
use crate::samples::{ctx, data, scope, user};
use crate::topology::cluster_url;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// Long enough to list the keys before the next step.
const SWEEP: Duration = Duration::from_secs(20);

/// A sample of all that the store keeps. Takes a session away by hand, and brings its key anew.
fn sample(cluster: &RedisCluster, namespace: &str, ttl: Option<Duration>) {
    let config = RedisConfig::from_url(&cluster_url(cluster)).unwrap();
    let config = config.namespace(namespace).pointer_sweep(Some(SWEEP));
    let store = RedisSessionStore::new(config).unwrap();
    let store = Blocking::from(Arc::new(store));
    let create = |ctx: &TenantCtx, key: &str| {
        let mut options = CreateOptions::new().key(SessionKey::new(key));
        options.ttl = ttl.into();
        let _created = store.create(ctx, data(ctx, "{}"), options).unwrap();
    };
    let park = |name: &str, key: &str| {
        let (ctx, key) = (ctx(name), SessionKey::new(key));
        let mut options = ParkOptions::new();
        options.ttl = ttl.into();
        options.timeout = Some(Timeout::remind(MINUTE));
        let data = data(&ctx, "{}");
        let parked = store.park(&ctx, &user(name), &scope(key.as_str()), &key, data, options);
        let _parked = parked.unwrap();
    };
    create(&ctx("ada"), "created");
    create(&ctx("ada").with_user(None), "of {nobody} at 100%");
    park("ada", "wait");
    park("ben", "done");
    let (ben, chat) = (ctx("ben"), scope("done"));
    let claimed = store.claim(
        &ben,
        &user("ben"),
        slice::from_ref(&chat),
        &MessageId::new("message"),
        ClaimOptions::new(MINUTE),
    );
    let ClaimOutcome::Claimed(claim) = claimed.unwrap() else {
        panic!("nothing waits")
    };
    let options = CommitOptions::new().reply(*b"See you.");
    store.commit(&claim.token, Commit::Finish, options).unwrap();
    park("cay", "lost");
    for kind in ["session", "meta"] {
        let name = format!("{namespace}:{{dev:acme:-:cay}}:{kind}:lost");
        assert_eq!(cluster.command_for(&name, &["DEL", &name]).int(), 1);
    }
    park("dan", "lost");
    let turn = format!("{namespace}:sweep");
    let half = i64::try_from(SWEEP.as_millis() / 2).unwrap();
    wait_until("the sweep has just begun", MINUTE, || {
        cluster.command_for(&turn, &["PTTL", &turn]).int() > half
    });
}

fn keys(cluster: &RedisCluster, namespace: &str) -> Vec<String> {
    let of_node = |index: usize| {
        let node = &cluster.nodes()[index];
        node.command(&["KEYS", &format!("{namespace}:*")]).texts()
    };
    cluster.masters().into_iter().flat_map(of_node).collect()
}

/// The rows that match the key, given without the namespace.
fn matching<'a>(rows: &'a [Row], own: &'a [Row], rest: &str) -> Vec<&'a Row> {
    let tagged = rest
        .strip_prefix('{')
        .and_then(|rest| rest.split_once("}:"));
    match tagged {
        None => own.iter().filter(|row| row.matches(rest)).collect(),
        Some((_owner, rest)) => {
            let behind_tag = own.iter().filter(|row| row.matches_behind_tag(rest));
            rows.iter()
                .filter(|row| row.matches(rest))
                .chain(behind_tag)
                .collect()
        }
    }
}

#[test]
fn every_key_on_a_cluster_is_documented_and_every_documented_key_occurs() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let rows = keys_of("## Keys");
    let own = keys_of("## On a Cluster");
    assert_eq!(own.len(), 3, "the document's table was not found");
    for (namespace, ttl) in [("for-ever", None), ("an-hour", Some(HOUR))] {
        sample(&cluster, namespace, ttl);
        let mut seen = Vec::new();
        for key in keys(&cluster, namespace) {
            let rest = key.strip_prefix(&format!("{namespace}:")).unwrap();
            let matching = matching(&rows, &own, rest);
            let [row] = matching[..] else {
                panic!("{rest} matches {} rows of the document", matching.len())
            };
            let kind = cluster.command_for(&key, &["TYPE", &key]).text();
            assert_eq!(kind, row.kind, "{rest}");
            let ends = cluster.command_for(&key, &["PTTL", &key]).int() > 0;
            assert_eq!(ends, row.ends(ttl.is_some()), "{rest} with {ttl:?}");
            seen.push(row.pattern);
        }
        // What 1.2 wrote is on one server only.
        let ours = rows.iter().filter(|row| !row.pattern.contains(":waits:"));
        for row in ours.chain(&own) {
            assert!(
                seen.contains(&row.pattern),
                "the sample holds no {}",
                row.pattern
            );
        }
    }
}
