//! The memory store keeps the whole contract with both APIs.

use std::sync::Arc;

use greentic_session::clock::ManualClock;
use greentic_session::conformance::{Need, Subject, Time, cases, run_parallel};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::options::StoreOptions;

fn with_options(options: StoreOptions) -> Subject {
    let clock = Arc::new(ManualClock::default());
    let store = InMemorySessionStore::with_clock(options, Arc::clone(&clock));
    described(Arc::new(store)).time(Time::Manual(clock))
}

fn described(store: Arc<InMemorySessionStore>) -> Subject {
    let counted = Arc::clone(&store);
    Subject::both_apis(store)
        .with_leftovers(move || {
            let _swept = counted.sweep();
            let (sessions, owners) = counted.held();
            sessions + owners
        })
        .with_options(with_options)
        .without(Need::Reopen, "the memory ends with the process")
}

fn subject() -> Subject {
    with_options(StoreOptions::new())
}

greentic_session::conformance_tests!(memory, subject());

/// Runs eight cases at once, or one if the cases move the clock: they would see each other do it.
fn keeps_the_contract(subject: &Subject) {
    let report = run_parallel(subject, 8);
    report.assert_complete();
    let reported: Vec<_> = report.lines.iter().map(|line| line.case).collect();
    let known: Vec<_> = cases().iter().flat_map(|case| [case.name(); 2]).collect();
    assert_eq!(reported, known, "the report is in order");
}

#[test]
fn memory_keeps_the_contract_and_no_case_is_skipped() {
    keeps_the_contract(&subject());
}

fn on_system_clock(options: StoreOptions) -> Subject {
    described(Arc::new(InMemorySessionStore::with_options(options)))
        .with_options(on_system_clock)
        .without(Need::Clock, "it is the system's")
}

#[test]
fn memory_keeps_the_contract_with_the_system_clock() {
    keeps_the_contract(&on_system_clock(StoreOptions::new()));
}
