//! The conformance suite: the contract as named cases, for any session store.
//!
//! A [`Subject`] is a store to test, with hooks that the suite needs: to move its clock, to open
//! another store with other options, to count what it holds. Each case uses a tenant of its own, so
//! cases can share a store and run in parallel. A case that needs a hook that the subject lacks is
//! reported as skipped, with its name and the reason. [`Subject::without`] waives the cases of a
//! promise that the subject does not make.
//!
//! ```
//! use std::sync::Arc;
//! use greentic_session::conformance::{Subject, Time, run};
//! use greentic_session::inmemory::InMemorySessionStore;
//!
//! let store = Arc::new(InMemorySessionStore::new());
//! let report = run(&Subject::blocking_api(store).time(Time::Real));
//! report.assert_passed();
//! ```
//!
//! In a test file, [`conformance_tests!`](crate::conformance_tests) makes one `#[test]` for each
//! case and API, so that the test runner shows them by name.

mod api;
mod case;
mod cases;
mod ensure;
mod need;
mod report;
mod run;
mod samples;
mod store;
mod subject;
mod test_env;
mod test_user;
mod time;

pub use api::Api;
pub use case::Case;
pub use cases::cases;
pub use need::Need;
pub use report::{Outcome, Report, ReportLine};
pub use subject::Subject;
pub use time::Time;

/// Runs every case on every API of the subject, one after the other, on the calling thread.
pub fn run(subject: &Subject) -> Report {
    run_filtered(subject, |_case| true)
}

/// Runs the cases for which `filter` returns true, as [`run`] does. The report has only these.
pub fn run_filtered(subject: &Subject, filter: impl Fn(&Case) -> bool) -> Report {
    run::run_cases(cases().iter().filter(|case| filter(case)), subject, 1)
}

/// Runs every case on every API of the subject, on `threads` threads.
///
/// This saves time on a store with a clock of its own ([`Time::Real`]), for which many cases wait.
/// A subject whose clock the cases move is run on one thread. The report is in the order of
/// [`run`].
pub fn run_parallel(subject: &Subject, threads: usize) -> Report {
    let threads = match subject.time {
        Time::Manual(_) => 1,
        Time::Real => threads,
    };
    run::run_cases(cases().iter(), subject, threads)
}

/// Runs one case on one API, and panics if it fails, is skipped or does not exist. A case that the
/// subject waives is not run.
///
/// [`conformance_tests!`](crate::conformance_tests) makes tests of this call.
pub fn check(name: &str, api: Api, subject: &Subject) {
    let found = cases().iter().find(|case| case.name == name);
    let outcome = found.map(|case| run::run_case(case, api, subject));
    assert!(
        matches!(outcome, Some(Outcome::Passed | Outcome::Waived(_))),
        "{name} on the {api} API: {outcome:?}"
    );
}
