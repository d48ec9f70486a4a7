//! The durable store against the reference model, closed and opened again on the way.
#![cfg(feature = "durable")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

#[test]
fn durable_behaves_as_the_model() {
    support::model_check::check::<support::durable::Durable>(
        300,
        "tests/regressions/durable_model.txt",
    );
}
