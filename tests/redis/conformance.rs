//! The conformance suite on the Redis store, with both APIs.

use std::sync::Arc;

use greentic_session::StoreOptions;
use greentic_session::conformance::{Need, Subject, run_parallel};
use greentic_session_testkit::require;

use crate::space::Space;

/// Cases that run in parallel: most of them wait for the server or for a deadline.
const AT_ONCE: usize = 8;

fn subject(space: Space, options: StoreOptions) -> Subject {
    let store = Arc::new(space.store_with(options));
    let space = Arc::new(space);
    let (counted, shared, kept) = (Arc::clone(&space), Arc::clone(&space), space);
    Subject::both_apis(store)
        .with_leftovers(move || counted.keys().len())
        .with_options(move |options| subject(shared.another("made"), options))
        .with_reopen(move |name| subject(kept.named(name), StoreOptions::new()))
        .without(Need::Clock, "it is the server's")
}

#[test]
fn redis_keeps_the_contract() {
    let space = require!(Space::shared);
    let report = run_parallel(&subject(space, StoreOptions::new()), AT_ONCE);
    println!("{report}");
    report.assert_complete();
}
