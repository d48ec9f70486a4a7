//! The durable store: one redb file, no server.
//!
//! Writers queue their operations ([`intake`]). One thread ([`writer`]) takes all that wait, carries
//! them out by the rules over one transaction ([`ledger`]), commits once and then answers all of
//! them. Readers never meet that thread: they look at the snapshot of the last commit ([`tables`])
//! on their own thread ([`view`]). A write that fails stops all further ones ([`failstop`]). With
//! relaxed durability, a [`journal`] keeps what was not synced yet for the next process.

mod admin;
mod bytes;
mod changes;
mod clock;
mod config;
#[cfg(all(test, shuttle))]
mod explored;
mod failstop;
#[cfg(test)]
mod faults;
mod format;
mod holder;
mod intake;
mod journal;
mod ledger;
mod open;
mod place;
mod repair;
mod reply;
mod rewrite;
mod shared;
mod state;
mod store;
mod sweep;
mod tables;
mod verify;
mod version;
mod view;
mod writer;

pub use config::{Durability, DurableConfig};
pub use store::DurableSessionStore;
pub use verify::Inconsistency;
