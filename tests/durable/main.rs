//! The durable store: its file, its journal, and what survives a crash.
#![cfg(feature = "durable")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/samples.rs"]
mod samples;
#[path = "../support/scratch.rs"]
mod scratch;
#[cfg(feature = "encryption")]
#[path = "../support/sealed.rs"]
mod sealed;

mod admin;
mod clock;
mod compaction;
#[cfg(feature = "encryption")]
mod encryption;
#[cfg(unix)]
mod files;
mod fixture;
mod journal;
#[cfg(unix)]
mod kill;
mod open;
mod processes;
mod restart;
#[cfg(feature = "encryption")]
mod sealed_queues;
