//! A user with very many entries: no script looks at all of them.

use std::time::Duration;

use greentic_session::admin::{EraseMode, Finding, FindingKind, OwnerSelection, VerifyMode};
use greentic_session::{
    Blocking, ErrorCode, FindByUser, ParkOptions, RedisSessionStore, SessionErrorExt as _,
    SessionStore as _, StoreOptions,
};
use greentic_session_testkit::require;

use crate::samples::{ctx, data, key, scope, user};
use crate::space::Space;

const LONG: Duration = Duration::from_secs(3600);
/// How many names one command of a test sets.
const CHUNK: usize = 500;

fn park(store: &Blocking<RedisSessionStore>, name: &str, ttl: Option<Duration>) {
    let (ctx, mut options) = (ctx("anna"), ParkOptions::new());
    options.ttl = ttl.into();
    let data = data(&ctx, name);
    let parked = store.park(&ctx, &user("anna"), &scope(name), &key(name), data, options);
    let _registered = parked.unwrap();
}

fn listed(store: &Blocking<RedisSessionStore>) -> Vec<String> {
    let keys = store.waits(&ctx("anna"), &user("anna")).unwrap();
    keys.iter().map(|key| key.as_str().to_owned()).collect()
}

/// Adds entries to anna's index that lead to no session, with this deadline.
fn add_entries(space: &Space, count: usize, deadline: &str) {
    let (route, expiry) = (
        space.name("route:dev:acme:-:anna"),
        space.name("expiry:dev:acme:-:anna"),
    );
    let scopes: Vec<_> = (0..count).map(|number| format!("{number:064x}")).collect();
    for chunk in scopes.chunks(CHUNK) {
        let (mut routes, mut deadlines) = (vec!["HSET", &route], vec!["ZADD", &expiry]);
        for scope in chunk {
            routes.extend([scope.as_str(), "1:gone"]);
            deadlines.extend([deadline, scope.as_str()]);
        }
        space.command(&routes);
        space.command(&deadlines);
    }
}

fn size(space: &Space, command: &str, name: &str) -> i64 {
    space.command(&[command, &space.name(name)]).int()
}

#[test]
fn c10_one_wait_is_found_beside_many_that_are_over() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    park(&store, "alive", None);
    add_entries(&space, 5_000, "1000");
    assert_eq!(listed(&store), ["alive"]);
    let found = store.latest(&ctx("anna"), &user("anna")).unwrap();
    assert_eq!(found.unwrap().key, key("alive"));
    // They were skipped, not visited.
    assert_eq!(size(&space, "ZCARD", "expiry:dev:acme:-:anna"), 5_001);
}

#[test]
fn c10_a_long_list_removes_what_is_over() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    let names: Vec<_> = (0..300).map(|number| format!("wait-{number:03}")).collect();
    for name in &names {
        park(&store, name, None);
    }
    add_entries(&space, 1_000, "1000");
    // Each of at least three pages removes up to 100.
    for _ in 0..4 {
        assert_eq!(listed(&store), names);
    }
    assert_eq!(size(&space, "ZCARD", "expiry:dev:acme:-:anna"), 300);
    assert_eq!(size(&space, "HLEN", "route:dev:acme:-:anna"), 301);
}

#[test]
fn c06_a_wait_behind_entries_that_lead_nowhere_is_found() {
    let (space, sees) = (require!(Space::shared), FindByUser::WaitsAndCreated);
    let store = Blocking::new(space.store_with(StoreOptions::new().find_by_user(sees)));
    park(&store, "alive", None);
    add_entries(&space, 150, "9000000000000");
    let find = || store.latest(&ctx("anna"), &user("anna"));
    assert_eq!(find().unwrap().unwrap().key, key("alive"));
    park(&store, "other", None);
    assert!(find().unwrap_err().message.contains("multiple waits"));
    for name in ["alive", "other"] {
        store.remove_session(&key(name)).unwrap();
    }
    assert!(find().unwrap().is_none());
    let created = store.create_session(&ctx("anna"), data(&ctx("anna"), "{}"));
    assert_eq!(find().unwrap().unwrap().key, created.unwrap());
}

