//! Writes that reach the owner's node too late.

use std::cell::Cell;
use std::process::Command;
use std::time::Instant;

use greentic_session_testkit::{RedisCluster, RedisServer, own_servers, require, wait_until};

use super::pointers::{ADA, at, create, data, findings, of_ada, pointer, pointers, scope, write};
use super::*;
use crate::admin::VerifyMode;
use crate::backend::redis::ownership::pointer::{Reservation, Retry};
use crate::backend::redis::script::arguments;
use crate::backend::redis::script::reply::Answer;
use crate::backend::redis::script::status::Status;
use crate::backend::redis::script::wire::OwnerCall;
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CommitOptions, NextTtl, TtlMillis};
use crate::owner::Owner;
use crate::{
    AsyncSessionStore, ClaimOutcome, Commit, CreateOptions, ErrorCode, ParkOptions, ParkOutcome,
    RedisSessionStore, RemoveOptions, SessionKey,
};

const BEN: &str = "e:t:-:ben";
const FOREVER: TtlMillis = TtlMillis(None);

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

/// A node that hung executes the requests it received, also after the caller has given up.
#[test]
fn c4_a_node_that_hung_refuses_a_write_after_its_deadline() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let timeout = SOON / 4;
    let store = RedisSessionStore::new(at(&cluster).response_timeout(timeout)).unwrap();
    let (ctx, _) = of_ada();
    let create = |key: &SessionKey| {
        let options = CreateOptions::new().key(key.clone());
        wait(store.create(&ctx, data(&ctx), options))
    };
    // Loads the scripts and opens the connections.
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
    wait_until("the node executes the request", NEVER, || {
        scripts_run() > before
    });
    assert!(wait(store.get(&key)).unwrap().is_none());
    let name = self::session(key.as_str());
    assert_eq!(cluster.command_for(&name, &["EXISTS", &name]).int(), 0);
    let _created = create(&key).unwrap();
    assert_eq!(findings(&store, VerifyMode::Check), []);
}

/// A process may be suspended between the two steps of a call until a sweep has removed the pointer
/// and the fence has expired.
#[test]
fn c4_a_call_suspended_between_its_steps_reserves_again() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let (pointers, store) = (
        pointers(&cluster),
        RedisSessionStore::new(at(&cluster)).unwrap(),
    );
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded(BEN));
    let late = |reserved: Option<Reservation>| {
        reserved.map(|reserved| Reservation {
            write_deadline: 1,
            ..reserved
        })
    };
    let fenced = |key: &str| {
        let fence = format!("greentic:session:{{{ADA}}}:fence:{key}");
        cluster.command_for(&fence, &["DEL", &fence]).int() == 1
    };

    for taken in [false, true] {
        let key = SessionKey::new(format!("taken-{taken}"));
        let reserved = wait(pointers.reserve(&ada, &key, FOREVER, Retry::default())).unwrap();
        let stamp = reserved.pointer.stamp;
        assert!(wait(pointers.remove_orphan(&ada, &key, stamp)).unwrap());
        assert!(fenced(key.as_str()));
        if taken {
            let bens = wait(pointers.reserve(&ben, &key, FOREVER, Retry::default())).unwrap();
            assert_eq!(write(&store, &ben, &key, Some(bens)), Status::Ok);
        }
        assert_eq!(
            write(&store, &ada, &key, late(Some(reserved))),
            Status::Late
        );

        let keys = store.dispatcher.layout.keys(&ada);
        let steps = Cell::new(0);
        let call =
            store
                .dispatcher
                .write_reserving_key(&ada, &key, NextTtl::Given(FOREVER), |reserved| {
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
            (false, Ok(answer)) => assert_eq!((answer.status, steps.get()), (Status::Ok, 2)),
            (true, Err(error)) => assert_eq!(error.code, ErrorCode::InvalidInput),
            (_, answer) => panic!("{:?}", answer.map(|answer| answer.status)),
        }
    }
    assert_eq!(findings(&store, VerifyMode::Check), []);
}

