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

#[path = "../support/harness.rs"]
mod harness;
#[cfg(feature = "redis")]
#[path = "../support/samples.rs"]
mod samples;
#[cfg(feature = "redis")]
#[path = "../support/space.rs"]
mod space;
#[path = "../support/torture.rs"]
mod torture;
#[path = "../support/world.rs"]
mod world;

mod answer;
mod check;
mod driver;
#[cfg(feature = "durable")]
mod durable;
mod exactly_once;
mod history;
mod memory;
mod op;
mod pointers;
#[cfg(feature = "redis")]
mod redis;
mod reference;
mod reference_writes;
