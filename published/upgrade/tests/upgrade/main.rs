//! A keyspace that greentic-session 1.2 wrote is taken over in place. The published crate itself
//! writes the fixtures.
#![allow(deprecated, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../../tests/support/of_1_2.rs"]
mod of_1_2;
#[path = "../../../../tests/support/samples.rs"]
mod samples;
#[path = "../../../../tests/support/space.rs"]
mod space;

mod both;
mod fixture;
mod leftovers;
mod sessions;
mod together;
mod waits;
