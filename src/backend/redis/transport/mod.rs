//! Connections to servers: how one is opened, kept open, and shared by many calls.

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
