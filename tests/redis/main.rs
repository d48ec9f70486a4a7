//! The Redis store on real servers: every topology, stored keys, faults.
#![cfg(feature = "redis")]
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
#[path = "../support/of_1_2.rs"]
mod of_1_2;
#[path = "../support/samples.rs"]
mod samples;
#[cfg(feature = "encryption")]
#[path = "../support/sealed.rs"]
mod sealed;
#[path = "../support/space.rs"]
mod space;
#[path = "../support/torture.rs"]
mod torture;

mod admin;
mod bad_input;
mod cluster;
mod cluster_layout;
#[cfg(feature = "conformance")]
mod conformance;
mod crowds;
mod deadlines;
mod document;
#[cfg(feature = "encryption")]
mod encryption;
mod example;
mod faults;
mod full_server;
mod health;
mod layout;
mod leftovers;
mod pointers;
mod proxies;
mod quarantine;
mod readme;
#[allow(deprecated)]
mod round_trips;
mod sentinel;
mod timeouts;
mod tls;
#[cfg(feature = "conformance")]
mod topologies;
mod topology;
