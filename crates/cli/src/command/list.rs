//! `list`: lists sessions in the order of the store, or sorted.

use greentic_session::admin::{MAX_PAGE, ScanCursor, ScanFilter, SessionInfo};
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::interrupt;
use crate::output::{Output, Progress, SessionTable, SessionView, hint, words};
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;
use crate::walk;

/// The last line of JSON. A list without it is incomplete.
#[derive(Serialize)]
struct End {
    kind: &'static str,
    sessions: u64,
    unreadable: u64,
    /// The cursor at which a list with --limit continues; `None` at the end.
    next: Option<String>,
}

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::List) -> Outcome {
    let filter = selection::filter(&args.filter)?;
    let mut after = selection::cursor(args.after.as_deref())?;
    if args.reveal {
        trail.record(Act::Reveal, &store.name, |entry| entry.sessions(&filter))?;
    }
    if let Some(order) = args.sort {
        return sorted(out, store, &filter, order, args);
    }
    let mut table = SessionTable::new(args.reveal);
    let mut progress = Progress::unless(out.is_terminal(), "listing");
    let (mut shown, mut unreadable) = (0, 0);
    let next = loop {
        interrupt::check(|| format!("{} shown", words::counted(shown, "session")))?;
        let limit = args.limit.map_or(MAX_PAGE, |limit| remaining(limit, shown));
        let page = store.blocking.scan(&filter, after.as_ref(), limit)?;
        for info in &page.sessions {
            match out.is_json() {
                true => out.json(&SessionView::new(info, args.reveal))?,
                false => table.row(out, info, page.now)?,
            }
        }
        walk::unreadable(out, &page)?;
        shown += page.sessions.len() as u64;
        unreadable += page.unreadable.len() as u64;
        if let Some(progress) = &mut progress {
            progress.walk(page.progress, page.sessions.len() as u64);
        }
        after = page.next;
        let is_enough = args.limit.is_some_and(|limit| shown >= limit);
        if after.is_none() || is_enough {
            break after;
        }
    };
    table.finish(out)?;
    drop(progress);
    end(out, shown, unreadable, next.as_ref())
}

/// Lists the sessions in an order, or the first of them. With a limit no more than that many are kept
/// in memory.
fn sorted(
    out: &mut Output,
    store: &Store,
    filter: &ScanFilter,
    order: args::Sort,
    args: &args::List,
) -> Outcome {
    let limit = args.limit.and_then(|limit| usize::try_from(limit).ok());
    let mut first = First::new(order, limit.unwrap_or(usize::MAX));
    let (mut unreadable, mut now) = (0, Timestamp::from_millis(0));
    let mut progress = Progress::walking("listing");
    walk::scan(store, filter, |page| {
        for info in &page.sessions {
            first.add(info);
        }
        unreadable += page.unreadable.len() as u64;
        now = page.now;
        progress.walk(page.progress, page.sessions.len() as u64);
        walk::unreadable(out, page)
    })?;
    drop(progress);
    let sessions = first.into_sorted();
    let mut table = SessionTable::new(args.reveal);
    for info in &sessions {
        match out.is_json() {
            true => out.json(&SessionView::new(info, args.reveal))?,
            false => table.row(out, info, now)?,
        }
    }
    table.finish(out)?;
    end(out, sessions.len() as u64, unreadable, None)
}

/// The first sessions of an order.
struct First {
    order: args::Sort,
    limit: usize,
    sessions: Vec<SessionInfo>,
}

impl First {
    const fn new(order: args::Sort, limit: usize) -> Self {
        Self {
            order,
            limit,
            sessions: Vec::new(),
        }
    }

    fn add(&mut self, info: &SessionInfo) {
        self.sessions.push(info.clone());
        // Sorting now and then costs each session little, and bounds the memory.
        if self.sessions.len() >= self.limit.saturating_mul(2).max(MAX_PAGE) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let order = self.order;
        self.sessions.sort_by_cached_key(|info| place(info, order));
        // A server that resizes its tables can return a session twice (C21).
        self.sessions.dedup_by(|one, other| one.key == other.key);
        self.sessions.truncate(self.limit);
    }

    fn into_sorted(mut self) -> Vec<SessionInfo> {
        self.cut();
        self.sessions
    }
}

/// The place of a session in an order: of an unknown age, or without a deadline, at the end.
fn place(info: &SessionInfo, order: args::Sort) -> (u64, String) {
    let instant = match order {
        args::Sort::Age => info.since(),
        args::Sort::Expires => info.deadline,
    };
    let millis = instant.map_or(u64::MAX, Timestamp::as_millis);
    (millis, info.key.as_str().to_owned())
}

/// The limit of the next page. A page is not cut; on Redis it can exceed its limit by a few.
fn remaining(limit: u64, shown: u64) -> usize {
    usize::try_from(limit.saturating_sub(shown)).unwrap_or(MAX_PAGE)
}

fn end(out: &mut Output, sessions: u64, unreadable: u64, next: Option<&ScanCursor>) -> Outcome {
    if out.is_json() {
        return out.json(&End {
            kind: "end",
            sessions,
            unreadable,
            next: next.map(ToString::to_string),
        });
    }
    out.flush()?;
    let sessions = words::counted(sessions, "session");
    match next {
        Some(next) => hint(format_args!("{sessions}; for more: --after {next}")),
        None => hint(format_args!("{sessions}")),
    }
    Ok(())
}
