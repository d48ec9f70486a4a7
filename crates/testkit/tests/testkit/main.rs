//! The tests of the tools for tests: servers, groups of servers, the fault proxy, and skips.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[cfg(target_os = "linux")]
mod orphan;
mod proxy;
mod server;
mod skip;
mod topologies;
