//! Compaction and rewriting of the file.

use greentic_session::durable::DurableSessionStore;
use greentic_session::{
    SessionBackendConfig, SessionStore, create_async_session_store, create_session_store,
};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{Scratch, assert_consistent, data};

#[test]
fn compaction_shortens_the_file_and_loses_nothing() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let large = "x".repeat(256 * 1024);
    for index in 0..40 {
        let name = format!("k-{index}");
        store
            .register_wait(
                &ctx("u"),
                &user("u"),
                &scope(&name),
                &key(&name),
                data("u", &large),
                None,
            )
            .unwrap();
    }
    for index in 1..40 {
        store.remove_session(&key(&format!("k-{index}"))).unwrap();
    }
    assert!(store.compact().unwrap() > 5 * 1024 * 1024);
    assert_eq!(
        store.get_session(&key("k-0")).unwrap(),
        Some(data("u", &large))
    );
    assert_consistent(&store);
    store
        .update_session(&key("k-0"), data("u", "small"))
        .unwrap();
    store.close().unwrap();
    assert_eq!(
        scratch.open().get_session(&key("k-0")).unwrap(),
        Some(data("u", "small"))
    );
}

#[test]
fn a_mostly_free_file_is_compacted_when_it_is_opened() {
    let scratch = Scratch::new();
    let store = DurableSessionStore::open(scratch.config().compact_on_open(false)).unwrap();
    let large = "x".repeat(1024 * 1024);
    for index in 0..32 {
        let name = format!("k-{index}");
        store
            .register_wait(
                &ctx("u"),
                &user("u"),
                &scope(&name),
                &key(&name),
                data("u", &large),
                None,
            )
            .unwrap();
    }
    // The last one is at the end of the file, so that closing cannot truncate it.
    for index in 0..31 {
        store.remove_session(&key(&format!("k-{index}"))).unwrap();
    }
    store.close().unwrap();
    let length = || std::fs::metadata(scratch.path()).unwrap().len();
    let before = length();
    assert!(before > 16 * 1024 * 1024, "{before}");
    let store = scratch.open();
    assert!(store.get_session(&key("k-31")).unwrap().is_some());
    store.close().unwrap();
    assert!(length() < before / 4, "{} of {before}", length());
}

#[test]
fn c22_a_rewritten_file_contains_only_what_is_stored() {
    let scratch = Scratch::new();
    let store = scratch.open();
    let park = |name: &str, state: &str| {
        let (scope, key) = (scope(name), key(name));
        store
            .register_wait(&ctx("u"), &user("u"), &scope, &key, data("u", state), None)
            .unwrap();
    };
    let large = "kept".repeat(3 * 1024 * 1024 / 4);
    for index in 0..6 {
        park(&format!("kept-{index}"), &large);
        park(&format!("gone-{index}"), &"forget me ".repeat(64 * 1024));
    }
    for index in 0..6 {
        store
            .remove_session(&key(&format!("gone-{index}")))
            .unwrap();
    }
    // The file must be closed.
    let config = scratch.config().open_timeout(std::time::Duration::ZERO);
    let refused = DurableSessionStore::rewrite(config).unwrap_err();
    assert_eq!(refused.code, greentic_session::ErrorCode::Unavailable);
    store.close().unwrap();
    let holds = |text: &str| {
        let bytes = std::fs::read(scratch.path()).unwrap();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds("forget me"), "freed pages hold what was removed");

    DurableSessionStore::rewrite(scratch.config()).unwrap();
    assert!(!holds("forget me") && !holds("gone-"));
    let store = scratch.open();
    assert_consistent(&store);
    for index in 0..6 {
        let found = store.get_session(&key(&format!("kept-{index}"))).unwrap();
        assert_eq!(found, Some(data("u", &large)));
        let found =
            store.find_wait_by_scope(&ctx("u"), &user("u"), &scope(&format!("kept-{index}")));
        assert_eq!(found.unwrap(), Some(key(&format!("kept-{index}"))));
    }
}

#[test]
fn the_factories_open_a_file() {
    let scratch = Scratch::new();
    let path = scratch.path();
    let config = SessionBackendConfig::Durable { path: path.clone() };
    let store = create_session_store(config).unwrap();
    let created = store.create_session(&ctx("u"), data("u", "x")).unwrap();
    drop(store);
    let url = format!("redb://{}", path.display());
    let config = SessionBackendConfig::from_url(&url).unwrap();
    let store = create_async_session_store(config).unwrap();
    let found = pollster::block_on(store.get(&created)).unwrap();
    assert!(found.is_some());
}
