//! Real servers, a fault proxy, a faulty disk and helpers for the tests of greentic-session.
//!
//! Servers are real processes on free loopback ports, each with a temporary directory of its own. A
//! server ends when its handle is dropped and, if `setpriv` of util-linux is installed, also when
//! the test process dies. A failure of the setup is a panic with the reason: only tests use this
//! crate.
//!
//! Two environment variables decide which tests run; see [`skip`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr
)]

mod binaries;
mod cluster;
mod config;
mod direction;
#[cfg(feature = "disk")]
mod disk;
mod endpoint;
mod ports;
mod process;
mod proxied_connection;
mod proxy;
mod reply;
mod resp;
mod sentinel;
mod server;
pub mod skip;
mod slots;
mod tls;
mod wait;

pub use binaries::ServerBinary;
pub use cluster::RedisCluster;
pub use direction::Flow;
#[cfg(feature = "disk")]
pub use disk::{DiskFault, FaultyDisk, Lasting};
pub use endpoint::Endpoint;
pub use proxy::{Accept, FaultProxy};
pub use reply::Reply;
pub use resp::RespClient;
pub use sentinel::SentinelGroup;
pub use server::{RedisServer, RedisServerBuilder};
pub use skip::{TestRedis, any_redis, name_of, own_servers};
pub use tls::TlsFiles;
pub use wait::wait_until;
