//! `list`: sessions, as they come from the store.

use greentic_session::admin::{MAX_PAGE, ScanCursor};
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::interrupt;
use crate::output::{Output, Progress, SessionTable, SessionView, hint, words};
use crate::selection;
use crate::store::Store;
use crate::walk;

/// The last line for programs: a list without it was cut.
#[derive(Serialize)]
struct End {
    kind: &'static str,
    sessions: u64,
    unreadable: u64,
    /// Where a list with --limit goes on; none if this was all.
    next: Option<String>,
}

pub fn run(out: &mut Output, store: &Store, args: &args::List) -> Outcome {
    let filter = selection::filter(&args.filter)?;
    let mut after = selection::cursor(args.after.as_deref())?;
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

/// A page is never cut: on Redis it may hold a few more than were asked for.
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
