//! C12: the deadline that a claim holds off, in every key of the session.

use std::time::Duration;

use greentic_session::admin::VerifyMode;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, CreateOptions, MessageId,
    ParkOptions, RedisSessionStore, Ttl, Turn,
};
use greentic_session_testkit::require;

use crate::of_1_2;
use crate::samples::{ctx, data, key, scope, user};
use crate::space::Space;

const HOUR: Duration = Duration::from_secs(3600);

/// The keys of the session and of its owner. The last one leads to a session that was created.
const KEYS: [&str; 5] = [
    "session:wait",
    "meta:wait",
    "route:dev:acme:-:ada",
    "expiry:dev:acme:-:ada",
    "user:dev:acme:-:ada",
];

fn assert_end_in(space: &Space, store: &Blocking<RedisSessionStore>, end: Duration) {
    assert_keys_end_in(&KEYS, space, store, end);
}

fn assert_keys_end_in(
    keys: &[&str],
    space: &Space,
    store: &Blocking<RedisSessionStore>,
    end: Duration,
) {
    let end = i64::try_from(end.as_millis()).unwrap();
    for name in keys {
        let left = space.command(&["PTTL", &space.name(name)]).int();
        // A minute for a loaded machine.
        assert!((end - 60_000..=end).contains(&left), "{name}: {left}");
    }
    let page = store.verify(VerifyMode::Check, None, 1_000).unwrap();
    assert!(page.findings.is_empty(), "{:?}", page.findings);
}

fn claim(store: &Blocking<RedisSessionStore>, message: &str, lease: Duration) -> Turn {
    let (id, options) = (MessageId::new(message), ClaimOptions::new(lease));
    let scopes = [scope("chat")];
    match store.claim(&ctx("ada"), &user("ada"), &scopes, &id, options) {
        Ok(ClaimOutcome::Claimed(turn)) => turn,
        other => panic!("{other:?}"),
    }
}

#[test]
fn c12_every_key_follows_the_deadline_of_a_claimed_session() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    let (ada, wait) = (ctx("ada"), key("wait"));
    let created = CreateOptions::new().key(wait.clone()).ttl(HOUR);
    let _created = store.create(&ada, data(&ada, "{}"), created).unwrap();
    let parked = ParkOptions::new().ttl(Ttl::Keep);
    let stored = data(&ada, "{}");
    let _parked = store
        .park(&ada, &user("ada"), &scope("chat"), &wait, stored, parked)
        .unwrap();
    assert_end_in(&space, &store, HOUR);
    let own = store.get(&wait).unwrap().unwrap().deadline;

    let turn = claim(&store, "first", 3 * HOUR);
    assert_eq!(
        turn.session.as_ref().unwrap().deadline,
        Some(turn.lease_until)
    );
    assert_end_in(&space, &store, 3 * HOUR);
    let until = store.renew(&turn.token, 5 * HOUR).unwrap();
    assert_eq!(store.get(&wait).unwrap().unwrap().deadline, Some(until));
    assert_end_in(&space, &store, 5 * HOUR);
    store.renew(&turn.token, HOUR / 2).unwrap();
    assert_end_in(&space, &store, HOUR);
    store.renew(&turn.token, 2 * HOUR).unwrap();
    store.release(&turn.token).unwrap();
    assert_eq!(store.get(&wait).unwrap().unwrap().deadline, own);
    assert_end_in(&space, &store, HOUR);

    claim(&store, "second", 3 * HOUR);
    let _revoked = store.revoke(&wait).unwrap();
    assert_eq!(store.get(&wait).unwrap().unwrap().deadline, own);
    assert_end_in(&space, &store, HOUR);

    let turn = claim(&store, "third", 3 * HOUR);
    let extended = store.extend(&wait, Ttl::After(2 * HOUR)).unwrap();
    assert_eq!(extended, Some(turn.lease_until));
    assert_end_in(&space, &store, 3 * HOUR);
    let again = Commit::park_here(data(&ada, "again"));
    store
        .commit(&turn.token, again, CommitOptions::new())
        .unwrap();
    assert_end_in(&space, &store, HOUR);
}

/// The claim is the first call of this version that writes the session.
#[test]
fn c12_a_claim_holds_off_the_deadline_of_a_session_of_1_2() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    let stored = data(&ctx("ada"), "{}");
    of_1_2::park(&space, &scope("chat"), &key("wait"), &stored, Some(HOUR));
    let turn = claim(&store, "first", 3 * HOUR);
    assert_keys_end_in(&KEYS[..4], &space, &store, 3 * HOUR);
    store.release(&turn.token).unwrap();
    assert_keys_end_in(&KEYS[..4], &space, &store, HOUR);
}

/// A session whose own deadline has passed is gone when its claim is released, with all its keys.
#[test]
fn c13_nothing_is_left_when_a_claim_ends_after_the_deadline() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    let (ada, wait) = (ctx("ada"), key("wait"));
    for end in ["release", "revoke"] {
        let parked = ParkOptions::new().ttl(HOUR);
        let stored = data(&ada, "{}");
        let _parked = store
            .park(&ada, &user("ada"), &scope("chat"), &wait, stored, parked)
            .unwrap();
        let own = store.get(&wait).unwrap().unwrap().deadline.unwrap();
        let turn = claim(&store, end, 3 * HOUR);
        // As if two hours had passed: the server's clock cannot be moved, but the record can.
        let record = space.name("meta:wait");
        let text = space.command(&["GET", &record]).text();
        let own = own.as_millis();
        let passed = text.replace(&format!(" {own} "), &format!(" {} ", own - 7_200_000));
        assert_ne!(passed, text);
        space.command(&["SET", &record, &passed, "KEEPTTL"]);
        match end {
            "release" => store.release(&turn.token).unwrap(),
            _ => store.revoke(&wait).map(drop).unwrap(),
        }
        assert_eq!(store.get(&wait).unwrap(), None, "{end}");
        assert_eq!(space.keys(), Vec::<String>::new(), "{end}");
    }
}
