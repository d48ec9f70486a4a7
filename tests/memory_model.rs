//! The in-memory store against the reference model.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[test]
fn memory_behaves_as_the_model() {
    support::model_check::check::<support::harness::Memory>(
        1_000,
        "tests/regressions/memory_model.txt",
    );
}
