//! A keyspace that greentic-session 1.2 wrote is taken over in place. The published crate itself
//! writes the fixtures.

mod both;
mod leftovers;
mod sessions;
mod together;
mod waits;
