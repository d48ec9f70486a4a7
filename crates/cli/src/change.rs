//! A change of sessions, for all commands that make one: of the sessions with some keys, or of all that
//! a filter selects.

use std::future::Future;

use futures_util::future::join_all;
use greentic_session::SessionResult;
use greentic_session::admin::{ScanCursor, ScanFilter, SessionInfo, StateKind};
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, Progress, SessionTable, SessionView, hint, words};
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;
use crate::transfer::PAGE;
use crate::walk;

/// How a change is named.
pub struct Words {
    /// The kind of its lines in JSON.
    pub kind: &'static str,
    /// The outcome of a dry run, and of a change, in JSON.
    pub would: &'static str,
    pub done: &'static str,
    /// The label of the progress.
    pub label: &'static str,
    /// What is counted: `session` or `claim`.
    pub noun: &'static str,
    /// What it does with `--yes`, for the hint of a dry run.
    pub yes: &'static str,
}

/// What became of one session, or would.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Changed,
    /// The same, with the deadline from now on; `None` for no deadline.
    Expires(Option<Timestamp>),
    /// A worker holds it, and it stays as it is.
    Claimed,
    /// No worker holds it, so there is no claim to take.
    NotClaimed,
    /// The same as `Changed`, with the instant of the timeout from now on; `None` for no timeout.
    Comes(Option<Timestamp>),
    /// It does not wait, or its wait is closed.
    NotWaiting,
    /// It expires before the timeout would come.
    TooLate,
    NotFound,
}

/// A change of one session.
pub trait Change {
    const WORDS: Words;
    /// The act that is recorded in the audit, if any.
    const ACT: Option<Act>;
    /// The state of the sessions that it is for, if the filter names none.
    const STATE: Option<StateKind> = None;
    /// Whether it changes waits, and not sessions.
    const IS_FOR_WAITS: bool = false;

    /// What it would do to a session.
    fn expected(&self, info: &SessionInfo, now: Timestamp) -> Fate;

    /// Changes the session that was found, and none that another owner has stored under its key since.
    fn make(&self, store: &Store, info: &SessionInfo) -> impl Future<Output = SessionResult<Fate>>;

    /// What it did, or would do, to so many sessions or claims.
    fn told(&self, changed: &str, is_dry: bool) -> String;
}

/// The numbers of sessions by their fate.
#[derive(Default)]
struct Tally {
    changed: u64,
    claimed: u64,
    not_claimed: u64,
    not_waiting: u64,
    too_late: u64,
    not_found: u64,
    unreadable: u64,
}

impl Tally {
    const fn count(&mut self, fate: Fate) {
        match fate {
            Fate::Changed | Fate::Expires(_) | Fate::Comes(_) => self.changed += 1,
            Fate::Claimed => self.claimed += 1,
            Fate::NotClaimed => self.not_claimed += 1,
            Fate::NotWaiting => self.not_waiting += 1,
            Fate::TooLate => self.too_late += 1,
            Fate::NotFound => self.not_found += 1,
        }
    }
}

/// One session in JSON.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    key: &'a str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<Option<Timestamp>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_at: Option<Option<Timestamp>>,
    session: Option<SessionView<'a>>,
}

/// A run of a command.
struct Run<'a, C> {
    out: &'a mut Output,
    store: &'a Store,
    trail: &'a Trail,
    change: &'a C,
    yes: bool,
    table: SessionTable,
    tally: Tally,
}

/// Changes the chosen sessions, or shows what would change.
pub fn run<C: Change>(
    out: &mut Output,
    store: &Store,
    trail: &Trail,
    change: &C,
    chosen: &args::Chosen,
) -> Outcome {
    let mut filter = selection::filter(&chosen.filter)?;
    let after = selection::cursor(chosen.after.as_deref())?;
    let run = Run {
        out,
        store,
        trail,
        change,
        yes: chosen.yes,
        table: SessionTable::new(false),
        tally: Tally::default(),
    };
    if !chosen.keys.is_empty() {
        return run.by_keys(&filter, &chosen.keys);
    }
    if filter == ScanFilter::new() {
        return Err(Failure::usage(
            "name the session keys, or select sessions with filters such as --tenant or --holder",
        ));
    }
    filter.state = filter.state.or(C::STATE);
    run.by_filter(&filter, after)
}

