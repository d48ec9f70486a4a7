//! Stored data that is not as it should be, and input at the edge of what is allowed (C8, C17).
#![cfg(feature = "redis")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod given;
#[path = "../redis_support/mod.rs"]
mod redis_support;
mod stored;
