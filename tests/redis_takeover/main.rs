//! A keyspace that greentic-session 1.2 wrote is taken over in place. The published crate itself
//! writes the fixtures.
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, deprecated)]

mod both;
mod leftovers;
#[path = "../redis_support/mod.rs"]
mod redis_support;
mod sessions;
mod together;
mod waits;