impl<C: Change> Run<'_, C> {
    /// A session that does not match the filter is as if it did not exist.
    fn by_keys(mut self, filter: &ScanFilter, keys: &[String]) -> Outcome {
        for key in keys.iter().map(|key| selection::key(key)) {
            interrupt::check(|| self.so_far(None))?;
            let Some((info, now)) = walk::find(self.store, filter, &key)? else {
                self.told(key.as_str(), None, Fate::NotFound)?;
                continue;
            };
            let fate = match self.yes {
                true => {
                    if let Some(act) = C::ACT {
                        let limit = |entry: greentic_session::audit::AuditEntry| {
                            entry.session(&key, &info.owner)
                        };
                        self.trail.record(act, &self.store.name, limit)?;
                    }
                    pollster::block_on(self.change.make(self.store, &info))?
                }
                false => self.change.expected(&info, now),
            };
            self.told(key.as_str(), Some((&info, now)), fate)?;
        }
        self.end()?;
        self.judge(true)
    }

    fn by_filter(mut self, filter: &ScanFilter, mut after: Option<ScanCursor>) -> Outcome {
        if let Some(act) = C::ACT.filter(|_| self.yes) {
            let limit = |entry: greentic_session::audit::AuditEntry| entry.sessions(filter);
            self.trail.record(act, &self.store.name, limit)?;
        }
        let shows_table = !self.yes && !self.out.is_json();
        let is_shown = shows_table && self.out.is_terminal();
        let mut progress = Progress::unless(is_shown, C::WORDS.label);
        loop {
            interrupt::check(|| self.so_far(after.as_ref()))?;
            let scanned = self.store.blocking.scan(filter, after.as_ref(), PAGE);
            let page = scanned.map_err(|error| self.failed(error, after.as_ref()))?;
            let fates = match self.yes {
                true => {
                    let changes = page.sessions.iter();
                    let changes = changes.map(|info| self.change.make(self.store, info));
                    pollster::block_on(join_all(changes))
                }
                false => {
                    let expected = page.sessions.iter();
                    let expected = expected.map(|info| Ok(self.change.expected(info, page.now)));
                    expected.collect()
                }
            };
            let mut refused = None;
            for (info, fate) in page.sessions.iter().zip(fates) {
                match fate {
                    Ok(fate) => self.told(info.key.as_str(), Some((info, page.now)), fate)?,
                    Err(error) => refused = refused.or(Some(error)),
                }
            }
            if let Some(error) = refused {
                return Err(self.failed(error, after.as_ref()));
            }
            walk::unreadable(self.out, &page)?;
            self.tally.unreadable += page.unreadable.len() as u64;
            if let Some(progress) = &mut progress {
                progress.walk(page.progress, page.sessions.len() as u64);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        drop(progress);
        self.end()?;
        self.judge(false)
    }

    /// Counts a session, and shows it.
    fn told(&mut self, key: &str, found: Option<(&SessionInfo, Timestamp)>, fate: Fate) -> Outcome {
        self.tally.count(fate);
        if self.out.is_json() {
            let words = C::WORDS;
            return self.out.json(&Line {
                kind: words.kind,
                key,
                outcome: match fate {
                    Fate::Changed | Fate::Expires(_) | Fate::Comes(_) if self.yes => words.done,
                    Fate::Changed | Fate::Expires(_) | Fate::Comes(_) => words.would,
                    Fate::Claimed => "claimed",
                    Fate::NotClaimed => "not_claimed",
                    Fate::NotWaiting => "not_waiting",
                    Fate::TooLate => "too_late",
                    Fate::NotFound => "not_found",
                },
                deadline: match fate {
                    Fate::Expires(deadline) => Some(deadline),
                    _ => None,
                },
                timeout_at: match fate {
                    Fate::Comes(at) => Some(at),
                    _ => None,
                },
                session: found.map(|(info, _)| SessionView::new(info, false)),
            });
        }
        match found {
            Some((info, now)) if !self.yes => self.table.row(self.out, info, now),
            _ => Ok(()),
        }
    }

    fn counted(&self) -> String {
        words::counted(self.tally.changed, C::WORDS.noun)
    }

    fn end(&mut self) -> Outcome {
        self.table.finish(self.out)?;
        let (words, tally) = (C::WORDS, &self.tally);
        if self.out.is_json() {
            let (would, done) = match self.yes {
                true => (0, tally.changed),
                false => (tally.changed, 0),
            };
            let mut end = Map::new();
            end.insert("kind".to_owned(), "end".into());
            end.insert("dry_run".to_owned(), Value::Bool(!self.yes));
            for (name, number) in [
                (words.done, done),
                (words.would, would),
                ("claimed", tally.claimed),
                ("not_claimed", tally.not_claimed),
                ("not_found", tally.not_found),
                ("unreadable", tally.unreadable),
            ] {
                end.insert(name.to_owned(), number.into());
            }
            if C::IS_FOR_WAITS {
                end.insert("not_waiting".to_owned(), tally.not_waiting.into());
                end.insert("too_late".to_owned(), tally.too_late.into());
            }
            return self.out.json(&end);
        }
        // The error says it all.
        let left = tally.claimed + tally.too_late + tally.not_found;
        if tally.changed + tally.not_claimed + tally.not_waiting == 0 && left > 0 {
            return Ok(());
        }
        let mut told = self.change.told(&self.counted(), !self.yes);
        if tally.not_claimed > 0 {
            let idle = words::counted(tally.not_claimed, "session");
            told.push_str(&format!(", {idle} held by no worker"));
        }
        if tally.not_waiting > 0 {
            let idle = words::counted(tally.not_waiting, "session");
            told.push_str(&format!(", {idle} not waiting"));
        }
        match self.yes {
            true => self.out.line(format_args!("{told}")),
            false => {
                self.out.flush()?;
                hint(format_args!("dry run: {told}; --yes {}", words.yes));
                Ok(())
            }
        }
    }

    /// What was done when a run ends before its end, and how it continues.
    fn so_far(&self, after: Option<&ScanCursor>) -> String {
        let mut told = match self.yes {
            true => self.change.told(&self.counted(), false),
            false => "nothing was changed".to_owned(),
        };
        if let Some(after) = after {
            told.push_str(&format!("; continue with --after {after}"));
        }
        told
    }

    fn failed(
        &self,
        error: greentic_session::GreenticError,
        after: Option<&ScanCursor>,
    ) -> Failure {
        Failure::from(error).with(&self.so_far(after))
    }

    /// A key that was named must exist. A session that a filter selected may be gone by now.
    fn judge(&self, is_named: bool) -> Outcome {
        let tally = &self.tally;
        if is_named && tally.not_found > 0 {
            let unknown = words::counted(tally.not_found, "key");
            return Err(Failure::new(
                Exit::NotFound,
                format!("{unknown}: no such session"),
            ));
        }
        if tally.claimed > 0 {
            let held = words::counted(tally.claimed, "session");
            let message = format!("{held}: held by a worker; wait for it, or release the claim");
            return Err(Failure::new(Exit::Conflict, message));
        }
        if tally.too_late > 0 {
            let early = words::counted(tally.too_late, "session");
            let message = format!("{early}: the timeout would not come before the deadline");
            return Err(Failure::new(Exit::Conflict, message));
        }
        if is_named && tally.not_waiting > 0 {
            let idle = words::counted(tally.not_waiting, "session");
            let message = format!("{idle}: it does not wait, or its wait is closed");
            return Err(Failure::new(Exit::Conflict, message));
        }
        if tally.unreadable > 0 {
            let number = words::counted(tally.unreadable, "session");
            let message = format!("{number} cannot be read, and may have been meant; see doctor");
            return Err(Failure::new(Exit::Damaged, message));
        }
        Ok(())
    }
}
