//! Connections to servers: opening, sharing and reopening them.

pub mod backoff;
pub mod connection;
pub mod connector;
pub mod endpoint;
pub mod error;
mod handshake;
pub mod pool;
pub mod reconnect;
pub mod runtime;
pub mod sentinel;
pub mod tls;
