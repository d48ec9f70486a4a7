//! The in-memory store under concurrent calls on one owner (C14).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::harness::Memory;
use support::history;

#[test]
fn c14_concurrent_calls_are_linearizable() {
    history::check::<Memory>(2_000, 1, false);
}

#[test]
fn c14_concurrent_calls_are_linearizable_while_time_passes() {
    history::check::<Memory>(2_000, 2, true);
}
