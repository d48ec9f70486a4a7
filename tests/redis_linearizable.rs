//! The Redis store under concurrent calls on one owner (C14, C16).
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::history::{Play, check_play};
use support::redis::Redis;
use support::redis_support::Space;

#[test]
fn c14_concurrent_calls_are_linearizable() {
    let Some(_server) = Space::or_skip("c14_concurrent_calls_are_linearizable") else {
        return;
    };
    check_play::<Redis>(Play::Any, 500, 7, false);
}

#[test]
fn c16_concurrent_claims_are_linearizable() {
    let Some(_server) = Space::or_skip("c16_concurrent_claims_are_linearizable") else {
        return;
    };
    check_play::<Redis>(Play::Contest, 800, 8, false);
}
