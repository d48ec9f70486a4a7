//! C19: both APIs work inside every kind of runtime.

use std::sync::Arc;

use greentic_session::conformance::{Need, Subject, run_filtered};
use greentic_session::inmemory::InMemorySessionStore;
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

/// Cases that call every method of the sync API and every operation.
fn passes_here() {
    passes(&Subject::both_apis(Arc::new(InMemorySessionStore::new())));
    #[cfg(feature = "durable")]
    durable_passes();
}

#[cfg(feature = "durable")]
fn durable_passes() {
    use greentic_session::durable::{DurableConfig, DurableSessionStore};
    let directory = tempfile::tempdir().unwrap();
    let config = DurableConfig::new(directory.path().join("sessions.redb"));
    passes(&Subject::both_apis(Arc::new(
        DurableSessionStore::open(config).unwrap(),
    )));
}

fn passes(subject: &Subject) {
    let report = run_filtered(subject, |case| {
        let calls_all = matches!(case.rule(), "c09" | "c14" | "c19")
            || case.name() == "c16_a_message_is_resumed_once";
        calls_all && !case.needs().contains(&Need::Options)
    });
    report.assert_complete();
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

fn multi_thread() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap()
}

#[test]
fn c19_on_a_plain_thread() {
    std::thread::spawn(passes_here).join().unwrap();
}

#[test]
fn c19_in_a_current_thread_runtime() {
    current_thread().block_on(async { passes_here() });
}

#[test]
fn c19_on_the_only_worker_of_a_multi_thread_runtime() {
    let runtime = multi_thread();
    runtime.block_on(async { tokio::spawn(async { passes_here() }).await.unwrap() });
}

#[test]
fn c19_in_a_local_set() {
    let local = LocalSet::new();
    local.spawn_local(async { passes_here() });
    current_thread().block_on(local);
}

#[test]
fn c19_in_spawn_blocking() {
    let runtime = multi_thread();
    runtime.block_on(async { tokio::task::spawn_blocking(passes_here).await.unwrap() });
}

#[test]
fn c19_in_block_in_place() {
    let runtime = multi_thread();
    runtime.block_on(async {
        tokio::spawn(async { tokio::task::block_in_place(passes_here) })
            .await
            .unwrap();
    });
}
