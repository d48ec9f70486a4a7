//! The Redis and Valkey store, in layers: each uses only those before it in this list.
//!
//! 1. [`config`]: where the servers are, and the settings of a store.
//! 2. [`transport`]: connections to one server.
//! 3. [`script`]: the Lua scripts, their arguments and their answers. An operation is one script,
//!    which carries out the same rules as `crate::rules`.
//! 4. [`client`]: which server a call goes to, and when it is repeated.
//! 5. [`ownership`]: where the keys of an owner are, and how a session key leads there.
//! 6. [`store`], [`claims`], [`health`] and [`admin`]: the operations.
//!
//! All I/O runs on threads of the library ([`transport::runtime`]), so that a caller may block or
//! wait on any executor.

mod admin;
mod claims;
mod client;
mod config;
mod health;
mod ownership;
mod script;
mod store;
mod transport;

#[cfg(test)]
mod tests;

pub use config::RedisConfig;
pub use config::tls::Pem;
pub(crate) use config::url::without_credentials;
pub use store::RedisSessionStore;