/// A call that extended the pointer does not change the next session of the key.
#[test]
fn c4_a_late_extend_is_refused() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ada, key) = (Owner::from_encoded(ADA), SessionKey::new("run-1"));
    let extend = |ttl: u64, extended: &str| -> Answer {
        let keys = store.dispatcher.layout.keys(&ada);
        let arguments = arguments::Extend {
            key: &key,
            fence: None,
            ttl: NextTtl::Given(TtlMillis(Some(ttl))),
            extended: extended.to_owned(),
        };
        let call = OwnerCall::new(&keys, keys.session(&key), arguments);
        wait(store.dispatcher.answer(call)).unwrap()
    };
    let (ctx, _) = of_ada();
    let create = || {
        let options = CreateOptions::new().key(key.clone()).ttl(SOON * 1000);
        wait(store.create(&ctx, data(&ctx), options)).unwrap()
    };
    const LONG: u64 = 40_000_000;
    let _created = create();
    assert_eq!(extend(4_000_000, "").status, Status::Ok);
    let mut refused = extend(LONG, "");
    assert_eq!(refused.status, Status::ExtendPointer);
    let layout = &store.dispatcher.layout;
    let next = layout.extend(
        Some(&ada),
        &key,
        NextTtl::Given(TtlMillis(Some(LONG))),
        &mut refused,
    );
    let next = wait(next).unwrap();
    assert_eq!(extend(LONG, &next).status, Status::Ok);

    wait(store.remove(&key, RemoveOptions::default())).unwrap();
    assert_eq!(extend(LONG, &next).status, Status::NotFound);
    let _created = create();
    assert_eq!(extend(LONG, &next).status, Status::ExtendPointer);
    assert_eq!(findings(&store, VerifyMode::Check), []);
}

/// A request may be sent twice, and arrive a second time after its session was removed.
#[test]
fn c4_a_write_sent_twice_does_not_restore_a_removed_session() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let store = RedisSessionStore::new(at(&cluster)).unwrap();
    let (ada, ben) = (Owner::from_encoded(ADA), Owner::from_encoded(BEN));
    let (ctx, user) = of_ada();
    let remove = |key: &SessionKey| wait(store.remove(key, RemoveOptions::default())).unwrap();
    let finish = |_: &SessionKey| {
        let lease = Duration::from_secs(60);
        let claimed = wait(store.claim(
            &ctx,
            &user,
            &[scope()],
            &MessageId::new("message"),
            ClaimOptions::new(lease),
        ))
        .unwrap();
        let ClaimOutcome::Claimed(claim) = claimed else {
            panic!("{claimed:?}")
        };
        wait(store.commit(&claim.token, Commit::Finish, CommitOptions::new())).unwrap();
    };
    let clear = |_: &SessionKey| {
        let _cleared = wait(store.clear(&ctx, &user, &scope())).unwrap();
    };
    let calls: [&dyn Fn(&SessionKey); 3] = [&remove, &finish, &clear];
    for (name, end) in ["remove", "finish", "clear"].into_iter().zip(calls) {
        let key = SessionKey::new(name);
        let sent = wait(
            store
                .dispatcher
                .layout
                .reserve(&ada, &key, FOREVER, Retry::default()),
        )
        .unwrap();
        assert_eq!(write(&store, &ada, &key, sent), Status::Ok);
        let options = ParkOptions::new();
        let _parked = wait(store.park(&ctx, &user, &scope(), &key, data(&ctx), options)).unwrap();
        end(&key);
        wait_until("the pointer is removed", NEVER, || {
            wait(pointers(&cluster).find_owner(&key)).unwrap().is_none()
        });
        let bens = wait(
            store
                .dispatcher
                .layout
                .reserve(&ben, &key, FOREVER, Retry::default()),
        )
        .unwrap();
        assert_eq!(write(&store, &ben, &key, bens), Status::Ok, "{name}");
        assert_eq!(write(&store, &ada, &key, sent), Status::Stale, "{name}");
    }

    // A refused call removes the pointer, for which an earlier write may still arrive.
    let key = SessionKey::new("refused");
    let first = wait(
        store
            .dispatcher
            .layout
            .reserve(&ada, &key, FOREVER, Retry::default()),
    )
    .unwrap();
    let holder = SessionKey::new("holder");
    let park = |key: &SessionKey, options| {
        wait(store.park(&ctx, &user, &scope(), key, data(&ctx), options)).unwrap()
    };
    let _parked = park(&holder, ParkOptions::new());
    let refused = park(&key, ParkOptions::new().if_absent());
    assert_eq!(refused, ParkOutcome::Exists(holder));
    wait_until("the pointer is removed", NEVER, || {
        wait(pointers(&cluster).find_owner(&key)).unwrap().is_none()
    });
    assert_eq!(write(&store, &ada, &key, first), Status::Stale);
    assert_eq!(findings(&store, VerifyMode::Check), []);
}
