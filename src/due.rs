//! What is due: the options and the outcome of `claim_due` (C33).

use std::sync::Arc;
use std::time::Duration;

use crate::claim::Turn;

/// The most turns of one call of [`claim_due`](crate::AsyncSessionStore::claim_due).
pub const MAX_DUE: usize = 100;

/// The longest time after which a caller of `claim_due` asks again.
pub(crate) const LONGEST_POLL: Duration = Duration::from_secs(5);

/// The options of [`claim_due`](crate::AsyncSessionStore::claim_due).
///
/// ```
/// use greentic_session::DueOptions;
/// use std::time::Duration;
///
/// let options = DueOptions::new(Duration::from_secs(30));
/// assert_eq!(options.limit, 16);
/// assert_eq!(options.limit(1).limit, 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DueOptions {
    /// For how long each claim excludes other workers, unless it is renewed: at most
    /// [`MAX_LEASE`](crate::options::MAX_LEASE). Less than a millisecond acts as 1 ms.
    pub lease: Duration,
    /// How many turns the call hands out at most: 1 to [`MAX_DUE`](crate::options::MAX_DUE). Default:
    /// 16.
    pub limit: usize,
    /// Who holds the claims, for operators: as [`ClaimOptions::holder`](crate::ClaimOptions::holder).
    /// Default: none.
    pub holder: Option<Arc<str>>,
}

impl DueOptions {
    /// Returns the defaults with this lease.
    #[must_use]
    pub const fn new(lease: Duration) -> Self {
        Self {
            lease,
            limit: 16,
            holder: None,
        }
    }

    /// Sets [`DueOptions::limit`].
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Sets [`DueOptions::holder`].
    #[must_use]
    pub fn holder(mut self, name: impl Into<Arc<str>>) -> Self {
        self.holder = Some(name.into());
        self
    }
}

/// The outcome of [`claim_due`](crate::AsyncSessionStore::claim_due).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct DuePage {
    /// The turns that were handed out, to this caller alone.
    pub turns: Vec<Turn>,
    /// True if more may be due: ask again at once.
    pub more: bool,
    /// When to ask again if nothing more is due: the time to the next instant that the store knows, and
    /// 5 seconds at most. Zero if `more` is true.
    pub next: Duration,
}

impl DuePage {
    /// Makes a page. `more` makes `next` zero, and `next` is at most 5 seconds.
    pub fn new(turns: Vec<Turn>, more: bool, next: Duration) -> Self {
        let next = match more {
            true => Duration::ZERO,
            false => next.min(LONGEST_POLL),
        };
        Self { turns, more, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c33_a_page_says_when_to_ask_again() {
        let next = |more, next| DuePage::new(Vec::new(), more, Duration::from_secs(next)).next;
        assert_eq!(next(true, 3), Duration::ZERO);
        assert_eq!(next(false, 3), Duration::from_secs(3));
        assert_eq!(next(false, 3_600), LONGEST_POLL);
    }
}
