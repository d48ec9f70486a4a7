//! The durable store: its file, its journal, and what survives a crash.
#![cfg(feature = "durable")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/samples.rs"]
mod samples;
#[path = "../support/scratch.rs"]
mod scratch;

mod admin;
mod clock;
mod compaction;
#[cfg(unix)]
mod files;
mod fixture;
mod journal;
#[cfg(unix)]
mod kill;
mod open;
mod processes;
mod restart;
