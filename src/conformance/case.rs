//! A conformance case: its name, its needs and its code.

use std::fmt;

use super::ensure::CaseResult;
use super::test_env::TestEnv;

/// A test of one promise of the contract.
#[derive(Clone, Copy)]
pub struct Case {
    pub(super) name: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) run: fn(&TestEnv) -> CaseResult,
}

impl Case {
    /// Returns the name, such as `c09_register_moves_the_same_session`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the rule that the case tests, such as `c09`.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.name.split('_').next().unwrap_or(self.name)
    }

    /// Returns what a subject must have for the case to run.
    #[must_use]
    pub const fn needs(&self) -> &'static [Need] {
        self.needs
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("needs", &self.needs)
            .finish_non_exhaustive()
    }
}

/// The public API through which a case calls the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// The nine methods of [`SessionStore`](crate::SessionStore); all other operations through
    /// [`Blocking`](crate::Blocking).
    Blocking,
    /// [`AsyncSessionStore`](crate::AsyncSessionStore), its futures polled without a runtime.
    Async,
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking => "blocking",
            Self::Async => "async",
        })
    }
}

/// What a case needs of a subject, and a subject may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The async API: [`Subject::both_apis`](super::Subject::both_apis).
    AsyncApi,
    /// The operations beyond the nine methods: [`Subject::both_apis`](super::Subject::both_apis).
    AllOperations,
    /// A clock that the case can move: [`Time::Manual`](super::Time::Manual).
    Clock,
    /// More stores, with other options: [`Subject::with_options`](super::Subject::with_options).
    Options,
    /// A count of what the store holds: [`Subject::with_leftovers`](super::Subject::with_leftovers).
    Leftovers,
    /// A store that can be closed and opened again: [`Subject::with_reopen`](super::Subject::with_reopen).
    Reopen,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsyncApi => "needs the async API",
            Self::AllOperations => "needs the operations beyond the nine methods",
            Self::Clock => "needs a clock that can be moved",
            Self::Options => "needs stores with other options",
            Self::Leftovers => "needs a count of what the store holds",
            Self::Reopen => "needs a store that can be closed and opened again",
        })
    }
}
