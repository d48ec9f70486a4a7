//! Sessions, claims and message ids survive a restart; expired rows are removed.

use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::durable::{Durability, DurableSessionStore};
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, ClearOutcome, Commit, CommitOptions, CreateOptions,
    ErrorCode, MessageId, ParkOptions, SessionErrorExt, SessionStore, UpdateOptions,
};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{MINUTE, Scratch, assert_consistent, data};

fn blocking(
    store: DurableSessionStore,
) -> (Arc<DurableSessionStore>, Blocking<DurableSessionStore>) {
    let store = Arc::new(store);
    (Arc::clone(&store), Blocking::from(store))
}

#[test]
fn c8_a_payload_is_the_same_byte_for_byte_after_a_restart() {
    let scratch = Scratch::new();
    let context = "{\"text\":\"\u{1F980} \\u0000 \\\"quoted\\\" \n\"}";
    let store = scratch.open();
    let stored = data("u", context);
    let created = store.create_session(&ctx("u"), stored.clone()).unwrap();
    store.close().unwrap();

    let store = scratch.open();
    assert_eq!(store.get_session(&created).unwrap(), Some(stored));
    assert_consistent(&store);
}

#[test]
fn c10_waits_keep_their_order_and_their_scopes_after_a_restart() {
    let scratch = Scratch::new();
    let store = scratch.open();
    for name in ["b", "a", "c"] {
        store
            .register_wait(
                &ctx("u"),
                &user("u"),
                &scope(name),
                &key(name),
                data("u", name),
                None,
            )
            .unwrap();
    }
    drop(store);

    let store = scratch.open();
    let waits = store.list_waits_for_user(&ctx("u"), &user("u")).unwrap();
    assert_eq!(waits, [key("b"), key("a"), key("c")]);
    let found = store.find_wait_by_scope(&ctx("u"), &user("u"), &scope("a"));
    assert_eq!(found.unwrap(), Some(key("a")));
    assert_consistent(&store);
}

#[test]
fn c16_a_claim_its_token_and_the_message_survive_a_restart() {
    let scratch = Scratch::new();
    let (store, api) = blocking(scratch.open());
    let _ = api
        .park(
            &ctx("u"),
            &user("u"),
            &scope("s"),
            &key("k"),
            data("u", "1"),
            ParkOptions::new(),
        )
        .unwrap();
    let claimed = api
        .claim(
            &ctx("u"),
            &user("u"),
            &[scope("s")],
            &MessageId::new("m-1"),
            ClaimOptions::new(MINUTE),
        )
        .unwrap();
    let ClaimOutcome::Claimed(claim) = claimed else {
        panic!("{claimed:?}");
    };
    drop(api);
    drop(store);

    let (store, api) = blocking(scratch.open());
    let other = api
        .claim(
            &ctx("u"),
            &user("u"),
            &[scope("s")],
            &MessageId::new("m-2"),
            ClaimOptions::new(MINUTE),
        )
        .unwrap();
    assert!(matches!(other, ClaimOutcome::Busy { .. }));
    let refused = api
        .update(&key("k"), data("u", "2"), UpdateOptions::new())
        .unwrap_err();
    assert!(refused.conflict().is_some());
    api.commit(
        &claim.token,
        Commit::park(scope("t"), data("u", "3")),
        CommitOptions::new(),
    )
    .unwrap();
    drop(api);
    drop(store);

    let (store, api) = blocking(scratch.open());
    api.commit(
        &claim.token,
        Commit::park(scope("t"), data("u", "3")),
        CommitOptions::new(),
    )
    .unwrap();
    let again = api
        .claim(
            &ctx("u"),
            &user("u"),
            &[scope("t")],
            &MessageId::new("m-1"),
            ClaimOptions::new(MINUTE),
        )
        .unwrap();
    assert_eq!(again, ClaimOutcome::duplicate());
    let next = api
        .claim(
            &ctx("u"),
            &user("u"),
            &[scope("t")],
            &MessageId::new("m-3"),
            ClaimOptions::new(MINUTE),
        )
        .unwrap();
    let ClaimOutcome::Claimed(next) = next else {
        panic!("{next:?}");
    };
    assert!(next.token.fencing_number() > claim.token.fencing_number());
    assert_consistent(&store);
}

#[test]
fn c13_no_row_of_an_owner_is_left_after_its_sessions_and_messages() {
    let scratch = Scratch::new();
    let clock = Arc::new(ManualClock::default());
    let (store, api) = blocking(scratch.open_at(&clock));
    let ttl = ParkOptions::new().ttl(MINUTE);
    for name in ["a", "b", "c", "d"] {
        let _ = api
            .park(
                &ctx("u"),
                &user("u"),
                &scope(name),
                &key(name),
                data("u", name),
                ttl,
            )
            .unwrap();
    }
    let cleared = api.clear(&ctx("u"), &user("u"), &scope("a")).unwrap();
    assert_eq!(cleared, ClearOutcome::Cleared(key("a")));
    let _ = api
        .park(
            &ctx("u"),
            &user("u"),
            &scope("c"),
            &key("b"),
            data("u", "b"),
            ttl,
        )
        .unwrap();
    let claimed = api
        .claim(
            &ctx("u"),
            &user("u"),
            &[scope("d")],
            &MessageId::new("m"),
            ClaimOptions::new(MINUTE),
        )
        .unwrap();
    let ClaimOutcome::Claimed(claim) = claimed else {
        panic!("{claimed:?}");
    };
    api.commit(&claim.token, Commit::Finish, CommitOptions::new())
        .unwrap();
    let _ = api
        .create(&ctx("u"), data("u", "e"), CreateOptions::new().ttl(MINUTE))
        .unwrap();
    assert_consistent(&store);
    assert_eq!(store.held().unwrap(), (3, 1));

    clock.advance(MINUTE);
    assert_eq!(api.waits(&ctx("u"), &user("u")).unwrap(), []);
    assert_eq!(api.get(&key("c")).unwrap(), None);
    store.sweep().unwrap();
    assert_consistent(&store);
    assert_eq!(store.held().unwrap(), (0, 1), "the message is remembered");

    clock.advance(Duration::from_secs(24 * 60 * 60));
    store.sweep().unwrap();
    assert_eq!(store.held().unwrap(), (0, 0));
    assert_consistent(&store);
}

