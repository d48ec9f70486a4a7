//! The assembly of a script's text from the files that it includes.
//!
//! A line `--- @include "lib/load"` is replaced by the text of that file, once for each script: a
//! file that is in the text already is left out. A word that begins with `$` is replaced by Lua
//! text that is made in Rust:
//!
//! | word | text |
//! |---|---|
//! | `$RECORD_NAMES` | the variables `record_revision`, `record_created`, … |
//! | `$RECORD_PATTERN` | the pattern whose captures they are |
//! | `$RECORD_TEXT` | a record of these variables |
//! | `$RECORD_UNPACKED` | the fields of a table that is made from these variables |
//! | `$RECORD_PACKED` | a record of the table `head` |
//! | `$INDEX_NAMES`, `$INDEX_PATTERN`, `$INDEX_TEXT` | the same for the header of the index: `index_last`, … |
//! | `$INDEX_EMPTY` | the header of an index without waits |
//! | `$START_NAMES`, `$START_PATTERN`, `$START_TEXT`, `$START_UNPACKED`, `$START_PACKED` | the same for a start claim: `start_secret`, … and the table `start` |
//! | `$POINTER_SLACK` | the slack between a deadline and the end of its pointer, in milliseconds |
//! | `$LONGEST_HOLD` | for how long a claim holds off a deadline at most, in milliseconds |
//! | `$LATEST_DEADLINE` | the latest deadline (C12), in milliseconds |
//! | `$MAX_NUMBER` | the largest number that a stored value may have |
//! | `$FENCE_LIFE` | how long a fence stays, in milliseconds |
//! | `$SHORTEST_STAY` | for how long the record of a start claim stays at least, in milliseconds |
//! | `$REPLIES_BYTES` | how many bytes the replies of an owner have at most |
//! | `$SEALED_BYTES` | what sealing adds to a reply |
//! | `$MESSAGE_WINDOW` | for how long message ids are remembered by default, in milliseconds |
//! | `$MAX_ATTEMPT` | the greatest number of an attempt |
//! | `$LONGEST_PAUSE` | the longest pause after a lapsed lease, in milliseconds |
//! | `$MOST_LAPSES` | how many lapsed leases of a wait are counted |
//! | `$MANY_DUE` | how many members of the due index may be due before writes drop ended ones |

use super::index_header::{self, INDEX_HEADER};
use super::known_pointer::POINTER_SLACK;
use super::record::RECORD;
use super::start_record::START;
use crate::clock::whole_millis;
use crate::envelope::OVERHEAD_BYTES;
use crate::options::{DEFAULT_MESSAGE_WINDOW, LATEST_DEADLINE};
use crate::reply::MAX_REPLIES_BYTES;
use crate::rules::{LONGEST_HOLD, LONGEST_PAUSE, SHORTEST_STAY};

macro_rules! files {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("lua/", $path, ".lua")))),+]
    };
}

/// The files that scripts include.
const FILES: &[(&str, &str)] = files![
    "fast/claim",
    "fast/clear",
    "fast/commit",
    "fast/commit_start",
    "fast/due",
    "fast/find",
    "fast/park",
    "fast/read",
    "fast/reserved",
    "fast/start",
    "fast/ttl",
    "fast/wait",
    "lib/clock",
    "lib/deadline",
    "lib/delete_session",
    "lib/due",
    "lib/expires_at",
    "lib/fence",
    "lib/findings",
    "lib/hold",
    "lib/if_readable",
    "lib/index",
    "lib/keys",
    "lib/legacy",
    "lib/list",
    "lib/load",
    "lib/load_within",
    "lib/messages",
    "lib/prelude",
    "lib/record",
    "lib/register",
    "lib/replies",
    "lib/reservation",
    "lib/start",
    "lib/write",
    "lib/write_deadline",
    "pointer/pointer",
];

/// The largest number that a stored value may have: 16 digits, so that it is exact.
const MAX_NUMBER: u64 = 9_999_999_999_999_999;
/// How long a fence stays, in milliseconds. The reservation of a call that it stops has ended by then.
const FENCE_LIFE: u64 = 60_000;

/// How many lapsed leases of a wait are counted: its pause is the longest long before.
const MOST_LAPSES: u64 = 1_000;
/// How many members of the due index may be due before each write that adds one drops some whose
/// session is over.
const MANY_DUE: u64 = 64;

/// What stands before a script that writes.
const CHECK_DEADLINE: &str = "--- @include \"lib/write_deadline\"\n";

