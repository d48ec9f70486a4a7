//! The durable store under concurrent calls on one owner (C14, C16).
#![cfg(feature = "durable")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::durable::Durable;
use support::history::{Play, check_play};

#[test]
fn c14_concurrent_calls_are_linearizable() {
    check_play::<Durable>(Play::Any, 300, 3, false);
}

#[test]
fn c14_concurrent_calls_are_linearizable_while_time_passes() {
    check_play::<Durable>(Play::Any, 300, 4, true);
}

#[test]
fn c16_concurrent_claims_are_linearizable() {
    check_play::<Durable>(Play::Contest, 300, 9, false);
}

#[test]
fn c16_concurrent_claims_are_linearizable_while_time_passes() {
    check_play::<Durable>(Play::Contest, 300, 10, true);
}
