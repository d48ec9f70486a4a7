//! The conformance suite: the contract C1 to C26 as named cases, for anyone who has a store to test.
//!
//! A [`Subject`] is a store with what the suite may know of it: how its time is moved, how another
//! store with other options is opened, how to count what it holds. Each case brings a tenant of its
//! own, so cases share a store without a flush, and may run side by side. A case that needs what
//! the subject does not have is reported as skipped, by name and with the reason; a subject that
//! does not promise something says so with [`Subject::without`].
//!
//! ```
//! use std::sync::Arc;
//! use greentic_session::conformance::{Subject, Time, run};
//! use greentic_session::inmemory::InMemorySessionStore;
//!
//! let store = Arc::new(InMemorySessionStore::new());
//! let report = run(&Subject::nine(store).time(Time::Real));
//! report.assert_passed();
//! ```
//!
//! In a test file, [`conformance_tests!`](crate::conformance_tests) makes one `#[test]` of each
//! case and face, so that the runner shows them by name.

mod actor;
mod case;
mod cases;
mod ensure;
mod report;
mod run;
mod samples;
mod stage;
mod store;
mod subject;

pub use case::{Case, Face, Need};
pub use cases::cases;
pub use report::{Outcome, Report, ReportLine};
pub use run::{check, run, run_side_by_side, run_some};
pub use subject::{Subject, Time};
