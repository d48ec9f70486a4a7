use greentic_session_testkit::{RedisCluster, servers_or_skip, wait_until};
use tokio::time::Instant;

use super::pointers::{ADA, at, data, of_ada, pointer, scope};
use super::*;
use crate::backend::redis::client::ROUND_TRIPS;
use crate::backend::redis::ownership::Homes;
use crate::backend::redis::ownership::holds::Holds;
use crate::backend::redis::ownership::pointer::{Seal, Stale};
use crate::backend::redis::ownership::pointers::Pointers;
use crate::ids::random_bits;
use crate::options::Ttl;
use crate::owner::Owner;
use crate::{
    AsyncSessionStore, Claim, ClaimOutcome, Commit, ParkOptions, RedisSessionStore, SessionKey,
};

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);
/// For what the background does.
const LIMIT: Duration = Duration::from_secs(120);
const KEY: &str = "run-1";

fn pointers(store: &RedisSessionStore) -> &Pointers {
    match &store.homes {
        Homes::Tagged(pointers) => pointers,
        Homes::Shared(_) => panic!("a cluster has pointers"),
    }
}

fn holds(store: &RedisSessionStore) -> &Holds {
    &pointers(store).holds
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

/// What the pointer promised to a claim.
fn promised(store: &RedisSessionStore, claim: &Claim) -> u64 {
    let held = holds(store).find(claim.token.secret).unwrap();
    wait(held.awaited()).unwrap()
}

fn again(ttl: Option<Duration>) -> Commit {
    Commit::park(scope(), data(&of_ada().0), ttl)
}

/// Parks a claimed session again; tells the round trips.
fn commit(store: &RedisSessionStore, claim: &Claim, ttl: Option<Duration>) -> u64 {
    let before = ROUND_TRIPS.get();
    wait(store.commit(&claim.token, again(ttl))).unwrap();
    ROUND_TRIPS.get() - before
}

/// When a key ends, in epoch milliseconds; never is later than all, and one that is not there has
/// ended.
fn end(cluster: &RedisCluster, name: &str) -> u64 {
    match cluster.command_for(name, &["PEXPIRETIME", name]).int() {
        -1 => u64::MAX,
        end => u64::try_from(end).unwrap_or(0),
    }
}

fn session() -> String {
    format!("greentic:session:{{{ADA}}}:session:{KEY}")
}

/// The session's end, which is not later than its pointer's.
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
fn c4_a_commit_goes_alone_within_what_its_pointer_promised_and_nobody_shortens_that() {
    let name = "c4_a_commit_goes_alone_within_what_its_pointer_promised_and_nobody_shortens_that";
    if !servers_or_skip(name) {
        return;
    }
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    // The scripts are there from now on.
    for _ in 0..2 {
        park(&store, Some(HOUR));
        commit(&store, &claim(&store, MINUTE), Some(2 * HOUR));
    }
    a_commit_goes_alone_within_the_promise(&cluster, &store);
    a_promise_outlasts_what_settles(&cluster, &store);
    calls_that_come_while_it_is_held_see_to_the_pointer_later(&store);
    a_renewal_prolongs_the_promise(&store);
    what_ends_a_claim_ends_its_promise(&cluster, &store);
}

fn a_commit_goes_alone_within_the_promise(cluster: &RedisCluster, store: &RedisSessionStore) {
    park(store, Some(HOUR));
    let parked = |ttl: Option<Duration>, trips: u64| {
        let claim = claim(store, MINUTE);
        assert_eq!(commit(store, &claim, ttl), trips, "{ttl:?}");
        let session = covered(cluster, "commit");
        assert_eq!(holds(store).count(), 0);
        session
    };
    parked(Some(HOUR), 1);
    parked(Some(HOUR / 2), 1);
    // Half of the wait and a minute were promised.
    parked(Some(HOUR), 2);
    parked(Some(HOUR), 1);
    assert_eq!(parked(None, 2), u64::MAX);
    // What has no deadline has no promise, and needs none.
    let before = claim(store, MINUTE);
    assert_eq!(holds(store).count(), 0);
    assert_eq!(commit(store, &before, None), 1);
    parked(Some(HOUR), 1);
    // A lease that is over promises nothing.
    let late = claim(store, Duration::ZERO);
    promised(store, &late);
    wait_until("the hold is over", LIMIT, || {
        let held = holds(store).find(late.token.secret).unwrap();
        held.covers(Ttl(Some(1)), Instant::now()).is_none()
    });
    assert_eq!(commit(store, &late, Some(HOUR)), 2);
    covered(cluster, "a late commit");
    // The server says so where our clock stood still.
    let late = claim(store, Duration::ZERO);
    promised(store, &late);
    pointers(store).hold(&late.token, HOUR, MINUTE, late.lease_until);
    promised(store, &late);
    wait_until("the lease is over", LIMIT, || {
        let time = cluster.command_on(cluster.masters()[0], &["TIME"]).texts();
        time[0].parse::<u64>().unwrap() > late.lease_until.as_millis() / 1000
    });
    let held = holds(store).find(late.token.secret).unwrap();
    assert!(held.covers(Ttl(Some(1)), Instant::now()).is_some());
    assert_eq!(commit(store, &late, Some(HOUR)), 3);
    covered(cluster, "a commit of a machine that slept");
}

fn a_promise_outlasts_what_settles(cluster: &RedisCluster, store: &RedisSessionStore) {
    let (ada, key) = (Owner::from_encoded(ADA), SessionKey::new(KEY));
    let pointers = pointers(store);
    // As one that settles a claim finds the session as short as it is now.
    let keep = |over: Option<u64>| {
        let found = wait(pointers.read(&key)).unwrap().unwrap();
        let life = wait(pointers.life_of_session(&ada, &key)).unwrap().unwrap();
        wait(pointers.keep(&ada, &key, &found, life, over)).unwrap()
    };
    park(store, Some(HOUR));
    let first = claim(store, MINUTE);
    let over = promised(store, &first);
    assert!(over / 1000 >= first.lease_until.as_millis());
    assert!(longer(cluster) > 55_000);
    assert_eq!(commit(store, &first, Some(HOUR)), 1);

    let second = claim(store, MINUTE);
    let held = promised(store, &second);
    for over in [None, Some(over)] {
        assert!(keep(over).is_some());
        assert!(longer(cluster) > 55_000);
    }
    // Nor if a call that tells of itself came since.
    let _deadline = wait(store.extend(&key, Some(HOUR / 2))).unwrap();
    let _deadline = wait(store.extend(&key, Some(HOUR))).unwrap();
    for over in [None, Some(over), Some(held)] {
        assert!(keep(over).is_some());
        assert!(longer(cluster) > 10_000);
    }
    assert_eq!(commit(store, &second, Some(HOUR)), 1);
    covered(cluster, "after calls that settle");

    // A quiet pointer is kept from no one but by a hold.
    let config = at(cluster).response_timeout(Duration::ZERO);
    let hasty = Pointers::new(&store.connections, &config);
    let third = claim(store, MINUTE);
    let held = promised(store, &third);
    let found = wait(pointers.read(&key)).unwrap().unwrap();
    let shorten = |over| wait(hasty.keep(&ada, &key, &found, Some(HOUR / 2), over)).unwrap();
    assert!(shorten(None).is_some());
    assert!(longer(cluster) > 55_000);
    wait(store.release(&third.token)).unwrap();
    assert_eq!(keep(Some(held)), None);
    assert!(longer(cluster) < 10_000, "{}", longer(cluster));
    // And the hold is gone with that.
    let found = wait(pointers.read(&key)).unwrap().unwrap();
    assert!(found.awaited < held);
}

fn calls_that_come_while_it_is_held_see_to_the_pointer_later(store: &RedisSessionStore) {
    let (ada, key) = (Owner::from_encoded(ADA), SessionKey::new(KEY));
    let pointers = pointers(store);
    park(store, Some(HOUR));
    let claim = claim(store, MINUTE);
    let held = promised(store, &claim);
    let longer = Ttl(Some(2 * 3_600_000));
    let found = wait(pointers.lengthen(None, &key, longer, Duration::ZERO));
    let lengthened = found.unwrap().unwrap();
    assert!(lengthened.outlives);
    assert!(lengthened.awaited > held);
    // Also one that writes it anew.
    let stamp = wait(pointers.read(&key)).unwrap().unwrap().stamp;
    let stale = Some(Stale {
        stamp,
        ..Stale::default()
    });
    let reserved = wait(pointers.reserve(&ada, &key, longer, stale)).unwrap();
    assert!(matches!(reserved.seal, Seal::Written(_)));
    assert!(reserved.outlives);
    let found = wait(pointers.read(&key)).unwrap().unwrap();
    assert!(found.awaited > lengthened.awaited);
    assert_eq!(commit(store, &claim, Some(HOUR)), 1);
}

fn a_renewal_prolongs_the_promise(store: &RedisSessionStore) {
    park(store, Some(HOUR));
    let claim = claim(store, MINUTE);
    let first = promised(store, &claim);
    let _until = wait(store.renew(&claim.token, MINUTE)).unwrap();
    assert_eq!(promised(store, &claim), first);
    let until = wait(store.renew(&claim.token, 3 * MINUTE)).unwrap();
    assert!(promised(store, &claim) / 1000 >= until.as_millis());
    assert_eq!(holds(store).count(), 1);
    assert_eq!(commit(store, &claim, Some(HOUR + 2 * MINUTE)), 1);
    assert_eq!(holds(store).count(), 0);
}

fn what_ends_a_claim_ends_its_promise(cluster: &RedisCluster, store: &RedisSessionStore) {
    park(store, Some(HOUR));
    let held = claim(store, MINUTE);
    assert!(matches!(
        try_claim(store, MINUTE),
        ClaimOutcome::Busy { .. }
    ));
    assert_eq!(holds(store).count(), 1);
    promised(store, &held);
    wait(store.release(&held.token)).unwrap();
    assert_eq!(holds(store).count(), 0);
    wait_until("a pointer that was held is settled", LIMIT, || {
        longer(cluster) < 10_000
    });
    covered(cluster, "settled after a release");
    commit(store, &claim(store, MINUTE), Some(HOUR));
    wait_until("a pointer that was held is settled", LIMIT, || {
        longer(cluster) < 10_000
    });
    covered(cluster, "settled after a commit");
    let last = claim(store, MINUTE);
    wait(store.commit(&last.token, Commit::Finish)).unwrap();
    assert_eq!(holds(store).count(), 0);
    wait_until("the pointer goes with its session", LIMIT, || {
        end(cluster, &pointer(KEY)) == 0
    });
    assert!(matches!(try_claim(store, MINUTE), ClaimOutcome::NoWait));
    assert_eq!(holds(store).count(), 0);
}

/// A number below `limit`.
fn any(limit: u64) -> u64 {
    let [a, b, c, d, ..] = random_bits().get().to_le_bytes();
    u64::from(u32::from_le_bytes([a, b, c, d])) % limit
}

fn any_ttl() -> Option<Duration> {
    (any(8) > 0).then(|| HOUR + Duration::from_secs(any(600)))
}

fn any_lease() -> Duration {
    [Duration::ZERO, Duration::from_millis(20), MINUTE, HOUR][any(4) as usize]
}

/// A step that any worker may take, with the tokens that it holds; what is refused does no harm.
fn any_step(store: &RedisSessionStore, tokens: &mut Vec<Claim>) -> &'static str {
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
            let _done = wait(store.commit(&token, again(any_ttl())));
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
            let _done = wait(store.extend(&key, any_ttl()));
            "extend"
        }
    }
}

