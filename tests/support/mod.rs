//! Proofs of the contract that any backend can be put to: one line per backend in a test file.
#![allow(
    dead_code,
    clippy::expect_used,
    clippy::large_enum_variant,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used
)]

pub mod answer;
pub mod driver;
#[cfg(feature = "durable")]
pub mod durable;
pub mod harness;
pub mod history;
pub mod model;
pub mod model_check;
mod model_writes;
pub mod op;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "redis")]
#[path = "../redis_support/mod.rs"]
pub mod redis_support;
pub mod torture;
pub mod world;
