//! The conformance suite: the contract C1 to C26 as named cases, for any session store.
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

mod case;
mod cases;
mod ensure;
mod report;
mod run;
mod samples;
mod store;
mod subject;
mod test_env;
mod test_user;

pub use case::{Api, Case, Need};
pub use cases::cases;
pub use report::{Outcome, Report, ReportLine};
pub use run::{check, run, run_filtered, run_parallel};
pub use subject::{Subject, Time};
