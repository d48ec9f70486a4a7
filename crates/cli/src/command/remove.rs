//! `remove`: sessions go, with their waits.

use greentic_session::admin::{SessionInfo, StateKind};
use greentic_session::{ErrorCode, RemoveOptions, SessionKey};
use serde::Serialize;

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, SessionTable, SessionView, hint, words};
use crate::selection;
use crate::store::Store;
use crate::walk;

/// What became of one key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    WouldRemove,
    Removed,
    Claimed,
    NotFound,
}

#[derive(Serialize)]
struct Removal<'a> {
    kind: &'static str,
    key: &'a str,
    outcome: Fate,
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
    const fn count(&mut self, fate: Fate) {
        match fate {
            Fate::WouldRemove => self.would_remove += 1,
            Fate::Removed => self.removed += 1,
            Fate::Claimed => self.claimed += 1,
            Fate::NotFound => self.not_found += 1,
        }
    }
}

pub fn run(out: &mut Output, store: &Store, args: &args::Remove) -> Outcome {
    let mut table = SessionTable::new(false);
    let mut summary = Summary {
        kind: "end",
        dry_run: !args.yes,
        ..Summary::default()
    };
    for key in args.keys.iter().map(|key| selection::key(key)) {
        interrupt::check(|| format!("{} removed", words::counted(summary.removed, "session")))?;
        let found = walk::find(store, &key)?;
        let info = found.as_ref().map(|(info, _)| info);
        let fate = match info {
            None => Fate::NotFound,
            Some(info) if !args.yes => foreseen(info),
            Some(_) => remove(store, &key)?,
        };
        summary.count(fate);
        if out.is_json() {
            out.json(&Removal {
                kind: "removal",
                key: key.as_str(),
                outcome: fate,
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
        say(&summary);
    }
    judge(&summary)
}

fn foreseen(info: &SessionInfo) -> Fate {
    match info.state.kind() {
        StateKind::Claimed => Fate::Claimed,
        StateKind::Waiting | StateKind::Idle => Fate::WouldRemove,
    }
}

fn remove(store: &Store, key: &SessionKey) -> Outcome<Fate> {
    match store.blocking.remove(key, RemoveOptions::new()) {
        Ok(()) => Ok(Fate::Removed),
        Err(error) if error.code == ErrorCode::NotFound => Ok(Fate::NotFound),
        Err(error) if error.code == ErrorCode::Conflict => Ok(Fate::Claimed),
        Err(error) => Err(error.into()),
    }
}

fn say(summary: &Summary) {
    match summary.dry_run {
        true => hint(format_args!(
            "dry run: {} would go; --yes removes them",
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
