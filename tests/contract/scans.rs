//! C21 with concurrent writers: on every backend, a scan finds each session that exists all along.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use greentic_session::admin::{ScanCursor, ScanFilter, VerifyMode};
use greentic_session::durable::{Durability, DurableSessionStore};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{AsyncSessionStore, Blocking, ParkOptions, RemoveOptions, UpdateOptions};
use greentic_session_testkit::require;

use crate::samples::{ctx, data, key, scope, user};
use crate::scratch::Scratch;
use crate::space::Space;

const STABLE: usize = 600;

fn park(store: &Blocking<impl AsyncSessionStore>, who: &str, name: &str) {
    let (ctx, user) = (ctx(who), user(who));
    let data = data(&ctx, name);
    let options = ParkOptions::new();
    let parked = store.park(&ctx, &user, &scope(name), &key(name), data, options);
    let _registered = parked.unwrap();
}

/// Grows the store, updates the stable sessions, and shrinks it again, until it is stopped.
fn disturb(store: &Blocking<impl AsyncSessionStore>, stop: &AtomicBool) {
    let mut passing = Vec::new();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("passing-{round}");
        park(store, &format!("user-{}", round % 50), &name);
        passing.push(name);
        let stable = format!("stable-{}", round % STABLE);
        let anna = ctx("anna");
        let options = UpdateOptions::new();
        store
            .update(&key(&stable), data(&anna, "changed"), options)
            .unwrap();
        if round % 400 == 399 {
            for name in passing.drain(..) {
                store.remove(&key(&name), RemoveOptions::new()).unwrap();
            }
        }
    }
}

/// How often each session was found, with concurrent writers.
fn scanned<S: AsyncSessionStore>(store: S) -> BTreeMap<String, usize> {
    let store = Blocking::new(store);
    for number in 0..STABLE {
        park(&store, "anna", &format!("stable-{number}"));
    }
    let stop = AtomicBool::new(false);
    let mut found = BTreeMap::new();
    thread::scope(|threads| {
        threads.spawn(|| disturb(&store, &stop));
        let mut after: Option<ScanCursor> = None;
        loop {
            let page = store
                .scan(&ScanFilter::new().user(user("anna")), after.as_ref(), 9)
                .unwrap();
            for info in page.sessions {
                *found.entry(info.key.as_str().to_owned()).or_insert(0) += 1;
            }
            let page_of = store.verify(VerifyMode::Check, None, 50).unwrap();
            assert_eq!(page_of.findings, [], "a sound store has no findings");
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(found.len(), STABLE, "all that was there all along");
    found
}

#[test]
fn c21_a_scan_of_the_memory_store_returns_each_session_once() {
    let found = scanned(InMemorySessionStore::new());
    assert!(found.values().all(|times| *times == 1));
}

#[test]
fn c21_a_scan_of_the_durable_store_returns_each_session_once() {
    let scratch = Scratch::new();
    let config = scratch.config();
    let sync_every = Duration::from_secs(1);
    let durability = Durability::SurvivesProcessCrash { sync_every };
    let store = DurableSessionStore::open(config.durability(durability));
    let found = scanned(store.unwrap());
    assert!(found.values().all(|times| *times == 1));
}

#[test]
fn c21_a_scan_of_the_redis_store_returns_each_session() {
    let space = require!(Space::shared);
    scanned(space.store());
}
