//! Writes that come too late after their pointer.

use std::cell::Cell;
use std::process::Command;
use std::time::Instant;

use greentic_session_testkit::{RedisCluster, RedisServer, servers_or_skip, wait_until};

use super::pointers::{ADA, at, create, data, findings, of_ada, pointer, pointers, scope, write};
use super::*;
use crate::admin::VerifyMode;
use crate::backend::redis::ownership::pointer::Reservation;
use crate::backend::redis::script::args::Args;
use crate::backend::redis::script::registry;
use crate::backend::redis::script::reply::Answer;
use crate::options::Ttl;
use crate::owner::Owner;
use crate::{
    AsyncSessionStore, ClaimOutcome, Commit, CreateOptions, ErrorCode, ParkOptions, ParkOutcome,
    RedisSessionStore, RemoveOptions, SessionKey,
};

const BEN: &str = "e:t:-:ben";
const FOREVER: Ttl = Ttl(None);

fn signal(server: &RedisServer, signal: &str) {
    let pid = server.pid().unwrap().to_string();
    let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
    assert!(sent.success());
}

fn session(key: &str) -> String {
    format!("greentic:session:{{{ADA}}}:session:{key}")
}

/// A session key whose pointer is at another node than Ada's sessions.
fn elsewhere(cluster: &RedisCluster) -> SessionKey {
    let node = |name: &str| cluster.slot_owner(cluster.slot_of(name));
    let keys = (0..).map(|number| format!("run-{number}"));
    let mut keys = keys.filter(|key| node(&pointer(key)) != node(&session(key)));
    SessionKey::new(keys.next().unwrap())
}

/// A node that hung carries out what it was sent, also when the caller has given up.
#[test]
fn c4_a_node_that_hung_writes_no_session_whose_pointer_may_be_gone() {
    if !servers_or_skip("c4_a_node_that_hung_writes_no_session_whose_pointer_may_be_gone") {
        return;
    }
    let cluster = RedisCluster::start();
    let timeout = SOON / 4;
    let store = RedisSessionStore::new(at(&cluster).response_timeout(timeout)).unwrap();
    let (ctx, _) = of_ada();
    let create = |key: &SessionKey| {
        let options = CreateOptions::new().key(key.clone());
        wait(store.create(&ctx, data(&ctx), options))
    };
    // The scripts are there, and so are the connections.
    let (key, session) = (elsewhere(&cluster), session("run"));
    for number in 0..50 {
        let _created = create(&SessionKey::new(format!("before-{number}"))).unwrap();
    }
    let node = &cluster.nodes()[cluster.slot_owner(cluster.slot_of(&session))];
    let scripts_run = || {
        let stats = node.command(&["INFO", "commandstats"]).text();
        let evalsha = stats
            .lines()
            .find(|line| line.starts_with("cmdstat_evalsha:"));
        let calls = evalsha.unwrap().split(['=', ',']).nth(1).unwrap();
        calls.parse::<u64>().unwrap()
    };
    let before = scripts_run();

    signal(node, "-STOP");
    let begun = Instant::now();
    let code = create(&key).unwrap_err().code;
    while begun.elapsed() < timeout * 2 + timeout / 10 {
        std::thread::sleep(Duration::from_millis(5));
    }
    signal(node, "-CONT");
    assert_eq!(code, ErrorCode::Timeout);
    wait_until("the node carries out what it was sent", NEVER, || {
        scripts_run() > before
    });
    assert!(wait(store.get(&key)).unwrap().is_none());
    let name = self::session(key.as_str());
    assert_eq!(cluster.command_for(&name, &["EXISTS", &name]).int(), 0);
    let _created = create(&key).unwrap();
    assert_eq!(findings(&store, VerifyMode::Check), []);
}

/// A process may be stopped between the two steps of a call for as long as it takes a sweep to remove
/// the pointer, and its fence to end.
#[test]
fn c4_a_process_that_was_stopped_between_two_steps_begins_anew() {
    if !servers_or_skip("c4_a_process_that_was_stopped_between_two_steps_begins_anew") {
        return;
    }
    let cluster = RedisCluster::start();
    let (pointers, store) = (
        pointers(&cluster),
        RedisSessionStore::new(at(&cluster)).unwrap(),
    );
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded(BEN));
    let late = |reserved: Reservation| Reservation {
        until: Some(1),
        ..reserved
    };
    let fenced = |key: &str| {
        let fence = format!("greentic:session:{{{ADA}}}:fence:{key}");
        cluster.command_for(&fence, &["DEL", &fence]).int() == 1
    };

    for taken in [false, true] {
        let key = SessionKey::new(format!("taken-{taken}"));
        let reserved = wait(pointers.reserve(&ada, &key, FOREVER, None)).unwrap();
        let stamp = reserved.seal.stamp().unwrap();
        assert!(wait(pointers.clear_away(&ada, &key, stamp)).unwrap());
        assert!(fenced(key.as_str()));
        if taken {
            let bens = wait(pointers.reserve(&ben, &key, FOREVER, None)).unwrap();
            assert_eq!(write(&store, &ben, &key, bens), "OK");
        }
        assert_eq!(write(&store, &ada, &key, late(reserved)), "LATE");

        let keys = store.homes.keys(&ada);
        let steps = Cell::new(0);
        let call = store.bring(&ada, &key, FOREVER, |reserved| {
            steps.set(steps.get() + 1);
            let is_stopped = steps.get() == 1;
            create(
                &keys,
                &ada,
                &key,
                if is_stopped { late(reserved) } else { reserved },
            )
        });
        match (taken, wait(call)) {
            (false, Ok(answer)) => assert_eq!((answer.status.as_str(), steps.get()), ("OK", 2)),
            (true, Err(error)) => assert_eq!(error.code, ErrorCode::InvalidInput),
            (_, answer) => panic!("{:?}", answer.map(|answer| answer.status)),
        }
    }
    assert_eq!(findings(&store, VerifyMode::Check), []);
}