/// The whole text of a script. A script that writes checks its deadline first. A test checks that
/// each file that is included exists.
pub fn assemble(script: &str, writes: bool) -> String {
    let (mut text, mut included) = (String::new(), Vec::new());
    if writes {
        append(CHECK_DEADLINE, &mut text, &mut included);
    }
    append(script, &mut text, &mut included);
    let words = [
        ("$RECORD_NAMES", RECORD.names("record")),
        ("$RECORD_PATTERN", RECORD.pattern()),
        ("$RECORD_TEXT", RECORD.text("record")),
        ("$RECORD_UNPACKED", RECORD.unpacked("record")),
        ("$RECORD_PACKED", RECORD.packed("head")),
        ("$INDEX_NAMES", INDEX_HEADER.names("index")),
        ("$INDEX_PATTERN", INDEX_HEADER.pattern()),
        ("$INDEX_TEXT", INDEX_HEADER.text("index")),
        ("$INDEX_EMPTY", format!("'{}'", index_header::EMPTY)),
        ("$POINTER_SLACK", POINTER_SLACK.to_string()),
        ("$LONGEST_HOLD", LONGEST_HOLD.to_string()),
        ("$LATEST_DEADLINE", LATEST_DEADLINE.to_string()),
        ("$MAX_NUMBER", MAX_NUMBER.to_string()),
        ("$FENCE_LIFE", FENCE_LIFE.to_string()),
        ("$SHORTEST_STAY", SHORTEST_STAY.to_string()),
        ("$START_NAMES", START.names("start")),
        ("$START_PATTERN", START.pattern()),
        ("$START_TEXT", START.text("start")),
        ("$START_UNPACKED", START.unpacked("start")),
        ("$START_PACKED", START.packed("start")),
        ("$REPLIES_BYTES", MAX_REPLIES_BYTES.to_string()),
        ("$SEALED_BYTES", OVERHEAD_BYTES.to_string()),
        (
            "$MESSAGE_WINDOW",
            whole_millis(DEFAULT_MESSAGE_WINDOW).to_string(),
        ),
        ("$MAX_ATTEMPT", u32::MAX.to_string()),
        ("$LONGEST_PAUSE", LONGEST_PAUSE.to_string()),
        ("$MOST_LAPSES", MOST_LAPSES.to_string()),
        ("$MANY_DUE", MANY_DUE.to_string()),
    ];
    words
        .iter()
        .fold(text, |text, (word, made)| text.replace(word, made))
}

fn append<'a>(file: &'a str, text: &mut String, included: &mut Vec<&'a str>) {
    for line in file.lines() {
        match included_by(line) {
            None => {
                text.push_str(line);
                text.push('\n');
            }
            Some(path) if included.contains(&path) => {}
            Some(path) => {
                included.push(path);
                let found = FILES.iter().find(|(known, _)| *known == path);
                append(found.map_or("", |(_, file)| file), text, included);
            }
        }
    }
}

/// The file that a line includes.
fn included_by(line: &str) -> Option<&str> {
    let path = line.trim_start().strip_prefix("--- @include \"")?;
    path.strip_suffix('"')
}

/// A script's fast path alone, which answers `DECLINED` where the full path would go on.
#[cfg(test)]
pub fn fast_path(script: &str, writes: bool) -> Option<String> {
    let mut lines = script.lines();
    let mut fast = String::new();
    lines.find(|line| {
        fast.push_str(line);
        fast.push('\n');
        is_fast(line)
    })?;
    Some(assemble(&(fast + "return {'DECLINED'}"), writes))
}

/// A script's full path alone.
#[cfg(test)]
pub fn full_path(script: &str, writes: bool) -> String {
    let full: Vec<_> = script.lines().filter(|line| !is_fast(line)).collect();
    assemble(&full.join("\n"), writes)
}

#[cfg(test)]
fn is_fast(line: &str) -> bool {
    included_by(line).is_some_and(|path| path.starts_with("fast/"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::backend::redis::script::arguments::ALL;

    fn includes(file: &str) -> impl Iterator<Item = &str> {
        file.lines().filter_map(included_by)
    }

    /// A file that scripts include.
    fn file(path: &str) -> &'static str {
        let found = FILES.iter().find(|(known, _)| *known == path);
        found.unwrap_or_else(|| panic!("no file {path}")).1
    }

    fn check_for_cycles<'a>(path: &'a str, outer: &mut Vec<&'a str>) {
        assert!(!outer.contains(&path), "{path} includes itself: {outer:?}");
        outer.push(path);
        for path in includes(file(path)) {
            check_for_cycles(path, outer);
        }
        outer.pop();
    }

    #[test]
    fn every_include_resolves_without_a_cycle() {
        let scripts = ALL.iter().flat_map(|script| includes(script.file));
        let scripts = scripts.chain(includes(CHECK_DEADLINE));
        for path in scripts.chain(FILES.iter().map(|(path, _)| *path)) {
            check_for_cycles(path, &mut Vec::new());
        }
    }

    #[test]
    fn every_file_is_a_script_or_included() {
        let files = ALL.iter().map(|script| script.file);
        let files = files.chain(FILES.iter().map(|(_, file)| *file));
        let files = files.chain([CHECK_DEADLINE]);
        let included: Vec<_> = files.flat_map(includes).collect();
        let scripts: Vec<_> = ALL.iter().map(|script| script.path).collect();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/redis/script/lua");
        let mut count = 0;
        for folder in fs::read_dir(&root).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path().with_extension("");
                let path = path.strip_prefix(&root).unwrap().to_str().unwrap();
                let is_used = included.contains(&path) != scripts.contains(&path);
                assert!(is_used, "{path} is a script, or included by one");
                count += 1;
            }
        }
        assert_eq!(count, ALL.len() + FILES.len());
    }

    #[test]
    fn a_file_is_in_a_script_once() {
        for script in ALL {
            let (name, text) = (script.path, assemble(script.file, script.writes));
            assert!(!text.contains("@include"), "{name}");
            for (path, file) in FILES {
                let first = file.lines().next().unwrap();
                assert!(
                    text.matches(first).count() < 2,
                    "{name} includes {path} twice"
                );
            }
        }
    }

    #[test]
    fn every_word_is_replaced() {
        for script in ALL {
            let (name, text) = (script.path, assemble(script.file, script.writes));
            let mut rest = text.split('$').skip(1);
            let is_word = |rest: &str| rest.starts_with(|letter: char| letter.is_ascii_uppercase());
            assert!(!rest.any(is_word), "{name}");
        }
    }

    #[test]
    fn an_empty_header_has_all_fields() {
        let fields = index_header::EMPTY.split(' ').count();
        assert_eq!(fields, INDEX_HEADER.fields.len());
    }
}
