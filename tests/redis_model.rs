//! The Redis store against the reference model, claims and time included.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::model_check::{Plan, check_as};
use support::redis::Redis;
use support::redis_support::Space;

const REGRESSIONS: &str = "tests/regressions/redis_model.txt";

#[test]
fn redis_behaves_as_the_model() {
    let Some(_server) = Space::or_skip("redis_behaves_as_the_model") else {
        return;
    };
    check_as::<Redis>(&Plan {
        cases: 150,
        threads: 2,
        time: false,
        observe_every: 8,
        regressions: REGRESSIONS,
    });
}

/// Real time: the cases mostly sleep, so many of them do so side by side.
#[test]
fn redis_behaves_as_the_model_while_time_passes() {
    let Some(_server) = Space::or_skip("redis_behaves_as_the_model_while_time_passes") else {
        return;
    };
    check_as::<Redis>(&Plan {
        cases: 80,
        threads: 40,
        time: true,
        observe_every: 16,
        regressions: REGRESSIONS,
    });
}
