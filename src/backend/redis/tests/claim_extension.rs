use greentic_session_testkit::{RedisCluster, own_servers, require, wait_until};
use tokio::time::Instant;

use super::pointers::{ADA, at, data, of_ada, pointer, scope};
use super::*;
use crate::backend::redis::client::ROUND_TRIPS;
use crate::backend::redis::ownership::claim_extension::ClaimExtensions;
use crate::backend::redis::ownership::pointer::{FencedPointer, ReservationKind};
use crate::backend::redis::ownership::pointer_store::PointerStore;
use crate::backend::redis::ownership::settle::Settler;
use crate::backend::redis::ownership::{Clustered, KeyLayout};
use crate::clock::whole_millis;
use crate::ids::random_bits;
use crate::options::TtlMillis;
use crate::owner::Owner;
use crate::{
    AsyncSessionStore, Claim, ClaimOutcome, Commit, ParkOptions, RedisSessionStore, SessionKey,
};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// The limit of background tasks.
const LIMIT: Duration = Duration::from_secs(120);
const KEY: &str = "run-1";

fn clustered(store: &RedisSessionStore) -> &Clustered {
    match &store.dispatcher.layout {
        KeyLayout::Clustered(clustered) => clustered,
        KeyLayout::Flat(_) => panic!("a cluster has pointers"),
    }
}

fn pointers(store: &RedisSessionStore) -> &PointerStore {
    &clustered(store).pointers
}

fn extensions(store: &RedisSessionStore) -> &ClaimExtensions {
    &clustered(store).extensions
}

fn park(store: &RedisSessionStore, ttl: Option<Duration>) {
    let ((ctx, ada), mut options) = (of_ada(), ParkOptions::new());
    options.ttl = ttl;
    let (key, scope) = (SessionKey::new(KEY), scope());
    let parked = store.park(&ctx, &ada, &scope, &key, data(&ctx), options);
    let _registered = wait(parked).unwrap();
}

fn try_claim(store: &RedisSessionStore, lease: Duration) -> ClaimOutcome {
    let ((ctx, ada), message) = (of_ada(), random_bits().to_string());
    wait(store.claim(&ctx, &ada, &scope(), &message, lease)).unwrap()
}

fn claim(store: &RedisSessionStore, lease: Duration) -> Claim {
    match try_claim(store, lease) {
        ClaimOutcome::Claimed(claim) => claim,
        other => panic!("{other:?}"),
    }
}

/// The value of `awaited` that the extension of a claim set.
fn awaited(store: &RedisSessionStore, claim: &Claim) -> u64 {
    let extension = extensions(store).find(claim.token.secret).unwrap();
    wait(extension.awaited()).unwrap()
}

fn again(ttl: Option<Duration>) -> Commit {
    Commit::park(scope(), data(&of_ada().0), ttl)
}

/// Parks a claimed session again; returns the number of round trips.
fn commit(store: &RedisSessionStore, claim: &Claim, ttl: Option<Duration>) -> u64 {
    let before = ROUND_TRIPS.get();
    wait(store.commit(&claim.token, again(ttl))).unwrap();
    ROUND_TRIPS.get() - before
}

/// The expiry of a key in epoch milliseconds: the maximum without one, 0 for a missing key.
fn end(cluster: &RedisCluster, name: &str) -> u64 {
    match cluster.command_for(name, &["PEXPIRETIME", name]).int() {
        -1 => u64::MAX,
        end => u64::try_from(end).unwrap_or(0),
    }
}

fn session() -> String {
    format!("greentic:session:{{{ADA}}}:session:{KEY}")
}

/// The session's expiry; checks that it is not later than the pointer's.
fn covered(cluster: &RedisCluster, how: &str) -> u64 {
    let session = end(cluster, &session());
    let pointer = end(cluster, &pointer(KEY));
    assert!(pointer >= session, "{how}: {pointer} < {session}");
    session
}

/// How much longer the pointer lives than its session, in milliseconds.
fn longer(cluster: &RedisCluster) -> u64 {
    end(cluster, &pointer(KEY)).saturating_sub(end(cluster, &session()))
}

