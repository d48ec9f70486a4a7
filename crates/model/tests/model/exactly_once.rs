//! Eight workers, two thousand messages, each delivered three times: each counts exactly once (C16).

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use greentic_session::{AsyncSessionStore, StoreOptions};

use crate::harness::Harness;
use crate::torture::{Tally, Torture};

const MESSAGES: usize = 2_000;

type Open<'a> = &'a (dyn Fn() -> Arc<dyn AsyncSessionStore> + Sync);
type Pass<'a> = &'a (dyn Fn(Duration) + Sync);
type Disturb<'a> = &'a (dyn Fn(usize) + Sync);

pub fn torture(lease: Duration, open: Open<'_>, pass: Pass<'_>, disturb: Disturb<'_>) -> Tally {
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

/// Time is injected: a worker that waits moves the clock, and yields.
pub fn torture_under_a_clock<H: Harness>() {
    let harness = H::open(StoreOptions::new());
    let pass = |step| {
        harness.advance(step);
        thread::sleep(Duration::from_millis(1));
    };
    torture(H::tick(), &|| harness.store(), &pass, &|_commits| {});
}
