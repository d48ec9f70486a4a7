//! `due`: lists the waits with a timeout, the earliest first.

use std::collections::BTreeMap;
use std::time::Duration;

use greentic_session::WaitTimeout;
use greentic_session::admin::{SessionInfo, SessionState};
use greentic_session::clock::Timestamp;
use indicatif::HumanCount;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::output::{
    Cell, Column, Output, Progress, SessionView, Table, hint, state, style, words,
};
use crate::selection;
use crate::store::Store;
use crate::walk;

/// The last line of JSON. A list without it is incomplete.
#[derive(Serialize)]
struct End {
    kind: &'static str,
    /// The waits in the list.
    sessions: u64,
    /// All waits that match, in the list or not.
    timeouts: u64,
    /// Those of them that are due.
    due: u64,
    unreadable: u64,
}

/// The earliest timeouts of a walk, and the counts of all.
struct Earliest {
    limit: usize,
    within: Option<Duration>,
    /// By instant; a key that a walk returns twice is counted once, as far as it is kept.
    kept: BTreeMap<(Timestamp, String), SessionInfo>,
    now: Option<Timestamp>,
    timeouts: u64,
    due: u64,
    unreadable: u64,
}

impl Earliest {
    fn add(&mut self, info: &SessionInfo, now: Timestamp) {
        let Some(timeout) = info.timeout else {
            return;
        };
        let left = timeout.at.since(now);
        if self.within.is_some_and(|within| left > within) {
            return;
        }
        let place = (timeout.at, info.key.as_str().to_owned());
        if self.kept.insert(place, info.clone()).is_some() {
            return;
        }
        self.timeouts += 1;
        self.due += u64::from(info.due_for(now).is_some());
        if self.kept.len() > self.limit {
            self.kept.pop_last();
        }
    }
}

pub fn run(out: &mut Output, store: &Store, args: &args::Due) -> Outcome {
    let filter = selection::filter(&args.filter)?;
    let mut earliest = Earliest {
        limit: args.limit,
        within: selection::time("--within", args.within.as_deref())?,
        kept: BTreeMap::new(),
        now: None,
        timeouts: 0,
        due: 0,
        unreadable: 0,
    };
    let mut progress = Progress::walking("looking for timeouts");
    walk::scan(store, &filter, |page| {
        for info in &page.sessions {
            earliest.add(info, page.now);
        }
        walk::unreadable(out, page)?;
        earliest.now = earliest.now.max(Some(page.now));
        earliest.unreadable += page.unreadable.len() as u64;
        progress.walk(page.progress, page.sessions.len() as u64);
        Ok(())
    })?;
    drop(progress);
    print(out, &earliest)
}

fn print(out: &mut Output, earliest: &Earliest) -> Outcome {
    let sessions = earliest.kept.len() as u64;
    if out.is_json() {
        for info in earliest.kept.values() {
            out.json(&SessionView::new(info, false))?;
        }
        return out.json(&End {
            kind: "end",
            sessions,
            timeouts: earliest.timeouts,
            due: earliest.due,
            unreadable: earliest.unreadable,
        });
    }
    let now = earliest.now.unwrap_or_else(words::now);
    let mut table = Table::new([
        Column::text("KEY").kept(),
        Column::text("ENV").spare(2),
        Column::text("TENANT"),
        Column::text("FLOW"),
        Column::text("NODE").spare(3),
        Column::text("STATE").kept(),
        Column::number("CLAIMS").spare(1),
        Column::text("KIND").kept(),
        Column::number("TIMEOUT"),
    ]);
    for info in earliest.kept.values() {
        if let Some(timeout) = info.timeout {
            table.row(out, row(info, timeout, now))?;
        }
    }
    table.finish(out)?;
    out.flush()?;
    let timeouts = words::counted(earliest.timeouts, "timeout");
    let due = HumanCount(earliest.due);
    match earliest.timeouts.saturating_sub(sessions) {
        0 => hint(format_args!("{timeouts}, {due} of them due")),
        rest => hint(format_args!(
            "{timeouts}, {due} of them due; --limit shows the other {}",
            HumanCount(rest)
        )),
    }
    Ok(())
}

fn row(info: &SessionInfo, timeout: WaitTimeout, now: Timestamp) -> Vec<Cell> {
    let claims = match info.state {
        SessionState::Waiting { attempt, .. } | SessionState::Claimed { attempt, .. } => attempt,
        _ => 0,
    };
    let style = match info.due_for(now) {
        Some(_) => style::WARNING,
        None => style::PLAIN,
    };
    vec![
        info.key.as_str().into(),
        info.owner.env.as_str().into(),
        info.owner.tenant.as_str().into(),
        info.flow.as_str().into(),
        info.node.as_str().into(),
        state(info.state.kind()),
        claims.to_string().into(),
        timeout.kind.to_string().into(),
        Cell::styled(words::timeout(timeout.at, now), style),
    ]
}
