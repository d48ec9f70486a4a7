//! The Redis store keeps the whole contract in every topology.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use greentic_session::conformance::{Need, Subject, run_parallel};
use greentic_session::{RedisSessionStore, StoreOptions};
use greentic_session_testkit::{own_servers, require, test_name};

use crate::topology::Servers;

/// So many cases at once, as most of them wait for the server or for a deadline.
const AT_ONCE: usize = 8;

/// The whole conformance suite's view of a store on these servers.
fn subject(servers: &Arc<Servers>) -> Subject {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    named(
        servers,
        format!("test:{}-{count}", process::id()),
        StoreOptions::new(),
    )
}

fn named(servers: &Arc<Servers>, namespace: String, options: StoreOptions) -> Subject {
    let config = servers.config().namespace(&*namespace).options(options);
    let store = Arc::new(RedisSessionStore::new(config).unwrap());
    let (counted, made, reopened) = (
        Arc::clone(servers),
        Arc::clone(servers),
        Arc::clone(servers),
    );
    let (whole, inner) = (namespace.clone(), namespace);
    let number = AtomicUsize::new(0);
    Subject::both_apis(store)
        .with_leftovers(move || counted.count(&whole))
        .with_options(move |options| {
            let number = number.fetch_add(1, Ordering::Relaxed);
            named(&made, format!("made:{}-{number}", process::id()), options)
        })
        .with_reopen(move |name| named(&reopened, format!("{inner}:{name}"), StoreOptions::new()))
        .without(Need::Clock, "it is the server's")
}

fn keeps_the_contract(name: &str, servers: Servers) {
    let servers = Arc::new(servers);
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
    require!(own_servers);
    keeps_the_contract(test_name!(), Servers::tls());
}

#[test]
fn a_master_that_sentinels_name() {
    require!(own_servers);
    keeps_the_contract(test_name!(), Servers::sentinel());
}

#[test]
fn a_cluster() {
    require!(own_servers);
    keeps_the_contract(test_name!(), Servers::cluster());
}
