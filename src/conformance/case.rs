//! A case: a name, what it needs, and what it does.

use std::fmt;

use super::ensure::Verdict;
use super::stage::Stage;

/// One promise of the contract, tried on a store.
#[derive(Clone, Copy)]
pub struct Case {
    pub(super) name: &'static str,
    pub(super) needs: &'static [Need],
    pub(super) run: fn(&Stage) -> Verdict,
}

impl Case {
    /// The name, such as `c09_register_moves_the_same_session`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The rule that the case proves, such as `c09`.
    #[must_use]
    pub fn rule(&self) -> &'static str {
        self.name.split('_').next().unwrap_or(self.name)
    }

    /// What a subject must have for the case to run.
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

/// Through which public face a case calls the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// The nine methods of [`SessionStore`](crate::SessionStore); for all else
    /// [`Blocking`](crate::Blocking).
    Blocking,
    /// [`AsyncSessionStore`](crate::AsyncSessionStore), its futures driven without a runtime.
    Async,
}

impl fmt::Display for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blocking => "blocking",
            Self::Async => "async",
        })
    }
}

/// What a subject may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The async face: [`Subject::full`](super::Subject::full).
    AsyncFace,
    /// The verbs beyond the nine methods: [`Subject::full`](super::Subject::full).
    Verbs,
    /// A clock that the case can move: [`Time::Manual`](super::Time::Manual).
    Clock,
    /// Other stores, made to order: [`Subject::with_options`](super::Subject::with_options).
    Options,
    /// A count of what is held: [`Subject::with_leftovers`](super::Subject::with_leftovers).
    Leftovers,
    /// Closing and opening again: [`Subject::with_reopen`](super::Subject::with_reopen).
    Reopen,
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AsyncFace => "needs the async face",
            Self::Verbs => "needs the verbs beyond the nine methods",
            Self::Clock => "needs a clock that can be moved",
            Self::Options => "needs stores with other options",
            Self::Leftovers => "needs a count of what the store holds",
            Self::Reopen => "needs a store that can be closed and opened again",
        })
    }
}
