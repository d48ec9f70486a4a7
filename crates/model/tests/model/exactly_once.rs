//! Eight workers, two thousand messages, each delivered three times: each counts exactly once (C16).
//! And five hundred first messages, each delivered four times: each starts one flow (C27). And sixteen
//! workers on waits with timeouts: each message and each timeout counts once (C32).

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use greentic_session::{AsyncSessionStore, StoreOptions};

use crate::harness::Harness;
use crate::torture::{Tally, Torture};

const MESSAGES: usize = 2_000;
const FIRST_MESSAGES: usize = 500;

pub type Open<'a> = &'a (dyn Fn() -> Arc<dyn AsyncSessionStore> + Sync);
type Pass<'a> = &'a (dyn Fn(Duration) + Sync);
pub type Disturb<'a> = &'a (dyn Fn(usize) + Sync);

pub fn torture(lease: Duration, open: Open<'_>, pass: Pass<'_>, disturb: Disturb<'_>) -> Tally {
    run(&Torture {
        messages: MESSAGES,
        times: 3,
        workers: 8,
        flows: 20,
        starts: false,
        timeouts: false,
        lease,
        open,
        pass,
        disturb,
    })
}

pub fn torture_starts(lease: Duration, open: Open<'_>, pass: Pass<'_>, disturb: Disturb<'_>) {
    let tally = run(&Torture {
        messages: FIRST_MESSAGES,
        times: 4,
        workers: 8,
        flows: FIRST_MESSAGES,
        starts: true,
        timeouts: false,
        lease,
        open,
        pass,
        disturb,
    });
    assert!(tally.starts > FIRST_MESSAGES, "no start was repeated");
}

/// Messages and timeouts are raced by 16 workers.
pub fn torture_timeouts(lease: Duration, open: Open<'_>, pass: Pass<'_>, disturb: Disturb<'_>) {
    let tally = run(&Torture {
        messages: MESSAGES,
        times: 3,
        workers: 16,
        flows: 20,
        starts: false,
        timeouts: true,
        lease,
        open,
        pass,
        disturb,
    });
    assert!(tally.timeouts > 0, "every message was in time");
}

fn run(torture: &Torture<'_>) -> Tally {
    let tally = torture.run();
    println!("{tally}");
    tally.assert_exact();
    tally
}

/// Time is injected: a worker that waits moves the clock, and yields.
pub fn torture_under_a_clock<H: Harness>() {
    with_a_clock::<H>(&|lease, open, pass| {
        torture(lease, open, pass, &|_commits| {});
    });
}

/// As [`torture_under_a_clock`], of flows that start.
pub fn torture_starts_under_a_clock<H: Harness>() {
    with_a_clock::<H>(&|lease, open, pass| torture_starts(lease, open, pass, &|_commits| {}));
}

/// As [`torture_under_a_clock`], of waits with timeouts.
pub fn torture_timeouts_under_a_clock<H: Harness>() {
    with_a_clock::<H>(&|lease, open, pass| torture_timeouts(lease, open, pass, &|_commits| {}));
}

fn with_a_clock<H: Harness>(torture: &dyn Fn(Duration, Open<'_>, Pass<'_>)) {
    let harness = H::open(StoreOptions::new());
    let pass = |step| {
        harness.advance(step);
        thread::sleep(Duration::from_millis(1));
    };
    torture(H::tick(), &|| harness.store(), &pass);
}