#[test]
fn c13_writes_remove_what_has_expired() {
    let scratch = Scratch::new();
    let clock = Arc::new(ManualClock::default());
    let (store, api) = blocking(scratch.open_at(&clock));
    let ttl = ParkOptions::new().ttl(MINUTE);
    for index in 0..20 {
        let name = format!("old-{index}");
        let _ = api
            .park(
                &ctx("u"),
                &user("u"),
                &scope(&name),
                &key(&name),
                data("u", "x"),
                ttl,
            )
            .unwrap();
    }
    clock.advance(MINUTE);
    for index in 0..10 {
        let name = format!("new-{index}");
        let _ = api
            .park(
                &ctx("v"),
                &user("v"),
                &scope(&name),
                &key(&name),
                data("v", "x"),
                ttl,
            )
            .unwrap();
    }
    assert_eq!(store.held().unwrap(), (10, 1));
    assert_consistent(&store);
}

#[test]
fn c16_the_oldest_message_is_forgotten_first() {
    let scratch = Scratch::new();
    let clock = Arc::new(ManualClock::default());
    let options = greentic_session::options::StoreOptions::new().max_messages(2);
    let config = scratch.config().options(options);
    let store = DurableSessionStore::open_with_clock(config, Arc::clone(&clock)).unwrap();
    let (store, api) = blocking(store);
    let claim = |message: &str| {
        api.claim(
            &ctx("u"),
            &user("u"),
            &[scope("s")],
            &MessageId::new(message),
            ClaimOptions::new(MINUTE),
        )
    };
    for message in ["m-1", "m-2", "m-3"] {
        let _ = api
            .park(
                &ctx("u"),
                &user("u"),
                &scope("s"),
                &key("k"),
                data("u", "x"),
                ParkOptions::new(),
            )
            .unwrap();
        let ClaimOutcome::Claimed(claim) = claim(message).unwrap() else {
            panic!("{message} was not claimed");
        };
        api.commit(&claim.token, Commit::Finish, CommitOptions::new())
            .unwrap();
    }
    assert_eq!(claim("m-1").unwrap(), ClaimOutcome::NoWait);
    assert_eq!(claim("m-2").unwrap(), ClaimOutcome::duplicate());
    assert_eq!(claim("m-3").unwrap(), ClaimOutcome::duplicate());
    assert_consistent(&store);
}

#[test]
fn c14_a_refused_operation_changes_nothing() {
    let scratch = Scratch::new();
    let store = scratch.open();
    store
        .register_wait(
            &ctx("u"),
            &user("u"),
            &scope("s"),
            &key("k"),
            data("u", "1"),
            None,
        )
        .unwrap();
    let refused = store
        .register_wait(
            &ctx("v"),
            &user("v"),
            &scope("s"),
            &key("k"),
            data("v", "2"),
            None,
        )
        .unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidInput);
    let missing = store
        .update_session(&key("unknown"), data("u", "1"))
        .unwrap_err();
    assert_eq!(missing.code, ErrorCode::NotFound);
    assert_eq!(store.held().unwrap(), (1, 1));
    assert_consistent(&store);
}

#[test]
fn c14_concurrent_writers_share_the_store() {
    let scratch = Scratch::new();
    let store = scratch.open();
    std::thread::scope(|threads| {
        for writer in 0..8 {
            let store = &store;
            threads.spawn(move || {
                let name = format!("u-{writer}");
                for step in 0..20 {
                    let step = format!("{name}-{step}");
                    let (scope, key) = (scope(&step), key(&step));
                    let data = data(&name, "x");
                    store
                        .register_wait(&ctx(&name), &user(&name), &scope, &key, data, None)
                        .unwrap();
                }
                let waits = store
                    .list_waits_for_user(&ctx(&name), &user(&name))
                    .unwrap();
                assert_eq!(waits.len(), 20);
            });
        }
    });
    assert_eq!(store.held().unwrap(), (160, 8));
    assert_consistent(&store);
}

#[test]
fn c17_closing_syncs_what_is_not_synced_yet() {
    let scratch = Scratch::new();
    let relaxed = Durability::SurvivesProcessCrash {
        sync_every: Duration::from_secs(3600),
    };
    let config = scratch.config().durability(relaxed);
    let store = DurableSessionStore::open(config).unwrap();
    let created = store.create_session(&ctx("u"), data("u", "x")).unwrap();
    assert!(store.get_session(&created).unwrap().is_some());
    store.close().unwrap();
    assert!(scratch.open().get_session(&created).unwrap().is_some());
}
