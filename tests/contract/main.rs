//! The contract on the memory and the durable store: the conformance suite, the API of 1.2, and
//! records that other programs read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "../support/bot.rs"]
mod bot;
#[path = "../support/bot_cases.rs"]
mod bot_cases;
#[path = "../support/samples.rs"]
mod samples;
#[cfg(all(feature = "durable", feature = "redis"))]
#[path = "../support/scratch.rs"]
mod scratch;
#[cfg(all(feature = "durable", feature = "redis"))]
#[path = "../support/space.rs"]
mod space;

#[cfg(feature = "conformance")]
mod detection;
mod due_loop;
#[cfg(all(feature = "conformance", feature = "durable"))]
mod durable;
#[cfg(feature = "conformance")]
mod executors;
mod exported_records;
#[cfg(feature = "conformance")]
mod faulty;
mod lease;
#[cfg(feature = "conformance")]
mod memory;
mod observed;
#[cfg(feature = "conformance")]
mod observer;
mod readme;
#[cfg(all(feature = "durable", feature = "redis"))]
mod scans;
#[cfg(feature = "schema")]
mod schema;
#[allow(deprecated)]
mod surface;
#[cfg(feature = "conformance")]
mod sync_api;
mod worker;
mod worker_queue;
