//! The in-memory store under concurrent calls on one owner (C14).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::harness::Memory;
use support::history::{self, Play};

#[test]
fn c14_concurrent_calls_are_linearizable() {
    history::check::<Memory>(2_000, 1, false);
}

#[test]
fn c14_concurrent_calls_are_linearizable_while_time_passes() {
    history::check::<Memory>(2_000, 2, true);
}

#[test]
fn c16_concurrent_claims_are_linearizable() {
    history::check_play::<Memory>(Play::Contest, 2_000, 5, false);
}

#[test]
fn c16_concurrent_claims_are_linearizable_while_time_passes() {
    history::check_play::<Memory>(Play::Contest, 2_000, 6, true);
}
