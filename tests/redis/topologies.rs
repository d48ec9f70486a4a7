//! The Redis store keeps the whole contract in every topology.

use std::process;
use std::sync::Arc;
#[cfg(feature = "encryption")]
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use greentic_session::conformance::{Need, Subject, run_parallel};
use greentic_session::{RedisConfig, RedisSessionStore, StoreOptions};
use greentic_session_testkit::{own_servers, require, test_name};

use crate::topology::Servers;

/// Cases that run in parallel: most of them wait for the server or for a deadline.
const AT_ONCE: usize = 8;

/// A store in a namespace of its own on these servers.
fn subject(servers: &Arc<Servers>, is_encrypted: bool, options: StoreOptions) -> Subject {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let namespace = format!("test:{}-{count}", process::id());
    named(servers, is_encrypted, namespace, options)
}

/// The configuration, with a keyring that all stores of the process share if it is encrypted.
#[cfg(feature = "encryption")]
fn encrypted(config: RedisConfig, is_encrypted: bool) -> RedisConfig {
    use greentic_session::vault::{Encryption, KeyVault, Keyring};

    static KEYRING: LazyLock<Arc<dyn KeyVault>> =
        LazyLock::new(|| Arc::new(Keyring::generate().unwrap()));
    match is_encrypted {
        true => config.encryption(Encryption::new(Arc::clone(&KEYRING))),
        false => config,
    }
}

#[cfg(not(feature = "encryption"))]
fn encrypted(config: RedisConfig, _is_encrypted: bool) -> RedisConfig {
    config
}

fn named(
    servers: &Arc<Servers>,
    is_encrypted: bool,
    namespace: String,
    options: StoreOptions,
) -> Subject {
    let config = servers.config().namespace(&*namespace).options(options);
    let config = encrypted(config, is_encrypted);
    let store = Arc::new(RedisSessionStore::new(config).unwrap());
    let [counted, made, reopened] = [(); 3].map(|()| Arc::clone(servers));
    let whole = namespace.clone();
    Subject::both_apis(store)
        .without(Need::Inbox, "it keeps no queues yet")
        .with_leftovers(move || counted.count(&whole))
        .with_options(move |options| subject(&made, is_encrypted, options))
        .with_reopen(move |name| {
            let namespace = format!("{namespace}:{name}");
            named(&reopened, is_encrypted, namespace, StoreOptions::new())
        })
        .without(Need::Clock, "it is the server's")
}

fn keeps_the_contract(name: &str, servers: Servers) {
    keeps_it(name, servers, false);
}

fn keeps_it(name: &str, servers: Servers, is_encrypted: bool) {
    let servers = Arc::new(servers);
    let begun = Instant::now();
    let report = run_parallel(
        &subject(&servers, is_encrypted, StoreOptions::new()),
        AT_ONCE,
    );
    let (lines, time) = (report.lines.len(), begun.elapsed().as_secs());
    println!(
        "{name}: {} cases and APIs, {} skipped, {time} s",
        lines,
        report.skipped().len()
    );
    report.assert_complete();
}

#[test]
fn tls_server_keeps_the_contract() {
    require!(own_servers);
    keeps_the_contract(test_name!(), Servers::tls());
}

#[test]
fn sentinel_keeps_the_contract() {
    require!(own_servers);
    keeps_the_contract(test_name!(), Servers::sentinel());
}

#[test]
fn cluster_keeps_the_contract() {
    require!(own_servers);
    keeps_the_contract(test_name!(), Servers::cluster());
}

#[cfg(feature = "encryption")]
#[test]
fn c35_one_server_keeps_the_contract_with_encryption() {
    require!(own_servers);
    keeps_it(test_name!(), Servers::single(), true);
}

#[cfg(feature = "encryption")]
#[test]
fn c35_a_cluster_keeps_the_contract_with_encryption() {
    require!(own_servers);
    keeps_it(test_name!(), Servers::cluster(), true);
}
