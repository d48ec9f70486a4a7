use greentic_session_testkit::{RedisCluster, own_servers, require, wait_until};

use super::pointers::{ADA, at, data, findings, of_ada, pointer, scope};
use super::*;
use crate::admin::{Finding, FindingKind, VerifyMode};
use crate::backend::redis::client::ROUND_TRIPS;
use crate::backend::redis::script::arguments;
use crate::backend::redis::script::status::Status;
use crate::backend::redis::script::wire::OwnerCall;
use crate::clock::whole_millis;
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CommitOptions, NextTtl, TtlMillis};
use crate::owner::Owner;
use crate::{
    AsyncSessionStore, ClaimOutcome, Commit, ParkOptions, RedisSessionStore, RemoveOptions,
    SessionKey, Turn,
};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// How long a pointer lives for a session of an hour, less what a test takes at most.
const FOUR_HOURS: u64 = 4 * 3_600_000;
const KEY: &str = "run-1";

fn park(store: &RedisSessionStore, ttl: Option<Duration>) {
    let ((ctx, ada), mut options) = (of_ada(), ParkOptions::new());
    options.ttl = ttl.into();
    let (key, scope) = (SessionKey::new(KEY), scope());
    let parked = store.park(&ctx, &ada, &scope, &key, data(&ctx), options);
    let _registered = wait(parked).unwrap();
}

fn claim(store: &RedisSessionStore, message: &str) -> Turn {
    let (ctx, ada) = of_ada();
    match wait(store.claim(
        &ctx,
        &ada,
        &[scope()],
        &MessageId::new(message),
        ClaimOptions::new(MINUTE),
    ))
    .unwrap()
    {
        ClaimOutcome::Claimed(claim) => claim,
        other => panic!("{other:?}"),
    }
}

/// Claims the session and parks it again; returns the number of round trips of the commit.
fn turn(store: &RedisSessionStore, message: &str, ttl: Option<Duration>) -> u64 {
    let claim = claim(store, message);
    let before = ROUND_TRIPS.get();
    let next = Commit::park(scope(), data(&of_ada().0)).ttl(ttl);
    wait(store.commit(&claim.token, next, CommitOptions::new())).unwrap();
    ROUND_TRIPS.get() - before
}

/// The expiry of a key in epoch milliseconds: the maximum without one, 0 for a missing key.
fn end(cluster: &RedisCluster, name: &str) -> u64 {
    match cluster.command_for(name, &["PEXPIRETIME", name]).int() {
        -1 => u64::MAX,
        end => u64::try_from(end).unwrap_or(0),
    }
}

fn key_of(kind: &str) -> String {
    format!("greentic:session:{{{ADA}}}:{kind}:{KEY}")
}

/// How much longer the pointer lives than its session, in milliseconds.
fn slack(cluster: &RedisCluster) -> u64 {
    let session = end(cluster, &key_of("session"));
    let pointer = end(cluster, &pointer(KEY));
    pointer.checked_sub(session).expect("the pointer ends last")
}

/// What the record holds of the pointer: stamp, end, and when it was confirmed.
fn known(cluster: &RedisCluster) -> Vec<u64> {
    let meta = key_of("meta");
    let record = cluster.command_for(&meta, &["GET", &meta]).text();
    let field = record.split(' ').nth(6).unwrap();
    field.split(':').map(|part| part.parse().unwrap()).collect()
}

#[test]
fn c4_a_commit_beyond_its_pointer_extends_it() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let key = SessionKey::new(KEY);
    for round in ["load the scripts", "count"] {
        let turn = |name: &str, ttl| turn(&store, &format!("{name}-{round}"), ttl);
        park(&store, Some(HOUR));
        let counted = [
            turn("same", Some(HOUR)),
            turn("shorter", Some(MINUTE)),
            // The pointer lives for four hours and a half, and half an hour is the slack.
            turn("within the slack", Some(255 * MINUTE)),
            turn("within the slack again", Some(255 * MINUTE)),
            turn("longer", Some(20 * HOUR)),
            turn("no expiry", None),
            turn("no expiry again", None),
            turn("an hour again", Some(HOUR)),
        ];
        if round == "count" {
            assert_eq!(counted, [1, 1, 3, 1, 3, 3, 1, 1]);
        }
        // Never shortened.
        assert_eq!(end(&cluster, &pointer(KEY)), u64::MAX);
        assert!(end(&cluster, &key_of("session")) < u64::MAX);
        assert_eq!(findings(&store, VerifyMode::Check), []);
        wait(store.remove(&key, RemoveOptions::new())).unwrap();
        wait_until("the pointer is removed", NEVER, || {
            end(&cluster, &pointer(KEY)) == 0
        });
    }
}

