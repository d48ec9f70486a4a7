//! An instant, in milliseconds since the Unix epoch.

use std::fmt;
use std::num::NonZeroU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

const MILLIS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

/// The last millisecond of the year 9999, the last year that RFC 3339 can write.
const END_OF_9999: u64 = 253_402_300_799_999;

/// An instant, in milliseconds since the Unix epoch.
///
/// `Display` prints it as RFC 3339 in UTC, and an instant after the year 9999 as its number. Serde
/// reads and writes the number. It converts from and to [`SystemTime`].
///
/// ```
/// use greentic_session::clock::Timestamp;
/// use std::time::SystemTime;
///
/// let instant = Timestamp::from_millis(1_700_000_000_123);
/// assert_eq!(instant.to_string(), "2023-11-14T22:13:20.123Z");
/// assert_eq!(Timestamp::from(SystemTime::from(instant)), instant);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub struct Timestamp(NonZeroU64);

impl From<u64> for Timestamp {
    fn from(millis: u64) -> Self {
        Self::from_millis(millis)
    }
}

impl From<Timestamp> for u64 {
    fn from(instant: Timestamp) -> Self {
        instant.as_millis()
    }
}

/// Cuts what is below a millisecond. An instant before the epoch becomes the first timestamp.
impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(whole_millis(since_epoch))
    }
}

/// Where the system cannot represent the instant, it becomes the end of the year 9999. Linux and
/// macOS represent every timestamp.
impl From<Timestamp> for SystemTime {
    fn from(instant: Timestamp) -> Self {
        let since_epoch = Duration::from_millis(instant.as_millis());
        let known = UNIX_EPOCH.checked_add(since_epoch);
        known.unwrap_or_else(|| UNIX_EPOCH + Duration::from_millis(END_OF_9999))
    }
}

impl Timestamp {
    /// Makes a timestamp; 0 becomes 1.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        match NonZeroU64::new(millis) {
            Some(millis) => Self(millis),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// Returns the milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0.get()
    }

    /// Returns the time from `earlier` to this instant, or zero if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        if millis > END_OF_9999 {
            return write!(f, "{millis} ms after the epoch");
        }
        let (year, month, day) = date(millis / MILLIS_PER_DAY);
        let of_day = millis % MILLIS_PER_DAY;
        let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
        let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
        )
    }
}

/// The year, month and day that is this many days after 1970-01-01.
///
/// Years begin on 1 March here, so that a leap day is the last day of a year, of 4 years or of 400.
fn date(days_after_epoch: u64) -> (u64, u64, u64) {
    const YEAR: u64 = 365;
    const FOUR_YEARS: u64 = 4 * YEAR + 1;
    const CENTURY: u64 = 25 * FOUR_YEARS - 1;
    const FOUR_CENTURIES: u64 = 4 * CENTURY + 1;
    /// From 0000-03-01 to 1970-01-01.
    const EPOCH: u64 = 719_468;
    /// The days from 1 March to the first day of each month.
    const MONTHS: [u64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];

    let days = days_after_epoch + EPOCH;
    let (periods, days) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
    let centuries = (days / CENTURY).min(3);
    let days = days - centuries * CENTURY;
    let (fours, days) = (days / FOUR_YEARS, days % FOUR_YEARS);
    let years = (days / YEAR).min(3);
    let days = days - years * YEAR;
    let year = 400 * periods + 100 * centuries + 4 * fours + years;
    let month = MONTHS.partition_point(|first| *first <= days);
    let day = days - MONTHS[month - 1] + 1;
    match month as u64 {
        month @ 1..=10 => (year, month + 2, day),
        month => (year + 1, month - 10, day),
    }
}

pub(crate) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(millis: u64) -> String {
        Timestamp::from_millis(millis).to_string()
    }

    #[test]
    fn an_instant_is_printed_as_rfc_3339() {
        assert_eq!(shown(1), "1970-01-01T00:00:00.001Z");
        assert_eq!(shown(951_827_696_789), "2000-02-29T12:34:56.789Z");
        assert_eq!(shown(4_107_542_399_999), "2100-02-28T23:59:59.999Z");
        assert_eq!(shown(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(shown(END_OF_9999), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn an_instant_after_the_year_9999_is_printed_as_its_number() {
        assert_eq!(shown(END_OF_9999 + 1), "253402300800000 ms after the epoch");
        assert!(shown(u64::MAX).starts_with("18446744073709551615 ms"));
    }

    #[test]
    fn every_day_to_the_year_9999_has_its_date() {
        let mut days = 0;
        for year in 1970..10_000 {
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let february = if is_leap { 29 } else { 28 };
            let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            for (month, length) in (1..).zip(lengths) {
                for day in 1..=length {
                    assert_eq!(date(days), (year, month, day));
                    days += 1;
                }
            }
        }
        assert_eq!(days * MILLIS_PER_DAY, END_OF_9999 + 1);
    }

    #[test]
    fn an_instant_converts_from_and_to_the_time_of_the_system() {
        for millis in [1, 999, 1_000, 1_700_000_000_123, (1 << 53) - 1] {
            let instant = Timestamp::from_millis(millis);
            assert_eq!(Timestamp::from(SystemTime::from(instant)), instant);
        }
        let cut = UNIX_EPOCH + Duration::from_nanos(7_999_999);
        assert_eq!(Timestamp::from(cut).as_millis(), 7);
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before).as_millis(), 1);
        // Beyond what some systems represent: no panic.
        let _ = SystemTime::from(Timestamp::from_millis(u64::MAX));
    }
}
