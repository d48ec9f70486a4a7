//! A span of time as people write it.

use std::time::Duration;

use crate::error::{SessionResult, invalid_input};

/// Reads a span of time as people write it: numbers with the units `us`, `ms`, `s`, `m`, `h`, `d`
/// and `w`, from one or more parts.
///
/// URLs, files and the environment write times in this form, and so does the command line.
///
/// # Errors
/// `InvalidInput` if the text is no time. The message does not repeat it.
///
/// ```
/// use greentic_session::options::parse_duration;
/// use std::time::Duration;
///
/// assert_eq!(parse_duration("2h30m")?, Duration::from_secs(9_000));
/// assert_eq!(parse_duration("500ms")?, Duration::from_millis(500));
/// assert!(parse_duration("5").is_err());
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub fn parse_duration(text: &str) -> SessionResult<Duration> {
    sum(text).ok_or_else(|| invalid_input("not a time such as 500ms, 90s, 2h30m or 7d"))
}

fn sum(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let next = tail.find(|c: char| c.is_ascii_digit());
        let (unit, tail) = tail.split_at(next.unwrap_or(tail.len()));
        total = total.checked_add(part(number.parse().ok()?, unit)?)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

fn part(number: u64, unit: &str) -> Option<Duration> {
    let seconds = match unit {
        "us" | "µs" => return Some(Duration::from_micros(number)),
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_numbers_with_units() {
        let micros = |text| sum(text).map(|time| time.as_micros());
        assert_eq!(micros("90s"), Some(90_000_000));
        assert_eq!(micros("2h30m"), Some(9_000_000_000));
        assert_eq!(micros("1w1d"), Some(691_200_000_000));
        assert_eq!(micros("1s500ms"), Some(1_500_000));
        assert_eq!(micros("200us"), Some(200));
        assert_eq!(micros("0s"), Some(0));
        for wrong in [
            "",
            "5",
            "h",
            "5x",
            "-5s",
            "5 s",
            "99999999999999999999s",
            "9999999999999999999w",
            "1.5h",
            "1h5",
        ] {
            assert_eq!(sum(wrong), None, "{wrong}");
        }
    }
}
