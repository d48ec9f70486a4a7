//! Eight workers, two thousand messages, each delivered three times: each counts exactly once (C16).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod support;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use greentic_session::{AsyncSessionStore, StoreOptions};
use support::harness::{Harness, Memory};
use support::torture::{Tally, Torture};

const MESSAGES: usize = 2_000;

type Open<'a> = &'a (dyn Fn() -> Arc<dyn AsyncSessionStore> + Sync);
type Pass<'a> = &'a (dyn Fn(Duration) + Sync);
type Disturb<'a> = &'a (dyn Fn(usize) + Sync);

fn torture(lease: Duration, open: Open<'_>, pass: Pass<'_>, disturb: Disturb<'_>) -> Tally {
    let tally = Torture {
        messages: MESSAGES,
        times: 3,
        workers: 8,
        flows: 20,
        lease,
        open,
        pass,
        disturb,
    }
    .run();
    println!("{tally}");
    tally.assert_exact();
    tally
}

/// Time is injected: who waits moves the clock, and lets others go first.
fn torture_under_a_clock<H: Harness>() {
    let harness = H::open(StoreOptions::new());
    let pass = |step| {
        harness.advance(step);
        thread::sleep(Duration::from_millis(1));
    };
    torture(H::tick(), &|| harness.store(), &pass, &|_commits| {});
}

#[test]
fn c16_each_message_counts_once_in_memory() {
    torture_under_a_clock::<Memory>();
}

#[cfg(feature = "durable")]
#[test]
fn c16_each_message_counts_once_on_disk() {
    torture_under_a_clock::<support::durable::Durable>();
}

/// Every worker is a process of its own, as far as the server can tell, and their lines break.
#[cfg(feature = "redis")]
#[test]
fn c16_each_message_counts_once_on_redis_while_connections_break() {
    use std::sync::Mutex;

    use greentic_session::{RedisConfig, RedisSessionStore};
    use greentic_session_testkit::{FaultProxy, Flow};
    use support::redis_support::Space;

    let name = "c16_each_message_counts_once_on_redis_while_connections_break";
    let Some(space) = Space::alone_or_skip(name) else {
        return;
    };
    let proxy = FaultProxy::start(space.url().trim_matches(|c| !char::is_numeric(c)));
    let open = || {
        let config = RedisConfig::from_url(&proxy.url()).unwrap();
        let config = config.namespace(&*space.namespace);
        Arc::new(RedisSessionStore::new(config).unwrap()) as Arc<dyn AsyncSessionStore>
    };
    let last = Mutex::new(0);
    let disturb = |commits: usize| {
        let mut last = last.lock().unwrap();
        if commits < *last + 10 {
            return;
        }
        *last = commits;
        match commits % 5 {
            0 => proxy.close_all(),
            1 => proxy.requests_once(Flow::SwallowThenClose),
            2 => proxy.replies_once(Flow::SwallowThenClose),
            3 => proxy.replies_once(Flow::CutAfter(20)),
            _ => proxy.replies_once(Flow::Reset),
        }
    };
    torture(Duration::from_millis(60), &open, &thread::sleep, &disturb);
    println!("{} connections were cut", proxy.faults());
    assert!(proxy.faults() > 0, "no connection broke");
}