#[test]
fn c4_no_session_outlives_its_pointer_whatever_workers_do() {
    if !servers_or_skip("c4_no_session_outlives_its_pointer_whatever_workers_do") {
        return;
    }
    let cluster = RedisCluster::start();
    // What settles comes between the steps.
    let config = at(&cluster).response_timeout(SOON / 4);
    let open = || RedisSessionStore::new(config.clone()).unwrap();
    let workers = [open(), open()];
    park(&workers[0], Some(HOUR));
    let mut tokens = [Vec::new(), Vec::new()];
    for step in 0..4000 {
        let worker = any(2) as usize;
        let taken = any_step(&workers[worker], &mut tokens[worker]);
        let session = covered(&cluster, &format!("step {step}, {taken}"));
        assert!(session > 0, "step {step}, {taken}: the session is gone");
    }
}

#[test]
fn c13_nothing_is_left_of_sessions_that_ended_while_they_were_claimed() {
    if !servers_or_skip("c13_nothing_is_left_of_sessions_that_ended_while_they_were_claimed") {
        return;
    }
    let cluster = RedisCluster::start();
    let (soon, lease) = (Duration::from_millis(300), SOON);
    // What the worker does with its claim.
    let stores = [0, 1, 2, 3, 4, 5].map(|end| {
        let mut config = at(&cluster).response_timeout(SOON / 4);
        config.options.message_window = Duration::from_secs(1);
        let config = config.namespace(format!("end-{end}"));
        let store = RedisSessionStore::new(config).unwrap();
        park(&store, (end != 5).then_some(soon));
        if end == 5 {
            // Its pointer had no end, and the claim that follows comes before that is settled.
            commit(&store, &claim(&store, lease), Some(soon));
        }
        // It may end before it is claimed or committed, where much else goes on.
        if let ClaimOutcome::Claimed(Claim { token, .. }) = try_claim(&store, lease) {
            let _done = match end {
                0 | 5 => Ok(()),
                1 => wait(store.release(&token)),
                2 => wait(store.commit(&token, again(Some(soon)))),
                3 => wait(store.commit(&token, again(Some(2 * lease)))),
                _ => wait(store.commit(&token, Commit::Finish)),
            };
        }
        store
    });
    let keys = |index| cluster.command_on(index, &["KEYS", "end-*"]).texts();
    let names = || cluster.masters().into_iter().flat_map(keys);
    // A fence ends within a minute.
    let (is_fence, ends) = (
        |name: &String| name.contains(":fence:"),
        |name: &String| end(&cluster, name) < u64::MAX,
    );
    wait_until("all is gone", LIMIT, || {
        names().all(|name| is_fence(&name) && ends(&name))
    });
    drop(stores);
}
