//! The memory of the process is bounded by the live sessions of the in-memory store (C13).
//!
//! `GREENTIC_SESSION_FULL=1` uses a million sessions also in a debug build.
#![allow(clippy::unwrap_used)]

#[path = "support/harness.rs"]
mod harness;
#[path = "support/world.rs"]
mod world;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{ReplyScope, SessionKey, SessionStore, StoreOptions};

use harness::{Harness, Memory};
use world::{PEOPLE, Who, ctx, data, scope, user};

const TTL: Duration = Duration::from_secs(3600);

/// The tests run one after the other, because they measure the size of the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn many() -> usize {
    let full = std::env::var_os("GREENTIC_SESSION_FULL").is_some();
    if full || !cfg!(debug_assertions) {
        1_000_000
    } else {
        50_000
    }
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// The last round needs no more memory than the first, apart from what the allocator keeps.
fn assert_no_growth(first: usize, last: usize) {
    const SLACK: usize = 8 << 20;
    assert!(
        last <= first + first / 10 + SLACK,
        "{first} bytes after the first round, {last} after the last"
    );
}

fn park(store: &InMemorySessionStore, who: Who, scope: &ReplyScope, key: &SessionKey) {
    let user = user(who.user.unwrap());
    store
        .register_wait(&ctx(who), &user, scope, key, data(who, 7), Some(TTL))
        .unwrap();
}

fn numbered(number: usize) -> (ReplyScope, SessionKey) {
    let mut scope = scope(0);
    scope.conversation = format!("chat-{number}");
    (scope, SessionKey::new(format!("key-{number}")))
}

#[test]
fn c13_the_memory_of_expired_sessions_is_freed() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let memory = Memory::open(StoreOptions::new());
    let store = memory.store_itself();
    let many = many();
    let mut sizes = Vec::new();
    for round in 0..3 {
        for number in 0..many {
            let (scope, _) = numbered(number);
            let key = SessionKey::new(format!("{round}-{number}"));
            let user = user(&format!("user-{round}-{number}"));
            let mut data = data(PEOPLE[0], 7);
            data.tenant_ctx = data.tenant_ctx.with_user(Some(user.clone()));
            let ctx = data.tenant_ctx.clone();
            store
                .register_wait(&ctx, &user, &scope, &key, data, Some(TTL))
                .unwrap();
        }
        // The writes of this round removed what had expired.
        let (sessions, owners) = store.held();
        assert_eq!((sessions, owners), (many, many));
        sizes.push(resident_bytes());
        memory.advance(TTL);
    }
    assert_no_growth(sizes[0], sizes[2]);
    assert_eq!(memory.leftovers(), 0);
}

#[test]
fn c13_writes_of_one_owner_remove_expired_sessions_of_all() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let memory = Memory::open(StoreOptions::new());
    let store = memory.store_itself();
    for number in 0..10_000 {
        let user = user(&format!("user-{number}"));
        let mut data = data(PEOPLE[0], 7);
        data.tenant_ctx = data.tenant_ctx.with_user(Some(user.clone()));
        let (ctx, (scope, key)) = (data.tenant_ctx.clone(), numbered(number));
        store
            .register_wait(&ctx, &user, &scope, &key, data, Some(TTL))
            .unwrap();
    }
    memory.advance(TTL);
    let (scope, key) = numbered(0);
    for _ in 0..20_000 {
        park(store, PEOPLE[0], &scope, &key);
    }
    assert_eq!(store.held(), (1, 1));
}

#[test]
fn c13_a_wait_that_is_registered_repeatedly_stays_one() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let memory = Memory::open(StoreOptions::new());
    let (scope, key) = numbered(0);
    let mut sizes = Vec::new();
    for _ in 0..4 {
        for _ in 0..many() / 4 {
            memory.advance(Duration::from_millis(1));
            park(memory.store_itself(), PEOPLE[0], &scope, &key);
        }
        assert_eq!(memory.store_itself().held(), (1, 1));
        sizes.push(resident_bytes());
    }
    assert_no_growth(sizes[0], sizes[3]);
}

#[test]
fn c13_expired_waits_of_a_busy_owner_do_not_accumulate() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let memory = Memory::open(StoreOptions::new());
    // A new wait each minute, each for an hour: sixty live at any time.
    for number in 0..many() / 20 {
        let (scope, key) = numbered(number);
        park(memory.store_itself(), PEOPLE[0], &scope, &key);
        memory.advance(Duration::from_secs(60));
        assert!(memory.store_itself().held().0 <= 61);
    }
    memory.advance(TTL);
    assert_eq!(memory.leftovers(), 0);
}

#[test]
fn c10_ten_thousand_waits_of_one_owner_are_found_and_cleared() {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    const WAITS: usize = 10_000;
    let memory = Memory::open(StoreOptions::new());
    let store = memory.store_itself();
    let (who, ann) = (ctx(PEOPLE[0]), user("ann"));
    let waits: Vec<_> = (0..WAITS).map(numbered).collect();
    for (scope, key) in &waits {
        park(store, PEOPLE[0], scope, key);
    }
    // From the middle outwards: the position in the list must not matter.
    let (front, back) = waits.split_at(WAITS / 2);
    for (scope, key) in front.iter().rev().chain(back) {
        let found = store.find_wait_by_scope(&who, &ann, scope).unwrap();
        assert_eq!(found.as_ref(), Some(key));
        store.clear_wait(&who, &ann, scope).unwrap();
        assert_eq!(store.find_wait_by_scope(&who, &ann, scope).unwrap(), None);
    }
    assert_eq!(store.held(), (0, 0));
}
