//! The built program, on a real file and a real Redis: what people see, what programs read, and what
//! becomes of the store.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../../tests/support/space.rs"]
mod space;

#[path = "../../../../tests/support/samples.rs"]
mod samples;

mod bad_input;
mod doctor;
mod erase;
mod fixture;
mod interrupt;
mod look;
mod mend;
mod migrate;
mod raw;
mod story;
mod terminal;
mod topology;
mod transfer;
