//! The output on a terminal, and without one.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use crate::fixture::Fixture;

const ESCAPE: char = '\u{1b}';

/// Runs the program on a pseudo-terminal of this width, and returns its output.
fn on_terminal(store: &Fixture, width: usize, variables: &str, arguments: &str) -> String {
    let program = env!("CARGO_BIN_EXE_greentic-session");
    let line = format!("stty cols {width} rows 40; {variables} '{program}' {arguments}");
    let output = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("GREENTIC_SESSION_STORE", &store.url)
        .env("XDG_DATA_HOME", store.path("data"))
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The text without its colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split(ESCAPE);
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = part
            .find(|c: char| c.is_ascii_alphabetic())
            .map_or(part.len(), |end| end + 1);
        plain.push_str(&part[end..]);
    }
    plain
}

#[test]
fn tables_fit_the_terminal() {
    let store = Fixture::durable();
    store.populate();
    for width in [60, 80, 120] {
        let shown = plain(&on_terminal(&store, width, "", "list"));
        let rows: Vec<&str> = shown.lines().filter(|line| line.contains("-1  ")).collect();
        assert_eq!(rows.len(), 4, "{shown}");
        assert!(
            rows.iter()
                .all(|row| row.trim_end().chars().count() <= width),
            "{width}: {shown}"
        );
    }
    let narrow = plain(&on_terminal(&store, 60, "", "list"));
    assert!(
        narrow.contains("claimed-1") && !narrow.contains("SIZE"),
        "{narrow}"
    );
    store.run(&["demo", "--fill", "20"]).ends_with(0);
    let cut = plain(&on_terminal(&store, 74, "", "list"));
    assert!(cut.contains('…'), "{cut}");
    let whole = store.run(&["list"]).out;
    assert!(whole.contains("SIZE") && !whole.contains('…'), "{whole}");
}

#[test]
fn colours_are_for_terminals_only() {
    let store = Fixture::durable();
    store.populate();
    assert!(on_terminal(&store, 100, "", "list").contains("\u{1b}[32mwaiting"));
    assert!(!on_terminal(&store, 100, "NO_COLOR=1", "list").contains(ESCAPE));
    assert!(!on_terminal(&store, 100, "", "list --json").contains(ESCAPE));
    for arguments in [
        &["list"][..],
        &["stats"],
        &["show", "idle-1"],
        &["doctor"],
        &["nonsense"],
    ] {
        let run = store.run(arguments);
        assert!(
            !run.out.contains(ESCAPE) && !run.err.contains(ESCAPE),
            "{arguments:?}"
        );
    }
}

#[test]
fn progress_has_a_bar_a_rate_and_the_remaining_time() {
    let (store, target) = (Fixture::durable(), Fixture::durable());
    store.run(&["demo", "--fill", "3000"]).ends_with(0);
    let arguments = format!("migrate --from {} --to {}", store.url, target.url);
    let shown = plain(&on_terminal(&store, 100, "", &arguments));
    let has_bar = |shown: &str, label: &str| {
        let bar = shown.split('\r').find(|line| line.contains(label));
        let bar = bar.unwrap_or_else(|| panic!("no bar: {shown}"));
        assert!(
            bar.contains("%, ") && bar.contains("/s") && bar.contains("left"),
            "{bar}"
        );
    };
    has_bar(&shown, "migrating [");
    assert!(shown.contains("verified"), "{shown}");
    for (arguments, label) in [
        ("stats", "counting ["),
        ("list --json >/dev/null", "listing ["),
        ("doctor", "checking ["),
        ("erase --env demo --tenant tenant-00", "counting ["),
        ("export >/dev/null", "exporting ["),
    ] {
        has_bar(&plain(&on_terminal(&store, 100, "", arguments)), label);
    }
    // Without a terminal there is no bar, and stdout has the data only.
    let run = store.run(&["stats", "--json"]).ends_with(0);
    assert!(run.err.is_empty(), "{}", run.err);
}

#[test]
fn watch_refreshes_in_place() {
    let store = Fixture::durable();
    store.populate();
    let shown = on_terminal(&store, 100, "", "watch --count 2 --interval 1ms");
    assert_eq!(shown.matches("\u{1b}[H\u{1b}[2J").count(), 2, "{shown:?}");
    let shown = store
        .run(&["watch", "--count", "2", "--interval", "1ms"])
        .ends_with(0)
        .out;
    assert!(
        !shown.contains(ESCAPE) && shown.matches("5 sessions").count() == 2,
        "{shown}"
    );
}
