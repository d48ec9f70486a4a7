//! The Redis and Valkey store.
//!
//! A call takes one of a few multiplexed connections ([`connection`]), which open themselves when
//! they are needed ([`slot`], [`topology`], [`link`]). All I/O runs on threads of the library
//! ([`runtime`]), so that a caller may block or wait on any executor.
//!
//! An operation ([`store`]) is one script on the server ([`scripts`]), which carries out the same
//! rules as `crate::rules`. All names of keys are made by [`keys`] and by its twin in the scripts.

mod args;
mod backoff;
mod config;
mod connection;
mod failure;
mod health;
mod keys;
mod link;
mod namespace;
mod record;
mod reply;
mod runtime;
mod script;
mod scripts;
mod slot;
mod store;
mod topology;
mod url;

#[cfg(test)]
mod tests;

pub use config::RedisConfig;
pub use store::RedisSessionStore;
pub(crate) use url::without_credentials;
