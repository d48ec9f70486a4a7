//! The durable store: one redb file, no server.
//!
//! Layers, each of which uses only those before it: [`config`] and [`clock`]; [`format`](self::format),
//! what the bytes mean; [`file`], locking, creation, opening and recovery, the journal; [`rows`],
//! reads of rows; [`writer`], the queue and group commit; [`admin`], walks, verification and repair;
//! [`store`], which puts them together.
//!
//! A write is queued, and its caller gets the answer after the commit that it shares with others. A
//! read uses the snapshot of the last commit on the caller's thread, and waits for no write. A write
//! that fails stops all further ones until the store is opened again.

mod admin;
mod clock;
mod config;
#[cfg(test)]
mod faults;
mod file;
mod format;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod rows;
mod store;
mod writer;

pub use admin::Inconsistency;
pub use config::{Durability, DurableConfig};
pub use store::DurableSessionStore;
