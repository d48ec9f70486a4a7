//! The memory store keeps the whole contract, on both faces.
#![cfg(feature = "conformance")]

use std::sync::Arc;

use greentic_session::clock::ManualClock;
use greentic_session::conformance::{Need, Subject, Time, run};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::options::StoreOptions;

fn with_options(options: StoreOptions) -> Subject {
    let clock = Arc::new(ManualClock::default());
    let store = InMemorySessionStore::with_clock(options, Arc::clone(&clock));
    described(Arc::new(store)).time(Time::Manual(clock))
}

fn described(store: Arc<InMemorySessionStore>) -> Subject {
    let counted = Arc::clone(&store);
    Subject::full(store)
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

#[test]
fn nothing_is_skipped() {
    let report = run(&subject());
    println!("{report}");
    report.assert_complete();
}

#[test]
fn the_systems_clock_will_do() {
    let on_system_clock =
        |options| described(Arc::new(InMemorySessionStore::with_options(options)));
    let report = run(&on_system_clock(StoreOptions::new())
        .with_options(on_system_clock)
        .without(Need::Clock, "it is the system's"));
    println!("{report}");
    report.assert_complete();
}
