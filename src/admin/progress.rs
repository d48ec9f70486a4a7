//! The progress of a walk over a store.

const COMPLETE: u32 = 1_000_000;

/// The part of a walk that is done, in millionths.
///
/// It is an estimate: the memory and the Redis store derive it from the position of the walk among
/// hashes, the durable store counts rows. It grows from page to page, except on Redis while a
/// server resizes its tables. It is [`Progress::COMPLETE`] on the last page, and on no other.
///
/// ```
/// use greentic_session::admin::{Progress, ScanFilter};
/// use greentic_session::inmemory::InMemorySessionStore;
/// use greentic_session::Blocking;
///
/// let store = Blocking::new(InMemorySessionStore::new());
/// let page = store.scan(&ScanFilter::new(), None, 100)?;
/// assert_eq!(page.progress, Progress::COMPLETE);
/// assert_eq!(page.progress.fraction(), 1.0);
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Progress(u32);

impl Progress {
    /// The walk is at its end.
    pub const COMPLETE: Self = Self(COMPLETE);

    /// The progress of a walk that is not at its end: always below [`Progress::COMPLETE`].
    pub(crate) fn part(done: f64, of: f64) -> Self {
        let millionths = done / of * f64::from(COMPLETE);
        // The conversion saturates, and turns NaN into 0.
        Self((millionths as u32).min(COMPLETE - 1))
    }

    /// The progress from 0 to 1,000,000.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// The progress from 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(COMPLETE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_never_complete() {
        assert_eq!(Progress::part(1.0, 4.0).millionths(), 250_000);
        for (done, of) in [(4.0, 4.0), (9.0, 4.0), (1.0, 0.0)] {
            assert_eq!(Progress::part(done, of).millionths(), 999_999);
        }
        for (done, of) in [(0.0, 4.0), (0.0, 0.0), (-1.0, 4.0)] {
            assert_eq!(Progress::part(done, of).millionths(), 0);
        }
    }
}
