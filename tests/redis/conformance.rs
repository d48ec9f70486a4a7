//! The conformance suite on the Redis store, with both APIs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use greentic_session::conformance::{Need, Subject, run_parallel};
use greentic_session::{RedisConfig, RedisSessionStore, StoreOptions};
use greentic_session_testkit::{RedisServer, own_servers, require};

use crate::space::Space;

/// Cases that run in parallel: most of them wait for the server or for a deadline.
const AT_ONCE: usize = 8;

fn subject(space: Space, options: StoreOptions) -> Subject {
    let store = Arc::new(space.store_with(options));
    let space = Arc::new(space);
    let (counted, shared, kept) = (Arc::clone(&space), Arc::clone(&space), space);
    Subject::both_apis(store)
        .without(Need::Inbox, "it keeps no queues yet")
        .with_leftovers(move || counted.keys().len())
        .with_options(move |options| subject(shared.another("made"), options))
        .with_reopen(move |name| subject(kept.named(name), StoreOptions::new()))
        .without(Need::Clock, "it is the server's")
}

#[test]
fn redis_keeps_the_contract() {
    let space = require!(Space::shared);
    let report = run_parallel(&subject(space, StoreOptions::new()), AT_ONCE);
    println!("{report}");
    report.assert_complete();
}

const TOPOLOGIES: &str = include_str!("../../docs/topologies.md");

/// A store that logs in as a user, in a namespace of its own.
fn as_user(server: &Arc<RedisServer>, user: &'static str, options: StoreOptions) -> Subject {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    user_in(
        server,
        user,
        format!("greentic:session:{user}-{count}"),
        options,
    )
}

fn user_in(
    server: &Arc<RedisServer>,
    user: &'static str,
    namespace: String,
    options: StoreOptions,
) -> Subject {
    let config = RedisConfig::from_url(&server.url()).unwrap();
    let config = config.username(user).password("PASSWORD");
    let config = config.namespace(&*namespace).options(options);
    let store = Arc::new(RedisSessionStore::new(config).unwrap());
    let [counted, made, reopened] = [(); 3].map(|()| Arc::clone(server));
    let pattern = format!("{namespace}:*");
    let subject = match user {
        "session-operator" => Subject::both_apis(store),
        _ => {
            let reason = "the operations of operators are not permitted";
            Subject::both_apis(store).without(Need::AllOperations, reason)
        }
    };
    subject
        .without(Need::Inbox, "it keeps no queues yet")
        .with_leftovers(move || counted.command(&["KEYS", &pattern]).array().len())
        .with_options(move |options| as_user(&made, user, options))
        .with_reopen(move |name| {
            let namespace = format!("{namespace}:{name}");
            user_in(&reopened, user, namespace, StoreOptions::new())
        })
        .without(Need::Clock, "it is the server's")
}

#[test]
fn the_documented_users_keep_the_contract() {
    require!(own_servers);
    let server = Arc::new(RedisServer::start());
    for line in TOPOLOGIES.lines() {
        if line.starts_with("ACL SETUSER ") {
            let words: Vec<_> = line.split(' ').collect();
            let _ = server.command(&words).accepted();
        }
    }
    for user in ["session-runtime", "session-operator"] {
        let report = run_parallel(&as_user(&server, user, StoreOptions::new()), AT_ONCE);
        println!("{user}: {report}");
        report.assert_complete();
    }
}
