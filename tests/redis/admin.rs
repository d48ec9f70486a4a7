//! What an operator does to a Redis store: damage is repaired, and a person is erased to the last
//! byte, also what greentic-session 1.2 kept of them.

use std::collections::BTreeSet;
use std::time::Duration;

use greentic_session::admin::{
    EraseMode, ExportRecord, Finding, FindingKind, ImportMode, ImportOutcome, OwnerSelection,
    ScanFilter, SessionState, VerifyMode,
};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    AsyncSessionStore, Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId,
    ParkOptions, RedisSessionStore, SessionStore as _,
};
use greentic_session_testkit::require;

use crate::of_1_2;
use crate::samples::{ctx, data, key, scope, user};
use crate::space::Space;

const LONG: Duration = Duration::from_secs(3600);

fn verified(store: &Blocking<impl AsyncSessionStore>, mode: VerifyMode) -> Vec<Finding> {
    let (mut findings, mut after) = (Vec::new(), None);
    loop {
        let page = store.verify(mode, after.as_ref(), 7).unwrap();
        findings.extend(page.findings);
        after = page.next;
        if after.is_none() {
            return findings;
        }
    }
}

fn erase(store: &Blocking<impl AsyncSessionStore>, selection: &OwnerSelection) -> (u64, u64) {
    let (mut sessions, mut messages, mut after) = (0, 0, None);
    loop {
        let page = store
            .erase(selection, EraseMode::Erase, after.as_ref(), 7)
            .unwrap();
        sessions += page.sessions;
        messages += page.messages;
        after = page.next;
        if after.is_none() {
            return (sessions, messages);
        }
    }
}

fn park(store: &Blocking<RedisSessionStore>, who: &str, name: &str, ttl: Option<Duration>) {
    let mut options = ParkOptions::new();
    options.ttl = ttl.into();
    let (ctx, user) = (ctx(who), user(who));
    let data = data(&ctx, name);
    let parked = store.park(&ctx, &user, &scope(name), &key(name), data, options);
    let _registered = parked.unwrap();
}

fn answered(store: &Blocking<RedisSessionStore>, who: &str, name: &str) {
    park(store, who, name, None);
    let claimed = store.claim(
        &ctx(who),
        &user(who),
        &[scope(name)],
        &MessageId::new(name),
        ClaimOptions::new(LONG),
    );
    let ClaimOutcome::Claimed(claim) = claimed.unwrap() else {
        panic!("no other worker claims it")
    };
    let options = CommitOptions::new().reply(*b"reply");
    store.commit(&claim.token, Commit::Finish, options).unwrap();
}

fn digest(name: &str) -> String {
    scope(name).scope_hash()
}

fn places(findings: &[Finding]) -> BTreeSet<(FindingKind, &'static str)> {
    let place = |finding: &Finding| (finding.kind, finding.place);
    findings.iter().map(place).collect()
}

#[test]
fn c21_a_page_without_sessions_has_the_time() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    let time = space.command(&["TIME"]).texts();
    let seconds: u64 = time[0].parse().unwrap();
    for filter in [ScanFilter::new(), ScanFilter::new().key(key("nobody"))] {
        let page = store.scan(&filter, None, 10).unwrap();
        assert!(page.now.as_millis() >= seconds * 1_000, "{}", page.now);
    }
}

#[test]
fn c23_a_check_changes_nothing() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    park(&store, "anna", "one", None);
    park(&store, "anna", "two", None);
    let created = store.create_session(&ctx("ben"), data(&ctx("ben"), "{}"));
    let created = format!("session:{}", created.unwrap().as_str());
    let route = space.name("route:dev:acme:-:anna");
    let two = space.command(&["HGET", &route, &digest("two")]).text();
    for command in [
        &["HSET", &route, &digest("one"), &two][..],
        &["DEL", &space.name("session:two")],
        &["DEL", &space.name(&created)],
    ] {
        space.command(command);
    }
    let before = space.keys();
    assert!(!verified(&store, VerifyMode::Check).is_empty());
    assert_eq!(space.keys(), before);
}

