//! The Redis store on lines and servers that fail: whatever happens to a call, it is done or not
//! done, and making it again brings the promised state (C14, C17).
#![cfg(feature = "redis")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

mod crash;
mod cuts;
mod line;
mod reach;
#[path = "../redis_support/mod.rs"]
mod redis_support;
mod trial;
mod unknown;
