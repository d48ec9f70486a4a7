//! Connections to servers: opening, sharing and reopening them.

pub mod backoff;
pub mod connection;
pub mod connection_id;
pub mod connector;
pub mod endpoint;
pub mod error;
mod handshake;
pub mod info;
pub mod pool;
pub mod reconnect;
pub mod runtime;
pub mod sentinel;
mod server_clock;
pub mod tls;
