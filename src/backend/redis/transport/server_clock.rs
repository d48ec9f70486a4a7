//! The clock of a server, as measured on a connection, and write deadlines by it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// Covers the resolution of both clocks.
const RESOLUTION: Duration = Duration::from_millis(1);
/// Two clocks go apart by less than one part in so many.
const DRIFT: u32 = 1000;

/// What the server's clock showed, and when that was heard.
pub struct ServerClock(Mutex<Measurement>);

#[derive(Clone, Copy)]
struct Measurement {
    /// Microseconds since the epoch.
    time: u64,
    heard: Instant,
}

impl ServerClock {
    /// A clock that has not been measured: the server refuses the first write, with its time.
    pub fn unknown() -> Self {
        let heard = Instant::now();
        Self(Mutex::new(Measurement { time: 0, heard }))
    }

    /// Stores a time that the server has just answered, in microseconds.
    pub fn set(&self, time: u64) {
        let heard = Instant::now();
        *self.0.lock() = Measurement { time, heard };
    }

    /// The time since the measurement.
    pub fn age(&self) -> Duration {
        self.0.lock().heard.elapsed()
    }

    /// An instant by the server's clock, in microseconds, that it shows before `end`.
    pub fn deadline(&self, end: Instant) -> u64 {
        let measurement = *self.0.lock();
        measurement.deadline(end)
    }

    /// What the server's clock showed at a past instant at least, in microseconds.
    pub fn shown_at(&self, past: Instant) -> u64 {
        let measurement = *self.0.lock();
        measurement.shown_at(past)
    }
}

impl Measurement {
    /// The server read its clock before its answer was heard. So at `end` the clock shows more than
    /// the time measured plus the time from then to `end`.
    fn deadline(self, end: Instant) -> u64 {
        let since = end.saturating_duration_since(self.heard);
        let since = since.saturating_sub(RESOLUTION + since / DRIFT);
        self.time.saturating_add(micros(since))
    }

    /// The measurement may be younger than the instant. The server read its clock before its answer
    /// was heard, so at the instant the clock showed more than what counts from then.
    fn shown_at(self, past: Instant) -> u64 {
        if past >= self.heard {
            return self.deadline(past);
        }
        let since = self.heard.duration_since(past);
        self.time.saturating_sub(micros(since + since / DRIFT))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The server's clock shows the deadline before the end of the call, wherever it stands, and
    /// however long the request and the answer took.
    #[test]
    fn c14_a_write_deadline_passes_before_the_call_ends() {
        let begun = Instant::now();
        for offset in [1_000_000, 1_700_000_000_000_000] {
            for (there, back) in [(MS, MS), (MS * 200, MS), (MS, MS * 200)] {
                for age in [0, 5, 3600] {
                    let read = begun + there;
                    let measured = Measurement {
                        time: offset + micros(there),
                        heard: read + back,
                    };
                    let left = Duration::from_secs(age) + MS * 5000;
                    let end = measured.heard + left;
                    let deadline = measured.deadline(end);
                    // The fastest and the slowest clock that is allowed.
                    for per_million in [999_000, 1_001_000] {
                        let since = micros(end - read) * per_million / 1_000_000;
                        let shown = measured.time + since;
                        assert!(deadline < shown, "{there:?} {back:?} {age}");
                    }
                    let lost = micros(back) + 1_000 + micros(left / 1000);
                    assert_eq!(deadline, offset + micros(end - begun) - lost);
                }
            }
        }
    }

    #[test]
    fn c14_the_clock_showed_no_less_at_a_past_instant() {
        let begun = Instant::now();
        let offset = 1_700_000_000_000_000;
        for back in [MS, MS * 200] {
            let measured = Measurement {
                time: offset + micros(MS * 1000),
                heard: begun + MS * 1000 + back,
            };
            for at in [0, 500, 999, 1000, 1100, 5000] {
                let shown = measured.shown_at(begun + MS * at);
                let at = offset + u64::from(at) * 1000;
                assert!(shown <= at, "{at}");
                assert!(at - shown <= micros(back) + 1_000 + 5_000, "{at}");
            }
        }
    }

    #[test]
    fn an_unknown_clock_gives_a_deadline_that_has_passed() {
        let clock = ServerClock::unknown();
        let year = 365 * 24 * 3600 * 1_000_000;
        assert!(clock.deadline(Instant::now() + MS * 5000) < year);
    }
}