#[test]
fn c4_a_commit_within_its_claim_extension_takes_one_round_trip() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    // Loads the scripts.
    for _ in 0..2 {
        park(&store, Some(HOUR));
        commit(&store, &claim(&store, MINUTE), Some(2 * HOUR));
    }
    commits_within_the_extension_take_one_round_trip(&cluster, &store);
    settling_does_not_shorten_an_extended_pointer(&cluster, &store);
    calls_during_the_lease_do_not_shorten_the_pointer(&store);
    a_renewal_extends_the_pointer_again(&store);
    the_end_of_a_claim_ends_its_extension(&cluster, &store);
}

fn commits_within_the_extension_take_one_round_trip(
    cluster: &RedisCluster,
    store: &RedisSessionStore,
) {
    park(store, Some(HOUR));
    let parked = |ttl: Option<Duration>, trips: u64| {
        let claim = claim(store, MINUTE);
        assert_eq!(commit(store, &claim, ttl), trips, "{ttl:?}");
        let session = covered(cluster, "commit");
        assert_eq!(extensions(store).count(), 0);
        session
    };
    parked(Some(HOUR), 1);
    parked(Some(HOUR / 2), 1);
    // Half an hour and a minute are covered.
    parked(Some(HOUR), 2);
    parked(Some(HOUR), 1);
    assert_eq!(parked(None, 2), u64::MAX);
    // A session without a deadline needs no extension.
    let before = claim(store, MINUTE);
    assert_eq!(extensions(store).count(), 0);
    assert_eq!(commit(store, &before, None), 1);
    parked(Some(HOUR), 1);
    // An extension covers nothing after its lease.
    let late = claim(store, Duration::ZERO);
    awaited(store, &late);
    wait_until("the extension is over", LIMIT, || {
        let held = extensions(store).find(late.token.secret).unwrap();
        held.covers(TtlMillis(Some(1)), Instant::now()).is_none()
    });
    assert_eq!(commit(store, &late, Some(HOUR)), 2);
    covered(cluster, "a late commit");
    // If our clock stood still, the server decides.
    let late = claim(store, Duration::ZERO);
    awaited(store, &late);
    extensions(store).begin(&late.token, HOUR, MINUTE, late.lease_until);
    awaited(store, &late);
    wait_until("the lease is over", LIMIT, || {
        let time = cluster.command_on(cluster.masters()[0], &["TIME"]).texts();
        time[0].parse::<u64>().unwrap() > late.lease_until.as_millis() / 1000
    });
    let held = extensions(store).find(late.token.secret).unwrap();
    assert!(held.covers(TtlMillis(Some(1)), Instant::now()).is_some());
    assert_eq!(commit(store, &late, Some(HOUR)), 3);
    covered(cluster, "a commit of a machine that slept");
}

fn settling_does_not_shorten_an_extended_pointer(
    cluster: &RedisCluster,
    store: &RedisSessionStore,
) {
    let (ada, key) = (Owner::from_encoded(ADA), SessionKey::new(KEY));
    let pointers = pointers(store);
    let quiet_period = clustered(store).settler.quiet_period();
    // As a task that settles the pointer after a claim.
    let set_expiry = |ended: Option<u64>| {
        let found = wait(pointers.read(&key)).unwrap().unwrap();
        let session = wait(pointers.session_ttl(&ada, &key)).unwrap().unwrap();
        wait(pointers.set_expiry(&found, &key, session, quiet_period, ended)).unwrap()
    };
    park(store, Some(HOUR));
    let first = claim(store, MINUTE);
    let ended = awaited(store, &first);
    assert!(ended / 1000 >= first.lease_until.as_millis());
    assert!(longer(cluster) > 55_000);
    assert_eq!(commit(store, &first, Some(HOUR)), 1);

    let second = claim(store, MINUTE);
    let held = awaited(store, &second);
    for ended in [None, Some(ended)] {
        assert!(set_expiry(ended).is_some());
        assert!(longer(cluster) > 55_000);
    }
    // Nor after calls that announced writes.
    let _deadline = wait(store.extend(&key, Some(HOUR / 2))).unwrap();
    let _deadline = wait(store.extend(&key, Some(HOUR))).unwrap();
    for ended in [None, Some(ended), Some(held)] {
        assert!(set_expiry(ended).is_some());
        assert!(longer(cluster) > 10_000);
    }
    assert_eq!(commit(store, &second, Some(HOUR)), 1);
    covered(cluster, "after calls that settle");

    // Without a quiet period only the extension protects the pointer.
    let config = at(cluster).response_timeout(Duration::ZERO);
    let hasty = PointerStore::new(&store.dispatcher.client, &config);
    let quiet_period = Settler::new(&hasty).quiet_period();
    let third = claim(store, MINUTE);
    let held = awaited(store, &third);
    let found = wait(pointers.read(&key)).unwrap().unwrap();
    let half_an_hour = TtlMillis(Some(whole_millis(HOUR / 2)));
    let shorten = |ended| {
        let set = hasty.set_expiry(&found, &key, half_an_hour, quiet_period, ended);
        wait(set).unwrap()
    };
    assert!(shorten(None).is_some());
    assert!(longer(cluster) > 55_000);
    wait(store.release(&third.token)).unwrap();
    assert_eq!(set_expiry(Some(held)), None);
    assert!(longer(cluster) < 10_000, "{}", longer(cluster));
    // That ended the extension.
    let found = wait(pointers.read(&key)).unwrap().unwrap();
    assert!(found.awaited < held);
}

