//! The report `docs/benchmarks.md`, written from one run of all suites.

mod chart;
mod goals;
mod machine;

use std::fs;
use std::path::{Path, PathBuf};

use self::chart::{Chart, Series, short};
use crate::args::Suite;
use crate::row::Row;
use crate::system::{Failure, Role};
use crate::table;
use crate::workload::Action;

const INTRODUCTION: &str = "\
# Benchmarks

Written by `cargo run --release --manifest-path published/bench/Cargo.toml -- report`, from one run, on the machine named
here. Run it on your machine: the ratios carry over, the rates do not. Within a case the systems alternate in short slices.
A slice begins with a warm-up of half its time, except where Redis is measured. Each number is the median over the rounds. A
ratio is the median of the ratios of the rounds.
";

const MEANING: &str = "\
- A case is an operation, a payload size and the number of sessions present. `turn` is register_wait, find_wait_by_scope,
  get_session and clear_wait. `claimed_turn` is a claim and a commit that parks again. `create_remove` is a create and a
  remove.
- In the goals, `plain limit` is what a plain clone reaches by the same measure (for a turn: two clones). It also slows down
  with more sessions than the caches hold. For a raw SET with its I/O apart it is a raw SET on the caller's own runtime.
- `I/O apart` is a client with a separate I/O thread, as the store has, which works on any runtime and without one. A single
  caller of the store sends its request from its own thread. The raw client wakes the I/O thread for it.
- Callers are threads, or tasks for async systems. Callers, store and server share the cores.
- p50, p99 and p99.9 come from an open loop at half of the case's rate: operations start by a schedule, and a latency counts
  from the instant at which the operation was scheduled.
- `/limit` is the rate divided by that of the first limit of the case, `/published` by that of greentic-session 1.2.0.
- CPU is the time of all cores that one operation took, in this process and in the server.
- `crowd_…` are the calls of one user with that many waits: `park` with a clear, `claim` with a release. `neighbour_alone` and
  `neighbour` are another user's turns, alone and during the calls. Their percentiles are of the calls that were made.
- `timeout_park` parks the same waits without a timeout and with one. `due_idle` is a poll (`claim_due`) that finds nothing, and a
  `PING` on a plain blocking connection. `due_page` is a poll that takes 16 turns, and 16 single claims. `due_burst` are waits
  whose timeouts come at once, and 8 workers that take and end them; `neighbour_alone` and `neighbour` are another user's claims
  with a release. There, the server's CPU is the time of its scripts. `timeout_bytes` is the memory of the server for a timeout,
  beyond that of its wait.
- `resident` is the growth of the process per waiting session.
";

/// The path of the report, relative to the root of the repository.
const DOCUMENT: &str = "docs/benchmarks.md";
const CHARTS: &str = "docs/benchmarks";

/// Writes the report.
pub fn write(rows: &[Row]) -> Result<PathBuf, Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::create_dir_all(root.join(CHARTS))?;
    let mut text = INTRODUCTION.to_owned();
    let mut add = |part: &str| {
        text.push('\n');
        text.push_str(part);
    };
    add(&(machine::lines().join("\n") + "\n"));
    add("## Goals\n");
    add(goals::HEAD);
    let goals: Vec<_> = goals::of(rows).iter().map(goals::Goal::line).collect();
    add(&(goals.join("\n") + "\n"));
    add("## What the columns mean\n");
    add(MEANING);
    for suite in Suite::ALL {
        let own: Vec<_> = rows
            .iter()
            .filter(|row| row.suite == suite)
            .cloned()
            .collect();
        add(&format!("## {}\n", suite.name()));
        for picture in charts(&root, suite, &own)? {
            add(&picture);
        }
        if let (Suite::Durable, Some(rate)) = (suite, goals::fsyncs_per_s(rows)) {
            add(&format!(
                "The disk confirmed {} writes of 4 KB per second, one after the other.\n",
                table::shown(Some(rate))
            ));
        }
        add(&table::markdown(&own));
    }
    let path = root.join(DOCUMENT);
    fs::write(&path, text)?;
    Ok(path)
}

