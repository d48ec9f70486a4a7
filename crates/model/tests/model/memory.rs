//! The in-memory store against the reference model, under concurrent calls (C14, C16), and under torture.

use super::check::check;
use super::exactly_once::{
    torture_starts_under_a_clock, torture_timeouts_under_a_clock, torture_under_a_clock,
};
use super::history::{Play, check_play};
use crate::harness::Memory;

#[test]
fn memory_behaves_as_the_model() {
    check::<Memory>(1_000, "tests/regressions/memory_model.txt");
}

#[test]
fn c14_concurrent_calls_are_linearizable() {
    check_play::<Memory>(Play::Any, 2_000, 1, false);
}

#[test]
fn c14_concurrent_calls_are_linearizable_while_time_passes() {
    check_play::<Memory>(Play::Any, 2_000, 2, true);
}

#[test]
fn c16_concurrent_claims_are_linearizable() {
    check_play::<Memory>(Play::Contest, 2_000, 5, false);
}

#[test]
fn c16_concurrent_claims_are_linearizable_while_time_passes() {
    check_play::<Memory>(Play::Contest, 2_000, 6, true);
}

#[test]
fn c27_concurrent_starts_are_linearizable() {
    check_play::<Memory>(Play::Starts, 2_000, 9, false);
}

#[test]
fn c27_concurrent_starts_are_linearizable_while_time_passes() {
    check_play::<Memory>(Play::Starts, 2_000, 10, true);
}

#[test]
fn c33_concurrent_claims_of_what_is_due_are_linearizable() {
    check_play::<Memory>(Play::Due, 2_000, 11, false);
}

#[test]
fn c33_concurrent_claims_of_what_is_due_are_linearizable_while_time_passes() {
    check_play::<Memory>(Play::Due, 2_000, 12, true);
}

#[test]
fn c16_each_message_counts_once_in_memory() {
    torture_under_a_clock::<Memory>();
}

#[test]
fn c27_each_first_message_starts_one_flow_in_memory() {
    torture_starts_under_a_clock::<Memory>();
}

#[test]
fn c32_each_timeout_counts_once_in_memory() {
    torture_timeouts_under_a_clock::<Memory>();
}