#[test]
fn c4_a_claim_confirms_a_pointer_whose_expiry_a_failover_lost() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    park(&store, Some(HOUR));
    is_confirmed(&cluster, || drop(claim(&store, "confirms")));
}

#[test]
fn c4_a_renewal_confirms_a_pointer_whose_expiry_a_failover_lost() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    park(&store, Some(HOUR));
    let claim = claim(&store, "renewed");
    is_confirmed(&cluster, || {
        let _until = wait(store.renew(&claim.token, MINUTE)).unwrap();
    });
}

/// A call confirms the pointer, which was confirmed long ago.
fn is_confirmed(cluster: &RedisCluster, call: impl FnOnce()) {
    let [stamp, ends, confirmed] = known(cluster)[..] else {
        panic!("three numbers")
    };
    assert!(ends - confirmed > FOUR_HOURS);
    assert_eq!(end(cluster, &pointer(KEY)), ends);

    let (meta, pointer) = (key_of("meta"), pointer(KEY));
    let record = cluster.command_for(&meta, &["GET", &meta]).text();
    let long_ago = confirmed - 2 * FOUR_HOURS;
    let record = record.replace(&format!(":{confirmed}"), &format!(":{long_ago}"));
    let _old = cluster.command_for(&meta, &["SET", &meta, &record, "KEEPTTL"]);
    let _lost = cluster.command_for(&pointer, &["PEXPIRE", &pointer, "4000000"]);
    call();
    wait_until("the pointer is confirmed", NEVER, || {
        known(cluster)[2] > long_ago
    });
    assert!(slack(cluster) > FOUR_HOURS / 2);
    assert_eq!(known(cluster)[..2], [stamp, end(cluster, &pointer)]);
}

#[test]
fn c4_a_deadline_is_capped_if_the_pointer_is_another_owners() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    park(&store, Some(HOUR));
    let (ends, pointer) = (known(&cluster)[1], pointer(KEY));
    let _taken = cluster.command_for(&pointer, &["SET", &pointer, "17 e:t:-:ben"]);
    let _claim = turn(&store, "capped", Some(20 * HOUR));
    assert_eq!(end(&cluster, &key_of("session")) + 1, ends);

    // An extend finds the owner by the pointer, so it meets this only if the pointer is taken meanwhile.
    let (owner, key) = (Owner::from_encoded(ADA), SessionKey::new(KEY));
    let keys = store.dispatcher.layout.keys(&owner);
    let extend = |ttl: Duration, extended: &str| {
        let ttl = NextTtl::Given(TtlMillis(Some(whole_millis(ttl))));
        let extended = extended.to_owned();
        let key = &key;
        let fence = None;
        let arguments = arguments::Extend {
            key,
            fence,
            ttl,
            extended,
        };
        let call = OwnerCall::new(&keys, keys.session(key), arguments);
        wait(store.dispatcher.answer(call)).unwrap()
    };
    let shorter = extend(HOUR, "");
    assert_eq!(shorter.status, Status::Ok);
    let mut refused = extend(20 * HOUR, "");
    assert_eq!(refused.status, Status::ExtendPointer);
    let _time = refused.number().unwrap();
    let mut capped = extend(20 * HOUR, &format!("{}!", refused.number().unwrap()));
    assert_eq!(
        (capped.status, capped.number().unwrap()),
        (Status::Ok, ends)
    );
    assert_eq!(end(&cluster, &key_of("session")) + 1, ends);
    let found = findings(&store, VerifyMode::Check);
    let is_reported = |found: &Finding| {
        found.kind == FindingKind::Missing && found.reason.contains("another owner")
    };
    assert!(found.iter().any(is_reported), "{found:?}");
}