#[test]
fn c23_damage_is_found_and_repaired() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    for number in 0..6 {
        park(&store, "anna", &format!("wait-{number}"), Some(LONG));
    }
    answered(&store, "anna", "done");
    let created = store.create_session(&ctx("ben"), data(&ctx("ben"), "{}"));
    let created = created.unwrap();
    assert_eq!(verified(&store, VerifyMode::Check), []);

    let route = space.name("route:dev:acme:-:anna");
    let expiry = space.name("expiry:dev:acme:-:anna");
    let (two, three) = (digest("wait-2"), digest("wait-3"));
    let waits = space.name("waits:user:dev:acme:-:anna");
    let waits_scope = space.name(&format!("waits:scope:dev:acme:-:anna:{two}"));
    for command in [
        &["DEL", &space.name("session:wait-1")][..],
        &["HDEL", &route, &two],
        &["ZREM", &expiry, &three],
        &["HSET", &route, &digest("ghost"), "5:ghost"],
        &["ZADD", &expiry, "inf", &digest("ghost"), "inf", "nobody"],
        &["SET", &space.name("user:dev:acme:-:ben"), "ghost"],
        &["PERSIST", &space.name("meta:wait-4")],
        &["PERSIST", &space.name("done:dev:acme:-:anna")],
        &["HSET", &space.name("replies:dev:acme:-:anna"), "7", "ghost"],
        &["PERSIST", &space.name("replies:dev:acme:-:anna")],
        &["SADD", &waits, "ghost"],
        &["SET", &waits_scope, "ghost"],
        &["SET", &space.name("session:torn"), "{}"],
        &["SET", &space.name("meta:torn"), "2 who knows"],
    ] {
        space.command(command);
    }
    let before = space.keys();
    let found = verified(&store, VerifyMode::Check);
    use FindingKind::{Dangling, Missing, Orphan, Unreadable};
    let expected = [
        (Orphan, "meta"),
        (Missing, "route"),
        (Missing, "session"),
        (Missing, "done"),
        (Missing, "replies"),
        (Dangling, "replies"),
        (Dangling, "route"),
        (Dangling, "expiry"),
        (Dangling, "user"),
        (Dangling, "waits"),
        (Unreadable, "keys"),
    ];
    assert_eq!(places(&found), BTreeSet::from(expected), "{found:#?}");
    let unrouted = found
        .iter()
        .filter(|f| (f.kind, f.place) == (Missing, "route"));
    let unrouted: BTreeSet<_> = unrouted
        .filter_map(|f| Some(f.session.as_ref()?.as_str()))
        .collect();
    assert_eq!(unrouted, BTreeSet::from(["wait-2", "wait-3"]));
    assert!(found.iter().all(|finding| !finding.repaired));
    assert!(!format!("{found:?}").contains("anna"), "{found:?}");
    assert_eq!(space.keys(), before, "a check changes nothing");

    let repaired = verified(&store, VerifyMode::Repair);
    for finding in &repaired {
        let can_be = finding.kind != Unreadable;
        assert_eq!(finding.repaired, can_be, "{finding}");
    }
    let left = places(&verified(&store, VerifyMode::Check));
    assert_eq!(left, BTreeSet::from([(Unreadable, "keys")]));
    let find = |name| store.find(&ctx("anna"), &user("anna"), &scope(name));
    assert_eq!(find("wait-1").unwrap(), None);
    for name in ["wait-0", "wait-2", "wait-3", "wait-4", "wait-5"] {
        assert_eq!(find(name).unwrap(), Some(key(name)));
    }
    let listed = store.waits(&ctx("anna"), &user("anna")).unwrap();
    let kept = ["wait-0", "wait-2", "wait-3", "wait-4", "wait-5"].map(key);
    assert_eq!(listed, kept);
    assert!(store.get(&created).unwrap().is_some());
    assert!(space.keys().contains(&space.name("meta:torn")));
}

#[test]
fn c23_a_repair_keeps_the_routed_one_of_two_waits_on_a_scope() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    let import = |name: &str| {
        let source = Blocking::new(InMemorySessionStore::new());
        let (ctx, user) = (ctx("anna"), user("anna"));
        let parked = source.register_wait(
            &ctx,
            &user,
            &scope("chat"),
            &key(name),
            data(&ctx, "{}"),
            None,
        );
        parked.unwrap();
        let mut record = source.export(None, 1).unwrap().records.remove(0);
        if let ExportRecord::Session(session) = &mut record {
            session.wait.as_mut().unwrap().order = 7;
        }
        let outcome = store.import(record, ImportMode::Replace).unwrap();
        assert_eq!(outcome, ImportOutcome::Imported);
    };
    import("k");
    let route = space.name("route:dev:acme:-:anna");
    let scope_digest = space.command(&["HKEYS", &route]).texts();
    let scope_digest = scope_digest.iter().find(|field| *field != "#").unwrap();
    space.command(&["HDEL", &route, scope_digest]);
    import("c");
    assert!(!verified(&store, VerifyMode::Check).is_empty());
    verified(&store, VerifyMode::Repair);
    assert_eq!(verified(&store, VerifyMode::Check), []);
    assert_eq!(
        store.waits(&ctx("anna"), &user("anna")).unwrap(),
        [key("c")]
    );
}

#[test]
fn c23_a_wait_whose_data_names_another_owner_is_found_and_never_indexed() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    for who in ["anna", "ben"] {
        park(&store, who, who, None);
    }
    let foreign = space.command(&["GET", &space.name("session:ben")]).text();
    space.command(&["SET", &space.name("session:anna"), &foreign]);
    let route = space.name("route:dev:acme:-:anna");
    space.command(&["HDEL", &route, &digest("anna")]);
    for mode in [VerifyMode::Check, VerifyMode::Repair, VerifyMode::Check] {
        let found = verified(&store, mode);
        let unreadable = |finding: &Finding| finding.kind == FindingKind::Unreadable;
        assert!(found.iter().any(unreadable), "{found:#?}");
        let entry = space.command(&["HEXISTS", &route, &digest("anna")]);
        assert_eq!(entry.int(), 0, "{mode:?}");
    }
    let found = store.find(&ctx("ben"), &user("ben"), &scope("ben"));
    assert_eq!(found.unwrap(), Some(key("ben")));
}

