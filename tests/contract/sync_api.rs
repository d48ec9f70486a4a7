//! The conformance suite on a decorator that has only the nine methods.

use std::sync::Arc;

use greentic_session::clock::ManualClock;
use greentic_session::conformance::{Case, Need, Subject, Time, cases, run};
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::options::StoreOptions;

#[test]
fn cases_whose_needs_are_not_met_are_skipped_with_the_reason() {
    let clock = Arc::new(ManualClock::default());
    let store = InMemorySessionStore::with_clock(StoreOptions::new(), Arc::clone(&clock));
    let report = run(&Subject::blocking_api(Arc::new(store)).time(Time::Manual(clock)));
    report.assert_passed();
    let lacking = |need: &Need| !matches!(need, Need::Clock);
    for case in cases() {
        let skipped = report.skipped().contains(&case.name());
        assert_eq!(skipped, case.needs().iter().any(lacking), "{}", case.name());
    }
    let printed = report.to_string();
    assert!(
        printed.contains("c15_if_absent_returns_the_waiting_session: needs the operations"),
        "{printed}"
    );
}

#[test]
fn the_names_are_unique_and_cover_every_rule() {
    let names: std::collections::BTreeSet<_> = cases().iter().map(Case::name).collect();
    assert_eq!(names.len(), cases().len());
    for rule in 1..=20 {
        let rule = format!("c{rule:02}");
        let covered = cases().iter().any(|case| case.rule() == rule);
        assert!(covered, "no case proves {rule}");
    }
}