#[test]
fn c4_a_deadline_is_not_moved_later_long_after_the_pointer_was() {
    if !servers_or_skip("c4_a_deadline_is_not_moved_later_long_after_the_pointer_was") {
        return;
    }
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ada, key) = (Owner::from_encoded(ADA), SessionKey::new("run-1"));
    let extend = |ttl: u64, reserved: Reservation| -> Answer {
        let keys = store.homes.keys(&ada);
        let args = Args::writing(&keys, &registry::EXTEND, keys.session(&key));
        let args = args.text("run-1").number(ttl).owned(reserved.text());
        wait(store.answer(args)).unwrap()
    };
    let reserve = |late| {
        let located = store.homes.locate_for(&key, Ttl(Some(4_000_000)), late);
        wait(located).unwrap().unwrap().1
    };
    let (ctx, _) = of_ada();
    let create = || {
        let options = CreateOptions::new().key(key.clone()).ttl(SOON * 1000);
        wait(store.create(&ctx, data(&ctx), options)).unwrap()
    };
    let _created = create();
    let first = reserve(None);
    let over = Reservation {
        until: Some(1),
        ..first
    };
    let mut late = extend(4_000_000, over);
    assert_eq!(late.status, "LATE");
    assert_eq!(extend(1_000_000, over).status, "OK");

    // The next attempt goes by the clock of the node that refused the first.
    let refused = late.number().unwrap();
    let next = reserve(Some(refused));
    let until = refused + u64::try_from((SOON * 2).as_micros()).unwrap();
    assert_eq!(next.until, Some(until));
    assert_eq!(extend(4_000_000, next).status, "OK");

    // What was meant for a session that is gone does not hit the next one of its key.
    wait(store.remove(&key, RemoveOptions::default())).unwrap();
    let _created = create();
    assert_eq!(extend(4_000_000, next).status, "STALE");
    assert_eq!(extend(4_000_000, reserve(None)).status, "OK");
}

/// A call may be sent twice, and come a second time when its session was removed.
#[test]
fn c4_a_call_that_comes_twice_brings_no_session_back() {
    if !servers_or_skip("c4_a_call_that_comes_twice_brings_no_session_back") {
        return;
    }
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded(BEN));
    let (ctx, user) = of_ada();
    let remove = |key: &SessionKey| wait(store.remove(key, RemoveOptions::default())).unwrap();
    let finish = |_: &SessionKey| {
        let lease = Duration::from_secs(60);
        let claimed = wait(store.claim(&ctx, &user, &scope(), "message", lease)).unwrap();
        let ClaimOutcome::Claimed(claim) = claimed else {
            panic!("{claimed:?}")
        };
        wait(store.commit(&claim.token, Commit::Finish)).unwrap();
    };
    let clear = |_: &SessionKey| {
        let _cleared = wait(store.clear(&ctx, &user, &scope())).unwrap();
    };
    let calls: [&dyn Fn(&SessionKey); 3] = [&remove, &finish, &clear];
    for (name, end) in ["remove", "finish", "clear"].into_iter().zip(calls) {
        let key = SessionKey::new(name);
        let sent = wait(store.homes.reserve(&ada, &key, FOREVER, None)).unwrap();
        assert_eq!(write(&store, &ada, &key, sent), "OK");
        let options = ParkOptions::new();
        let _parked = wait(store.park(&ctx, &user, &scope(), &key, data(&ctx), options)).unwrap();
        end(&key);
        wait_until("the pointer goes", NEVER, || {
            wait(pointers(&cluster).locate(&key)).unwrap().is_none()
        });
        let bens = wait(store.homes.reserve(&ben, &key, FOREVER, None)).unwrap();
        assert_eq!(write(&store, &ben, &key, bens), "OK", "{name}");
        assert_eq!(write(&store, &ada, &key, sent), "STALE", "{name}");
    }

    // A call that was refused takes the pointer along, for which an earlier one may still come.
    let key = SessionKey::new("refused");
    let first = wait(store.homes.reserve(&ada, &key, FOREVER, None)).unwrap();
    let holder = SessionKey::new("holder");
    let park = |key: &SessionKey, options| {
        wait(store.park(&ctx, &user, &scope(), key, data(&ctx), options)).unwrap()
    };
    let _parked = park(&holder, ParkOptions::new());
    let refused = park(&key, ParkOptions::new().if_absent());
    assert_eq!(refused, ParkOutcome::Exists(holder));
    wait_until("the pointer goes", NEVER, || {
        wait(pointers(&cluster).locate(&key)).unwrap().is_none()
    });
    assert_eq!(write(&store, &ada, &key, first), "STALE");
    assert_eq!(findings(&store, VerifyMode::Check), []);
}