/// All names and all values of a space, as one text.
fn everything(space: &Space) -> String {
    let mut text = String::new();
    for name in space.keys() {
        let kind = space.command(&["TYPE", &name]).text();
        let value = match kind.as_str() {
            "string" => vec![space.command(&["GET", &name]).text()],
            "hash" => space.command(&["HGETALL", &name]).texts(),
            "set" => space.command(&["SMEMBERS", &name]).texts(),
            "zset" => space.command(&["ZRANGE", &name, "0", "-1"]).texts(),
            other => panic!("no key of a store is a {other}"),
        };
        text.push_str(&format!("{name}\n{}\n", value.join("\n")));
    }
    text
}

fn park_as_1_2(space: &Space, who: &str, name: &str) {
    let data = data(&ctx(who), name);
    of_1_2::park(space, &scope(name), &key(name), &data, Some(LONG));
}

fn person(name: &str) -> OwnerSelection {
    let ctx = ctx(name);
    OwnerSelection::tenant(ctx.env, ctx.tenant).user(user(name))
}

#[test]
fn c22_no_byte_of_an_erased_user_is_left() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    for who in ["zq-anna", "ben"] {
        for number in 0..10 {
            let ttl = (number % 2 == 0).then_some(LONG);
            park(&store, who, &format!("{who}-{number}"), ttl);
        }
        let _created = store.create_session(&ctx(who), data(&ctx(who), who));
        answered(&store, who, &format!("{who}-done"));
        for number in 0..3 {
            park_as_1_2(&space, who, &format!("{who}-old-{number}"));
        }
    }
    // Parts that lost the rest, as a server that evicts would leave them.
    space.command(&["DEL", &space.name("session:zq-anna-1")]);
    assert!(everything(&space).contains("zq-anna"));
    let kept = everything(&space).matches("ben").count();

    let (sessions, messages) = erase(&store, &person("zq-anna"));
    assert_eq!((sessions, messages), (9 + 1 + 3, 1));
    let left = everything(&space);
    assert!(!left.contains("zq-anna"), "{left}");
    assert_eq!(left.matches("ben").count(), kept);
    assert_eq!(verified(&store, VerifyMode::Check), []);
    let waits = store.waits(&ctx("ben"), &user("ben")).unwrap();
    assert_eq!(waits.len(), 13);
}

// Only the scope gives the name of the string that leads to a session of 1.2.
#[test]
fn c23_a_string_of_1_2_that_expires_as_its_session_would_is_no_fault() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    let mut names: Vec<_> = (0..20).map(|number| format!("old-{number}")).collect();
    for name in &names {
        park_as_1_2(&space, "anna", name);
    }
    names.push("stays".to_owned());
    let data = data(&ctx("anna"), "stays");
    of_1_2::park(&space, &scope("stays"), &key("stays"), &data, None);
    for name in &names {
        store.remove_session(&key(name)).unwrap();
    }
    let left = space.keys();
    assert_eq!(left.len(), names.len(), "{left:?}");
    let expire = left
        .iter()
        .filter(|name| (1..=3_600_000).contains(&space.command(&["PTTL", name]).int()));
    assert_eq!(expire.count(), 20);

    for mode in [VerifyMode::Check, VerifyMode::Repair] {
        let found = verified(&store, mode);
        let keys: Vec<_> = found.iter().map(|found| found.session.clone()).collect();
        assert_eq!(keys, [Some(key("stays"))], "{found:?}");
    }
    assert_eq!(verified(&store, VerifyMode::Check), []);
    assert_eq!(space.keys().len(), 20);
}

#[test]
fn c26_sessions_parked_by_1_2_are_exported_and_imported() {
    let space = require!(Space::shared);
    for number in 0..5 {
        park_as_1_2(&space, "anna", &format!("old-{number}"));
    }
    let store = Blocking::new(space.store());
    let found = store.scan(&ScanFilter::new(), None, 1_000).unwrap();
    assert_eq!(found.sessions.len(), 5);
    for info in &found.sessions {
        let waits = matches!(info.state, SessionState::Waiting { scope: None, .. });
        assert!(waits && info.created.is_none(), "{info:?}");
    }

    let target = Blocking::new(InMemorySessionStore::new());
    let mut after = None;
    loop {
        let page = store.export(after.as_ref(), 3).unwrap();
        for record in page.records {
            assert!(matches!(record, ExportRecord::Session(_)));
            let outcome = target.import(record, ImportMode::IfAbsent).unwrap();
            assert_eq!(outcome, ImportOutcome::Imported);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    for number in 0..5 {
        let name = format!("old-{number}");
        let claimed = target.claim(
            &ctx("anna"),
            &user("anna"),
            &[scope(&name)],
            &MessageId::new(&name),
            // So short that the deadline stays as it was (C12).
            ClaimOptions::new(Duration::from_secs(1)),
        );
        let ClaimOutcome::Claimed(claim) = claimed.unwrap() else {
            panic!("{name} waits there")
        };
        let there = store.get(&key(&name)).unwrap();
        assert_eq!(claim.session, there);
    }
}
