//! Numbers, times and names as text for people.

use std::time::Duration;

use greentic_session::clock::{Clock, SystemClock, Timestamp};
use indicatif::HumanCount;
use unicode_width::UnicodeWidthChar;

/// `1 session`, `2 sessions`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", HumanCount(number))
}

/// `1 entry`, `2 entries`.
pub fn entries(number: u64) -> String {
    let noun = if number == 1 { "entry" } else { "entries" };
    format!("{} {noun}", HumanCount(number))
}

/// A time in its two largest units, such as `2h 5m`.
pub fn duration(time: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    let seconds = time.as_secs();
    let Some(first) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return format!("{}ms", time.as_millis());
    };
    let (size, unit) = UNITS[first];
    let whole = format!("{}{unit}", seconds / size);
    match UNITS.get(first + 1) {
        Some((next, unit)) if seconds % size >= *next => {
            format!("{whole} {}{unit}", seconds % size / next)
        }
        _ => whole,
    }
}

/// The time until a deadline.
pub fn deadline(deadline: Option<Timestamp>, now: Timestamp) -> String {
    deadline.map_or_else(
        || "never".to_owned(),
        |deadline| duration(deadline.since(now)),
    )
}

/// The time until a timeout, or since it came, such as `2h 5m` and `late 5m`.
pub fn timeout(at: Timestamp, now: Timestamp) -> String {
    match at <= now {
        true => format!("late {}", duration(now.since(at))),
        false => duration(at.since(now)),
    }
}

pub fn optional(time: Option<Duration>) -> String {
    time.map_or_else(|| "unknown".to_owned(), duration)
}

/// Any text, such as a session key, with what a terminal does not show as a character of its own
/// escaped: two different keys never look alike because of it.
pub fn printable(text: &str) -> String {
    if !text.chars().any(is_hidden) {
        return text.to_owned();
    }
    let escaped = |c: char| match c {
        _ if is_hidden(c) => c.escape_default().to_string(),
        _ => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// Characters that are invisible, look like a space, or change how others are shown: controls, marks of
/// direction, joiners, variation selectors and the like (`Default_Ignorable_Code_Point` and
/// `White_Space` of Unicode).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || c.is_whitespace() && c != ' '
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The columns that a terminal gives to a printable text: those of its characters, one by one.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// The time of this machine.
pub fn now() -> Timestamp {
    SystemClock::new().now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_are_counted() {
        assert_eq!(counted(1, "session"), "1 session");
        assert_eq!(counted(12_345, "session"), "12,345 sessions");
    }

    #[test]
    fn times_show_two_units() {
        let text = |millis| duration(Duration::from_millis(millis));
        assert_eq!(text(12), "12ms");
        assert_eq!(text(61_000), "1m 1s");
        assert_eq!(text(3_600_000), "1h");
        assert_eq!(text(90_061_000), "1d 1h");
    }

    #[test]
    fn a_timeout_that_has_come_is_late() {
        let text = |at| timeout(Timestamp::from_millis(at), Timestamp::from_millis(60_000));
        assert_eq!(text(180_000), "2m");
        assert_eq!(text(60_000), "late 0ms");
        assert_eq!(text(1_000), "late 59s");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(printable("grüße 日本 a b"), "grüße 日本 a b");
        for hidden in [
            '\u{202e}',
            '\u{2066}',
            '\u{200b}',
            '\u{ad}',
            '\u{2028}',
            '\u{200d}',
            '\u{fe0f}',
            '\u{a0}',
            '\u{feff}',
            '\u{e0041}',
            '\u{3164}',
            '\u{85}',
        ] {
            let shown = printable(&format!("a{hidden}b"));
            assert_eq!(shown, format!("a{}b", hidden.escape_default()));
            assert!(shown.is_ascii());
        }
    }

    #[test]
    fn a_joined_emoji_has_the_width_of_what_is_printed() {
        let family = printable("👨\u{200d}👩\u{200d}👧");
        assert_eq!(family, "👨\\u{200d}👩\\u{200d}👧");
        assert_eq!(width(&family), 3 * 2 + 2 * 8);
        assert_eq!(width("日本"), 4);
    }
}
