//! The lock between processes: a second process is refused and changes nothing (C17).

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::{ErrorCode, SessionStore};
use greentic_session_testkit::name_of;

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{Scratch, assert_consistent, data};

const FILE: &str = "HOLDING_CHILD_FILE";
const READY: &str = "@ the store is open";

/// The other process, when a test below starts this program again. Does nothing otherwise.
#[test]
fn the_child_holds_the_store_until_its_input_ends() {
    let Ok(file) = std::env::var(FILE) else {
        return;
    };
    let store = DurableSessionStore::open(DurableConfig::new(&file)).unwrap();
    park(&store, "before");
    println!("\n{READY}");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).unwrap();
    park(&store, "after");
    store.close().unwrap();
}

fn park(store: &DurableSessionStore, name: &str) {
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

/// Starts the child, and waits until it has the store.
fn holder(file: &Path) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            name_of(the_child_holds_the_store_until_its_input_ends),
        ])
        .args(["--nocapture", "--test-threads=1"])
        .env(FILE, file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    let ready = lines.map_while(Result::ok).any(|line| line == READY);
    assert!(ready, "the child ended early");
    child
}

#[test]
fn the_process_that_has_the_store_is_named_and_its_store_unchanged() {
    let scratch = Scratch::new();
    let mut child = holder(&scratch.path());
    let before = std::fs::read(scratch.path()).unwrap();
    let patience = Duration::from_millis(100);
    let started = Instant::now();
    let refused = DurableSessionStore::open(scratch.config().open_timeout(patience)).unwrap_err();
    assert!(started.elapsed() >= patience);
    assert_eq!(refused.code, ErrorCode::Unavailable);
    let process = format!("process {} since", child.id());
    assert!(refused.message.contains(&process), "{refused}");
    let path = scratch.path().display().to_string();
    assert!(refused.message.contains(&path), "{refused}");
    assert!(std::fs::read(scratch.path()).unwrap() == before);

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "the child was disturbed");
    let store = scratch.open();
    for name in ["before", "after"] {
        let found = store.get_session(&key(name)).unwrap();
        assert_eq!(found, Some(data("u", name)));
    }
    assert_consistent(&store);
}

#[test]
fn a_process_that_died_releases_the_lock() {
    let scratch = Scratch::new();
    let mut child = holder(&scratch.path());
    child.kill().unwrap();
    child.wait().unwrap();
    let store = scratch.open();
    let found = store.get_session(&key("before")).unwrap();
    assert_eq!(found, Some(data("u", "before")));
    assert_consistent(&store);
}

/// The database locks its own file too, so the store is locked even without the lock file.
#[test]
fn without_the_lock_file_the_store_is_still_locked() {
    let scratch = Scratch::new();
    let mut child = holder(&scratch.path());
    std::fs::remove_file(scratch.directory().join("sessions.redb.owner")).unwrap();
    let config = scratch.config().open_timeout(Duration::from_millis(50));
    let refused = DurableSessionStore::open(config).unwrap_err();
    assert_eq!(refused.code, ErrorCode::Unavailable);
    assert!(refused.message.contains("is open already"), "{refused}");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