#[test]
fn c10_a_large_set_of_1_2_is_looked_at_in_pages() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store());
    let waits = space.name("waits:user:dev:acme:-:anna");
    let old: Vec<_> = (0..40).map(|number| format!("old-{number:02}")).collect();
    for name in &old {
        let payload = serde_json::to_string(&data(&ctx("anna"), name)).unwrap();
        space.command(&["SET", &space.name(&format!("session:{name}")), &payload]);
        space.command(&["SADD", &waits, name]);
        let route = format!("waits:scope:dev:acme:-:anna:{}", scope(name).scope_hash());
        space.command(&["SET", &space.name(&route), name]);
    }
    let gone: Vec<_> = (0..1_000).map(|number| format!("gone-{number}")).collect();
    for chunk in gone.chunks(CHUNK) {
        let mut add = vec!["SADD", &waits];
        add.extend(chunk.iter().map(String::as_str));
        space.command(&add);
    }
    park(&store, "new", None);
    let find = || store.latest(&ctx("anna"), &user("anna"));
    assert!(find().unwrap_err().message.contains("multiple waits"));
    let expected: Vec<_> = old.iter().cloned().chain(["new".to_owned()]).collect();
    assert_eq!(listed(&store), expected);
    assert_eq!(size(&space, "SCARD", "waits:user:dev:acme:-:anna"), 40);

    let person = ctx("anna");
    let selection = OwnerSelection::tenant(person.env.clone(), person.tenant).user(user("anna"));
    let (mut sessions, mut after) = (0, None);
    loop {
        let page = store.erase(&selection, EraseMode::Erase, after.as_ref(), 50);
        let page = page.unwrap();
        sessions += page.sessions;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(sessions, 41);
    assert_eq!(space.keys(), Vec::<String>::new());
}

/// The header counts additions only, so that a park is cheap. The waits themselves are counted when it
/// reaches the limit.
#[test]
fn c09_the_limit_is_exact_after_waits_were_removed() {
    let space = require!(Space::shared);
    let store = Blocking::new(space.store_with(StoreOptions::new().max_waits(3)));
    park(&store, "one", None);
    park(&store, "two", Some(LONG));
    for _ in 0..10 {
        park(&store, "three", None);
        store.remove_session(&key("three")).unwrap();
    }
    park(&store, "three", None);
    let (ctx, anna) = (ctx("anna"), user("anna"));
    let options = ParkOptions::new();
    let fourth = store.park(
        &ctx,
        &anna,
        &scope("four"),
        &key("four"),
        data(&ctx, "four"),
        options,
    );
    let refused = fourth.unwrap_err();
    assert_eq!(refused.code, ErrorCode::RateLimited);
    assert!(refused.quota().is_some());
    // Another process may have another limit.
    let other = Blocking::new(space.store());
    park(&other, "four", None);
    assert_eq!(listed(&store), ["one", "two", "three", "four"]);
}

fn verified(store: &Blocking<RedisSessionStore>, mode: VerifyMode) -> Vec<Finding> {
    let (mut findings, mut after) = (Vec::new(), None);
    loop {
        let page = store.verify(mode, after.as_ref(), 100).unwrap();
        findings.extend(page.findings);
        after = page.next;
        if after.is_none() {
            return findings;
        }
    }
}

/// How often the server has run a command since its counts were reset.
fn calls_of(space: &Space, command: &str) -> u64 {
    let counts = space.command(&["INFO", "commandstats"]).text();
    let head = format!("cmdstat_{command}:calls=");
    let count = counts.lines().find_map(|line| line.strip_prefix(&head));
    let count = count.and_then(|count| count.split(',').next());
    count.map_or(0, |count| count.parse().unwrap())
}

#[test]
fn c23_the_index_of_one_owner_is_verified_in_pages() {
    let space = require!(Space::alone);
    let store = Blocking::new(space.store());
    park(&store, "alive", Some(LONG));
    add_entries(&space, 5_000, "9000000000000");
    let old: Vec<_> = (0..1_000).map(|number| format!("old-{number}")).collect();
    let waits = space.name("waits:user:dev:acme:-:anna");
    let mut add = vec!["SADD", &waits];
    add.extend(old.iter().map(String::as_str));
    let _ = space.command(&add);
    for (mode, repaired) in [(VerifyMode::Check, false), (VerifyMode::Repair, true)] {
        let _ = space.command(&["CONFIG", "RESETSTAT"]);
        let found = verified(&store, mode);
        for (place, count) in [("route", 5_000), ("waits", 1_000)] {
            let found = found.iter().filter(|finding| finding.place == place);
            let found: Vec<_> = found.collect();
            assert_eq!(found.len(), count, "{place}");
            let is_meant = |finding: &&Finding| {
                finding.kind == FindingKind::Dangling && finding.repaired == repaired
            };
            assert!(found.iter().all(is_meant), "{place}");
        }
        // A page has 200 entries, and a few more where buckets of the server have several.
        for (command, pages) in [("hscan", 20), ("zscan", 20), ("sscan", 4)] {
            let calls = calls_of(&space, command);
            assert!(calls >= pages, "{command}: {calls} pages");
        }
    }
    assert_eq!(verified(&store, VerifyMode::Check), []);
    assert_eq!(listed(&store), ["alive"]);
}
