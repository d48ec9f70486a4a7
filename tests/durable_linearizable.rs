//! The durable store under concurrent calls on one owner (C14).
#![cfg(feature = "durable")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::durable::Durable;
use support::history;

#[test]
fn c14_concurrent_calls_are_linearizable() {
    history::check::<Durable>(400, 3, false);
}

#[test]
fn c14_concurrent_calls_are_linearizable_while_time_passes() {
    history::check::<Durable>(400, 4, true);
}
