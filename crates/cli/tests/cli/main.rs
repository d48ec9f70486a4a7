//! The built program on a real file and a real Redis: its output, its exit codes and its effects on
//! the store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../../tests/support/space.rs"]
mod space;

#[path = "../../../../tests/support/samples.rs"]
mod samples;

mod audit;
mod bad_input;
mod bulk;
mod contexts;
mod doctor;
mod due;
mod encryption;
mod erase;
#[cfg(unix)]
mod files;
mod fixture;
mod inspect;
mod interrupt;
mod migrate;
mod raw;
mod repair;
mod scenario;
mod secrets;
mod terminal;
mod topology;
mod transfer;
