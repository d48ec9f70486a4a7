//! The Redis and Valkey store.
//!
//! A call takes one of a few multiplexed connections ([`connection`]), which open themselves when
//! they are needed ([`slot`], [`topology`], [`link`]). All I/O runs on threads of the library
//! ([`runtime`]), so that a caller may block or wait on any executor.
//!
//! An operation ([`store`]) is one script on the server ([`script`]), which carries out the same
//! rules as `crate::rules`. All names of keys are made by [`script::keys`] and by its twin in the scripts.

mod address;
mod admin;
mod backoff;
mod calls;
mod claims;
mod cluster;
mod config;
mod connection;
mod course;
mod driver;
mod early_timer;
mod failure;
mod greeting;
mod health;
mod holds;
mod homes;
mod link;
mod mark;
mod namespace;
mod node;
mod parameters;
mod pointer;
mod pointer_check;
mod pointers;
mod pool;
mod replication;
mod runtime;
mod scan;
mod script;
mod sentinel;
mod servers;
mod settling;
mod side_by_side;
mod slot;
mod slot_map;
mod slots;
mod store;
mod sweep;
mod tls;
mod topology;
mod turn;
mod url;
mod walk;

#[cfg(test)]
mod tests;

pub use config::RedisConfig;
pub use store::RedisSessionStore;
pub use tls::Pem;
pub(crate) use url::without_credentials;
