//! How far a walk is.

const WHOLE: u32 = 1_000_000;

/// About how much of a walk is behind, for those who show its progress.
///
/// It is an estimate, in millionths: the memory and the Redis store tell it from the place of the
/// walk among hashes, the durable store counts rows. It grows from page to page, apart from what a
/// server that resizes its tables takes back, and is [`Covered::ALL`] on the last page alone.
///
/// ```
/// use greentic_session::admin::{Covered, ScanFilter};
/// use greentic_session::inmemory::InMemorySessionStore;
/// use greentic_session::Blocking;
///
/// let store = Blocking::new(InMemorySessionStore::new());
/// let page = store.scan(&ScanFilter::new(), None, 100)?;
/// assert_eq!(page.covered, Covered::ALL);
/// assert_eq!(page.covered.fraction(), 1.0);
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Covered(u32);

impl Covered {
    /// The walk is at its end.
    pub const ALL: Self = Self(WHOLE);

    /// So much of a walk that goes on.
    pub(crate) fn part(done: f64, of: f64) -> Self {
        let millionths = done / of * f64::from(WHOLE);
        // A conversion to an integer ends at the bounds; no number at all becomes 0.
        Self((millionths as u32).min(WHOLE - 1))
    }

    /// From 0 to 1,000,000.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// From 0 to 1.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_never_all() {
        assert_eq!(Covered::part(1.0, 4.0).millionths(), 250_000);
        for (done, of) in [(4.0, 4.0), (9.0, 4.0), (1.0, 0.0)] {
            assert_eq!(Covered::part(done, of).millionths(), 999_999);
        }
        for (done, of) in [(0.0, 4.0), (0.0, 0.0), (-1.0, 4.0)] {
            assert_eq!(Covered::part(done, of).millionths(), 0);
        }
    }
}
