//! The I/O threads start on first use and end with the last store. One test: it counts the threads
//! of its process.
#![cfg(all(feature = "redis", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/samples.rs"]
mod samples;

use std::fs;
use std::time::Duration;

use greentic_session::RedisSessionStore;
use greentic_session::store::SessionStore;
use greentic_session_testkit::{RedisServer, own_servers, require, wait_until};

use samples::{ctx, data, key};

/// An upper bound for waiting that is not reached.
const LIMIT: Duration = Duration::from_secs(60);

fn io_threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.map(|task| fs::read_to_string(task.path().join("comm")));
    // The kernel keeps 15 bytes of a name. A thread may end while it is looked at.
    names
        .filter(|name| {
            name.as_ref()
                .is_ok_and(|name| name.trim() == "greentic-sessio")
        })
        .count()
}

#[test]
fn c19_io_threads_start_on_first_use_and_end_with_the_last_store() {
    require!(own_servers);
    let server = RedisServer::start();
    for _ in 0..2 {
        let one = RedisSessionStore::from_url(server.url()).unwrap();
        let other = RedisSessionStore::from_url(server.url()).unwrap();
        assert_eq!(
            io_threads(),
            0,
            "a store that was not used has started threads"
        );
        one.create_session(&ctx("ada"), data(&ctx("ada"), "{}"))
            .unwrap();
        let started = io_threads();
        assert!(started > 0);
        assert!(other.get_session(&key("none")).unwrap().is_none());
        assert_eq!(io_threads(), started, "each store has threads of its own");
        drop(one);
        assert!(other.get_session(&key("none")).unwrap().is_none());
        drop(other);
        wait_until("the threads have ended", LIMIT, || io_threads() == 0);
    }
}
