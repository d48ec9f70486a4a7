//! The child that is killed, and what is expected of it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

pub mod report;
pub mod worker;
