//! The Redis and Valkey store, in layers: each uses only those before it in this list.
//!
//! 1. [`config`]: servers, credentials, timeouts, TLS settings.
//! 2. [`transport`]: connections to servers.
//! 3. [`script`]: the Lua scripts, their arguments and answers. An operation is one script, which
//!    carries out the same rules as `crate::rules`.
//! 4. [`client`]: routing of calls to servers, and retries.
//! 5. [`ownership`]: the location of an owner's keys, and the way from a session key to its owner.
//! 6. [`dispatch`]: the dispatch of an operation to the owner's node.
//! 7. [`store`], [`claims`], [`starts`], [`due`], [`permissions`], [`health`] and [`admin`]: the
//!    operations.
//!
//! All layers know the slots of a Cluster ([`hash_slot`]).
//!
//! All I/O runs on threads of the library ([`transport::runtime`]), so a caller may block, or wait
//! on any executor (C19).

mod admin;
mod claims;
mod client;
mod config;
mod dispatch;
mod due;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod hash_slot;
mod health;
mod ownership;
mod permissions;
mod script;
mod starts;
mod store;
mod transport;

#[cfg(test)]
mod tests;

pub use config::RedisConfig;
pub use config::protocol::RedisProtocol;
pub use config::tls::Pem;
pub(crate) use config::url::without_credentials;
pub use store::RedisSessionStore;
