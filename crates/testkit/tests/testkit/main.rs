//! The tests of the testkit: servers, Sentinel and Cluster groups, the fault proxy, and skips.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[cfg(target_os = "linux")]
mod orphan;
mod proxy;
mod server;
mod skip;
mod topologies;
