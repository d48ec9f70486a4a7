//! The Redis store keeps the whole contract in every topology.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![cfg(all(feature = "conformance", feature = "redis"))]

mod topology_support;

use std::sync::Arc;
use std::time::Instant;

use greentic_session::conformance::run_parallel;
use greentic_session_testkit::servers_or_skip;
use topology_support::{Servers, subject};

/// So many cases at once, as most of them wait for the server or for a deadline.
const AT_ONCE: usize = 8;

fn keeps_the_contract(name: &str, start: impl FnOnce() -> Servers) {
    if !servers_or_skip(name) {
        return;
    }
    let servers = Arc::new(start());
    let begun = Instant::now();
    let report = run_parallel(&subject(&servers), AT_ONCE);
    let (lines, time) = (report.lines.len(), begun.elapsed().as_secs());
    println!(
        "{name}: {} cases and faces, {} skipped, {time} s",
        lines,
        report.skipped().len()
    );
    report.assert_complete();
}

#[test]
fn one_server_with_tls_and_client_certificates() {
    keeps_the_contract("one_server_with_tls_and_client_certificates", Servers::tls);
}

#[test]
fn a_master_that_sentinels_name() {
    keeps_the_contract("a_master_that_sentinels_name", Servers::sentinel);
}

#[test]
fn a_cluster() {
    keeps_the_contract("a_cluster", Servers::cluster);
}
