//! A conformance case: its name, its needs and its code.

use std::fmt;

use super::ensure::CaseResult;
use super::need::Need;
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
