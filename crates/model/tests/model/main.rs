//! Every backend against the reference model, under concurrent calls (linearizability), and under
//! torture (exactly once).
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::large_enum_variant,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

#[path = "../../../../tests/support/harness.rs"]
mod harness;
#[path = "../../../../tests/support/samples.rs"]
mod samples;
#[path = "../../../../tests/support/space.rs"]
mod space;
#[path = "../../../../tests/support/torture.rs"]
mod torture;
#[path = "../../../../tests/support/world.rs"]
mod world;

mod answer;
mod check;
mod driver;
mod durable;
mod exactly_once;
mod history;
mod memory;
mod op;
mod pointers;
mod redis;
mod reference;
mod reference_starts;
mod reference_timeouts;
mod reference_writes;
mod sealed;
