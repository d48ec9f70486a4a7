//! The output on a terminal, and without one.
#![cfg(target_os = "linux")]

use std::process::{Command, Stdio};

use greentic_session::ParkOptions;
use greentic_types::UserId;

use crate::fixture::{Fixture, ctx, data};
use crate::samples::{key, scope};

const ESCAPE: char = '\u{1b}';

/// Runs the program on a pseudo-terminal of this width, and returns its output.
fn on_terminal(store: &Fixture, width: usize, variables: &str, arguments: &str) -> String {
    on_screen(store, (width, 40), variables, arguments)
}

/// Runs the program on a pseudo-terminal of so many columns and rows.
fn on_screen(store: &Fixture, size: (usize, usize), variables: &str, arguments: &str) -> String {
    let program = env!("CARGO_BIN_EXE_greentic-session");
    let (columns, rows) = size;
    let line = format!("stty cols {columns} rows {rows}; {variables} '{program}' {arguments}");
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
    for width in [20, 40, 60, 80, 120, 200] {
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
    // The longest names of all: every table is cut to what fits.
    for width in [20, 40, 80] {
        for arguments in [
            "list",
            "stats --all",
            "release --tenant acme",
            "list --sort age",
        ] {
            let shown = plain(&on_terminal(&store, width, "", arguments));
            let table = shown.split(['\r', '\n']).map(str::trim_end);
            // The first line of `stats` and the hints are text, and no tables.
            let table = table.filter(|line| line.contains("  ") && !line.contains("dry run"));
            for line in table.filter(|line| !line.contains("sessions")) {
                assert!(
                    line.chars().count() <= width,
                    "{arguments} at {width}: {line}"
                );
            }
        }
    }
}

#[test]
fn a_joined_emoji_does_not_shift_the_columns() {
    let store = Fixture::durable();
    store.store(|store| {
        for name in ["family 👨\u{200d}👩\u{200d}👧 1", "日本 1", "plain 1"] {
            let (ctx, user) = (ctx("acme", "ann"), UserId::try_from("ann").unwrap());
            let (data, options) = (data(&ctx, "support"), ParkOptions::new());
            let _ = store
                .park(&ctx, &user, &scope(name), &key(name), data, options)
                .unwrap();
        }
    });
    let shown = plain(&on_terminal(&store, 120, "", "list"));
    let wide = |c: char| {
        if matches!(c, '日' | '本' | '👨' | '👩' | '👧') {
            2
        } else {
            1
        }
    };
    let columns: Vec<usize> = shown
        .lines()
        .filter_map(|line| line.split_once("waiting").map(|(before, _)| before))
        .map(|before| before.chars().map(wide).sum())
        .collect();
    assert_eq!(columns.len(), 3, "{shown}");
    assert!(
        columns.iter().all(|column| *column == columns[0]),
        "{shown}"
    );
}

#[test]
fn progress_fits_narrow_terminals() {
    let store = Fixture::durable();
    store.run(&["demo", "--fill", "3000"]).ends_with(0);
    for width in [20, 40, 60, 80, 200] {
        for arguments in [
            "list --json >/dev/null",
            "erase --env demo --tenant tenant-00",
            "export >/dev/null",
            "release --env demo --yes",
            "due >/dev/null",
        ] {
            let shown = plain(&on_terminal(&store, width, "", arguments));
            let bars = shown.split(['\r', '\n']).filter(|line| line.contains('%'));
            let bars: Vec<&str> = bars.collect();
            assert!(!bars.is_empty(), "{width}: {shown:?}");
            for bar in bars {
                assert!(
                    bar.chars().count() <= width,
                    "{arguments} at {width}: {bar:?}"
                );
            }
        }
    }
}

#[test]
fn watch_fits_the_screen_and_says_how_old_its_figures_are() {
    let store = Fixture::durable();
    store
        .run(&["demo", "--fill", "300", "--tenants", "30"])
        .ends_with(0);
    for rows in [24, 40, 60] {
        let watch = "watch --count 1";
        let shown = plain(&on_screen(&store, (100, rows), "", watch));
        let screen: Vec<&str> = shown
            .lines()
            .skip_while(|line| !line.contains("of data"))
            .collect();
        assert!(
            screen.len() < rows,
            "{rows}: {} lines: {shown}",
            screen.len()
        );
        assert!(screen[0].contains("0ms old, counted in "), "{shown}");
        assert!(
            shown.contains("tenant-00") && shown.contains("more with"),
            "{shown}"
        );
    }
    // A title that is longer than the screen takes rows from the groups.
    for columns in [20, 40, 80] {
        let shown = plain(&on_screen(&store, (columns, 24), "", "watch --count 1"));
        let screen = shown.lines().skip_while(|line| !line.contains("of data"));
        let rows = screen.map(|line| line.trim_end().chars().count().div_ceil(columns).max(1));
        assert!(rows.sum::<usize>() < 24, "{columns}: {shown}");
    }
    // The figures of one walk get older, until the next.
    let shown = on_screen(&store, (100, 24), "", "watch --count 2 --interval 2500ms");
    assert_eq!(shown.matches("\u{1b}[H\u{1b}[2J").count(), 4, "{shown:?}");
    assert!(
        shown.contains("1s old") && shown.contains("2s old"),
        "{shown:?}"
    );
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
