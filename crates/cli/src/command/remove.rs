//! `remove`: removes sessions with their waits.

use greentic_session::admin::{SessionInfo, StateKind};
use greentic_session::audit::Act;
use greentic_session::{ErrorCode, RemoveOptions};
use serde::Serialize;

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, SessionTable, SessionView, hint, words};
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;
use crate::walk;

/// The outcome for one key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum RemoveOutcome {
    WouldRemove,
    Removed,
    Claimed,
    NotFound,
}

#[derive(Serialize)]
struct Removal<'a> {
    kind: &'static str,
    key: &'a str,
    outcome: RemoveOutcome,
    session: Option<SessionView<'a>>,
}

#[derive(Default, Serialize)]
struct Summary {
    kind: &'static str,
    dry_run: bool,
    removed: u64,
    would_remove: u64,
    claimed: u64,
    not_found: u64,
}

impl Summary {
    const fn count(&mut self, outcome: RemoveOutcome) {
        match outcome {
            RemoveOutcome::WouldRemove => self.would_remove += 1,
            RemoveOutcome::Removed => self.removed += 1,
            RemoveOutcome::Claimed => self.claimed += 1,
            RemoveOutcome::NotFound => self.not_found += 1,
        }
    }
}

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::Remove) -> Outcome {
    let mut table = SessionTable::new(false);
    let mut summary = Summary {
        kind: "end",
        dry_run: !args.yes,
        ..Summary::default()
    };
    let owner = selection::sessions_of(&args.owner)?;
    for key in args.keys.iter().map(|key| selection::key(key)) {
        interrupt::check(|| format!("{} removed", words::counted(summary.removed, "session")))?;
        let found = walk::find(store, &owner, &key)?;
        let info = found.as_ref().map(|(info, _)| info);
        let outcome = match info {
            None => RemoveOutcome::NotFound,
            Some(info) if !args.yes => expected(info),
            Some(info) => remove(store, trail, info)?,
        };
        summary.count(outcome);
        if out.is_json() {
            out.json(&Removal {
                kind: "removal",
                key: key.as_str(),
                outcome,
                session: info.map(|info| SessionView::new(info, false)),
            })?;
        } else if let Some((info, now)) = &found {
            table.row(out, info, *now)?;
        }
    }
    table.finish(out)?;
    if out.is_json() {
        out.json(&summary)?;
    } else {
        out.flush()?;
        print_summary(&summary);
    }
    judge(&summary)
}

fn expected(info: &SessionInfo) -> RemoveOutcome {
    match info.state.kind() {
        StateKind::Claimed => RemoveOutcome::Claimed,
        StateKind::Waiting | StateKind::Idle => RemoveOutcome::WouldRemove,
    }
}

/// Removes the session that was found, and none that another owner has stored under its key since.
fn remove(store: &Store, trail: &Trail, info: &SessionInfo) -> Outcome<RemoveOutcome> {
    trail.record(Act::Remove, &store.name, |entry| {
        entry.session(&info.key, &info.owner)
    })?;
    let (ctx, options) = (selection::context(&info.owner), RemoveOptions::new());
    match store.blocking.remove_fenced(&ctx, &info.key, options) {
        Ok(()) => Ok(RemoveOutcome::Removed),
        Err(error) if error.code == ErrorCode::NotFound => Ok(RemoveOutcome::NotFound),
        Err(error) if error.code == ErrorCode::Conflict => Ok(RemoveOutcome::Claimed),
        Err(error) => Err(error.into()),
    }
}

fn print_summary(summary: &Summary) {
    match summary.dry_run {
        true => hint(format_args!(
            "dry run: {} would be removed; --yes removes them",
            words::counted(summary.would_remove, "session")
        )),
        false => hint(format_args!(
            "{} removed",
            words::counted(summary.removed, "session")
        )),
    }
}

fn judge(summary: &Summary) -> Outcome {
    if summary.not_found > 0 {
        let unknown = words::counted(summary.not_found, "key");
        return Err(Failure::new(
            Exit::NotFound,
            format!("{unknown}: no such session"),
        ));
    }
    if summary.claimed > 0 {
        let held = words::counted(summary.claimed, "session");
        let message = format!("{held}: held by a worker; wait for it, or release the claim");
        return Err(Failure::new(Exit::Conflict, message));
    }
    Ok(())
}
