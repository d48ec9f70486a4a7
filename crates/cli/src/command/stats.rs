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
const SHOWN: usize = 20;

/// How much is shown.
#[derive(Clone, Copy)]
pub struct Layout {
    /// The most groups of each kind.
    groups: usize,
    /// The counts by env, and the histograms, are shown too.
    is_whole: bool,
}

impl Layout {
    pub const USUAL: Self = Self {
        groups: SHOWN,
        is_whole: true,
    };
    const ALL: Self = Self {
        groups: usize::MAX,
        is_whole: true,
    };

    /// What fits into so many rows.
    pub fn within(rows: usize) -> Self {
        /// The total, a line about the sessions that cannot be read, one about the timeouts that are due,
        /// and the line below the output.
        const LINES: usize = 4;
        /// An empty line, the titles, and the line about the omitted groups.
        const AROUND: usize = 3;
        /// An empty line, the titles, the bins, and the two beyond the bounds.
        const HISTOGRAM: usize = Histogram::BOUNDS.len() + 4;
        let rows = rows.saturating_sub(LINES);
        let whole = (rows.saturating_sub(3 * HISTOGRAM) / 3).saturating_sub(AROUND);
        if whole >= AROUND {
            return Self {
                groups: whole.min(SHOWN),
                is_whole: true,
            };
        }
        Self {
            groups: (rows / 2).saturating_sub(AROUND).clamp(1, SHOWN),
            is_whole: false,
        }
    }
}

pub fn run(out: &mut Output, store: &Store, args: &args::Stats) -> Outcome {
    let filter = selection::filter(&args.filter)?;
    let stats = count(store, &filter)?;
    let layout = if args.all { Layout::ALL } else { Layout::USUAL };
    print(out, store, &stats, layout, None)
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

/// The first line.
pub fn title(store: &Store, stats: &Stats, age: Option<&str>) -> String {
    let total = words::counted(stats.total.sessions(), "session");
    let (size, name) = (BinaryBytes(stats.total.bytes), &store.name);
    let age = age.map(|age| format!(", {age}")).unwrap_or_default();
    format!("{total}, {size} of data, in {name}{age}")
}

/// Prints the counts. `age` says how old they are.
pub fn print(
    out: &mut Output,
    store: &Store,
    stats: &Stats,
    layout: Layout,
    age: Option<&str>,
) -> Outcome {
    if out.is_json() {
        return out.json(&StatsView::new(stats));
    }
    let (bold, title) = (style::HEADER, title(store, stats, age));
    let (total, rest) = title.split_once(", ").unwrap_or((&title, ""));
    out.line(format_args!("{bold}{total}{bold:#}, {rest}"))?;
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
    if layout.is_whole {
        groups(out, "ENV", envs.collect(), layout.groups)?;
    }
    groups(out, "TENANT", tenants.collect(), layout.groups)?;
    groups(out, "FLOW", flows.collect(), layout.groups)?;
    if !layout.is_whole {
        return Ok(());
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_fits_the_rows() {
        for rows in [24, 30, 40, 50, 60, 200] {
            let layout = Layout::within(rows);
            let kinds = if layout.is_whole { 3 } else { 2 };
            let histograms = if layout.is_whole {
                3 * (Histogram::BOUNDS.len() + 4)
            } else {
                0
            };
            let used = 4 + kinds * (layout.groups + 3) + histograms;
            assert!(used <= rows, "{rows}: {used}");
            assert!(layout.groups >= 3, "{rows}");
        }
        assert_eq!(Layout::within(24).groups, 7);
        assert_eq!(Layout::within(200).groups, SHOWN);
        assert_eq!(Layout::within(1).groups, 1);
    }
}