fn calls_during_the_lease_do_not_shorten_the_pointer(store: &RedisSessionStore) {
    let (ada, key) = (Owner::from_encoded(ADA), SessionKey::new(KEY));
    let pointers = pointers(store);
    park(store, Some(HOUR));
    let claim = claim(store, MINUTE);
    let held = awaited(store, &claim);
    let longer = TtlMillis(Some(2 * 3_600_000));
    let found = wait(pointers.extend(None, &key, longer, Duration::ZERO));
    let extended = found.unwrap().unwrap();
    assert!(extended.outlives);
    assert!(extended.awaited > held);
    // The same for a reservation that replaces the pointer.
    let stamp = wait(pointers.read(&key)).unwrap().unwrap().stamp;
    let fenced = Some(FencedPointer {
        stamp,
        ..FencedPointer::default()
    });
    let reserved = wait(pointers.reserve(&ada, &key, longer, fenced)).unwrap();
    assert_eq!(reserved.kind, ReservationKind::Created);
    assert!(reserved.outlives);
    let found = wait(pointers.read(&key)).unwrap().unwrap();
    assert!(found.awaited > extended.awaited);
    assert_eq!(commit(store, &claim, Some(HOUR)), 1);
}

fn a_renewal_extends_the_pointer_again(store: &RedisSessionStore) {
    park(store, Some(HOUR));
    let claim = claim(store, MINUTE);
    let first = awaited(store, &claim);
    let _until = wait(store.renew(&claim.token, MINUTE)).unwrap();
    assert_eq!(awaited(store, &claim), first);
    let until = wait(store.renew(&claim.token, 3 * MINUTE)).unwrap();
    assert!(awaited(store, &claim) / 1000 >= until.as_millis());
    assert_eq!(extensions(store).count(), 1);
    assert_eq!(commit(store, &claim, Some(HOUR + 2 * MINUTE)), 1);
    assert_eq!(extensions(store).count(), 0);
}

fn the_end_of_a_claim_ends_its_extension(cluster: &RedisCluster, store: &RedisSessionStore) {
    park(store, Some(HOUR));
    let held = claim(store, MINUTE);
    assert!(matches!(
        try_claim(store, MINUTE),
        ClaimOutcome::Busy { .. }
    ));
    assert_eq!(extensions(store).count(), 1);
    awaited(store, &held);
    wait(store.release(&held.token)).unwrap();
    assert_eq!(extensions(store).count(), 0);
    wait_until("the pointer is settled", LIMIT, || longer(cluster) < 10_000);
    covered(cluster, "settled after a release");
    commit(store, &claim(store, MINUTE), Some(HOUR));
    wait_until("the pointer is settled", LIMIT, || longer(cluster) < 10_000);
    covered(cluster, "settled after a commit");
    let last = claim(store, MINUTE);
    wait(store.commit(&last.token, Commit::Finish)).unwrap();
    assert_eq!(extensions(store).count(), 0);
    wait_until("the pointer goes with its session", LIMIT, || {
        end(cluster, &pointer(KEY)) == 0
    });
    assert!(matches!(try_claim(store, MINUTE), ClaimOutcome::NoWait));
    assert_eq!(extensions(store).count(), 0);
}
