//! `list`: lists sessions in the order of the store.

use greentic_session::admin::{MAX_PAGE, ScanCursor};
use greentic_session::audit::Act;
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
