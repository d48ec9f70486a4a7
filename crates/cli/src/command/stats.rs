//! `stats`: counts sessions by env, tenant, flow, state, age, time to expiry and time to timeout.

use std::cmp::Reverse;

use greentic_session::admin::{Counts, Histogram, ScanFilter, Stats};
use indicatif::{BinaryBytes, HumanCount};

use crate::args;
use crate::error::Outcome;
use crate::output::{Cell, Column, Output, Progress, StatsView, Table, style, words};
use crate::selection;
use crate::store::Store;
use crate::walk;

/// The longest bar of a histogram, in characters.
const BAR: u64 = 24;
/// The number of groups of each kind that are shown without `--all`.
pub const SHOWN: usize = 20;

pub fn run(out: &mut Output, store: &Store, args: &args::Stats) -> Outcome {
    let filter = selection::filter(&args.filter)?;
    let stats = count(store, &filter)?;
    let shown = if args.all { usize::MAX } else { SHOWN };
    print(out, store, &stats, shown)
}

/// Counts sessions, and shows the progress.
pub fn count(store: &Store, filter: &ScanFilter) -> Outcome<Stats> {
    let mut stats = Stats::new();
    let mut progress = Progress::walking("counting");
    walk::scan(store, filter, |page| {
        for info in &page.sessions {
            stats.add(info, page.now);
        }
        stats.unreadable += page.unreadable.len() as u64;
        progress.walk(page.progress, page.sessions.len() as u64);
        Ok(())
    })?;
    Ok(stats)
}

pub fn print(out: &mut Output, store: &Store, stats: &Stats, shown: usize) -> Outcome {
    if out.is_json() {
        return out.json(&StatsView::new(stats));
    }
    let total = words::counted(stats.total.sessions(), "session");
    let (bold, size) = (style::HEADER, BinaryBytes(stats.total.bytes));
    out.line(format_args!(
        "{bold}{total}{bold:#}, {size} of data, in {}",
        store.name
    ))?;
    if stats.unreadable > 0 {
        let (bad, number) = (style::BAD, words::counted(stats.unreadable, "session"));
        out.line(format_args!(
            "{bad}{number} cannot be read; see doctor{bad:#}"
        ))?;
    }
    if let Some(longest) = stats.longest_due {
        let (warning, number) = (style::WARNING, words::counted(stats.due, "timeout"));
        let longest = words::duration(longest);
        out.line(format_args!(
            "{warning}{number} due, the first for {longest}{warning:#}"
        ))?;
    }
    if stats.total.sessions() == 0 {
        return Ok(());
    }
    let tenants = stats.by_tenant.iter();
    let tenants = tenants.map(|((env, tenant), counts)| (format!("{env}/{tenant}"), counts));
    let envs = stats
        .by_env
        .iter()
        .map(|(env, counts)| (env.clone(), counts));
    let flows = stats
        .by_flow
        .iter()
        .map(|(flow, counts)| (flow.clone(), counts));
    groups(out, "ENV", envs.collect(), shown)?;
    groups(out, "TENANT", tenants.collect(), shown)?;
    groups(out, "FLOW", flows.collect(), shown)?;
    histogram(out, "AGE", &stats.ages, "unknown")?;
    histogram(out, "EXPIRES IN", &stats.expiries, "never")?;
    histogram(out, "TIMEOUT IN", &stats.timeouts, "none")
}

/// Prints the largest groups first, and a line about the omitted ones.
fn groups(
    out: &mut Output,
    title: &'static str,
    mut groups: Vec<(String, &Counts)>,
    shown: usize,
) -> Outcome {
    groups.sort_by_key(|(_, counts)| Reverse(counts.sessions()));
    out.line(format_args!(""))?;
    let mut table = Table::new([
        Column::text(title),
        Column::number("SESSIONS"),
        Column::number("WAITING"),
        Column::number("CLAIMED"),
        Column::number("IDLE"),
        Column::number("SIZE"),
    ]);
    let rest = groups.split_off(groups.len().min(shown));
    for (name, counts) in groups {
        let number = |number, style| match number {
            0 => Cell::styled("0", style::FAINT),
            _ => Cell::styled(HumanCount(number).to_string(), style),
        };
        let row = vec![
            name.into(),
            HumanCount(counts.sessions()).to_string().into(),
            number(counts.waiting, style::GOOD),
            number(counts.claimed, style::BUSY),
            number(counts.idle, style::PLAIN),
            BinaryBytes(counts.bytes).to_string().into(),
        ];
        table.row(out, row)?;
    }
    table.finish(out)?;
    if rest.is_empty() {
        return Ok(());
    }
    let sessions = rest.iter().map(|(_, counts)| counts.sessions()).sum();
    let (more, sessions) = (
        HumanCount(rest.len() as u64),
        words::counted(sessions, "session"),
    );
    out.line(format_args!(
        "and {more} more with {sessions}; --all shows them"
    ))
}

fn histogram(
    out: &mut Output,
    title: &'static str,
    histogram: &Histogram,
    without: &str,
) -> Outcome {
    out.line(format_args!(""))?;
    let mut table = Table::new([
        Column::text(title),
        Column::number("SESSIONS"),
        Column::text(""),
    ]);
    let most = histogram.bins.iter().chain([&histogram.none]).max();
    let most = most.copied().unwrap_or(0).max(1);
    let bounds = Histogram::BOUNDS.map(words::duration);
    let names = bounds.iter().map(|bound| format!("below {bound}"));
    let names = names.chain(bounds.last().map(|bound| format!("{bound} or more")));
    let bins = names.zip(histogram.bins);
    for (name, number) in bins.chain([(without.to_owned(), histogram.none)]) {
        let length = (number * BAR).div_ceil(most);
        let bar = "#".repeat(usize::try_from(length).unwrap_or_default());
        let row = vec![
            name.into(),
            HumanCount(number).to_string().into(),
            Cell::styled(bar, style::BUSY),
        ];
        table.row(out, row)?;
    }
    table.finish(out)
}