fn charts(root: &Path, suite: Suite, rows: &[Row]) -> Result<Vec<String>, Failure> {
    let mut pictures = Vec::new();
    for action in [Action::Get, Action::Turn] {
        let of_action = |row: &&Row| row.case.starts_with(&format!("{}/2KB", action.name()));
        let own: Vec<_> = rows.iter().filter(of_action).collect();
        let throughput = Chart {
            title: &format!(
                "{}: {}, operations per second by callers",
                suite.name(),
                action.name()
            ),
            x: "callers",
            y: "operations per second",
            tick: short,
            series: series(&own, |row| Some((row.callers as f64, row.ops_per_s?))),
        };
        pictures.push((
            format!("{}-{}-callers", suite.name(), action.name()),
            throughput.title.to_owned(),
            throughput.draw(&file(root, suite, action, "callers"))?,
        ));
        let latency = Chart {
            title: &format!(
                "{}: {}, latency at half of the peak rate",
                suite.name(),
                action.name()
            ),
            x: "share of the operations",
            y: "microseconds",
            tick: |x| match x {
                x if x < 1.5 => "p50".to_owned(),
                x if x < 2.5 => "p99".to_owned(),
                _ => "p99.9".to_owned(),
            },
            series: percentiles(&own),
        };
        pictures.push((
            format!("{}-{}-latency", suite.name(), action.name()),
            latency.title.to_owned(),
            latency.draw(&file(root, suite, action, "latency"))?,
        ));
        let of_growth = |row: &&Row| {
            suite == Suite::Memory && row.case.starts_with(&format!("{}/0.5KB", action.name()))
        };
        let own: Vec<_> = rows.iter().filter(of_growth).collect();
        let growth = Chart {
            title: &format!(
                "{}: {}, time of one operation by sessions present",
                suite.name(),
                action.name()
            ),
            x: "sessions present",
            y: "nanoseconds",
            tick: short,
            series: series(&own, |row| {
                Some((present(&row.case)?, 1e9 / row.ops_per_s?))
            }),
        };
        pictures.push((
            format!("{}-{}-growth", suite.name(), action.name()),
            growth.title.to_owned(),
            growth.draw(&file(root, suite, action, "growth"))?,
        ));
    }
    let drawn = pictures.into_iter().filter(|(_, _, drawn)| *drawn);
    Ok(drawn
        .map(|(name, title, _)| format!("![{title}](benchmarks/{name}.svg)\n"))
        .collect())
}

fn file(root: &Path, suite: Suite, action: Action, kind: &str) -> PathBuf {
    root.join(CHARTS)
        .join(format!("{}-{}-{kind}.svg", suite.name(), action.name()))
}

/// Returns a line for each system, with a point for each of its rows.
fn series(rows: &[&Row], point: impl Fn(&Row) -> Option<(f64, f64)>) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for row in rows {
        let Some(point) = point(row) else { continue };
        match all.iter_mut().find(|series| series.name == row.system.name) {
            Some(series) => series.points.push(point),
            None => all.push(Series {
                name: row.system.name.to_owned(),
                points: vec![point],
            }),
        }
    }
    all
}

fn percentiles(rows: &[&Row]) -> Vec<Series> {
    let stores = rows.iter().filter(|row| row.system.role != Role::Limit);
    let line = |row: &&Row| {
        let latency = row.latency?;
        let points = vec![(1.0, latency.p50), (2.0, latency.p99), (3.0, latency.p999)];
        Some(Series {
            name: row.system.name.to_owned(),
            points,
        })
    };
    stores.filter_map(line).collect()
}

/// Parses the number of sessions at the end of the name of a case.
fn present(case: &str) -> Option<f64> {
    let last = case.rsplit('/').next()?;
    let (digits, unit) = match last.strip_suffix('k') {
        Some(digits) => (digits, 1e3),
        None => last
            .strip_suffix('M')
            .map_or((last, 1.0), |digits| (digits, 1e6)),
    };
    Some(digits.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::present;

    #[test]
    fn a_case_tells_how_many_sessions_are_there() {
        assert_eq!(
            ["get/2KB/10k", "turn/0.5KB/1M", "get/2KB/7"].map(present),
            [Some(1e4), Some(1e6), Some(7.0)]
        );
    }
}
