//! `timeout`: sets, moves or takes away the timeouts of waits.

use std::time::Duration;

use greentic_session::admin::{SessionInfo, StateKind};
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use greentic_session::{Conflict, ErrorCode, SessionErrorExt, SessionResult, Timeout, TimeoutKind};

use crate::args;
use crate::change::{self, Change, Fate, Words};
use crate::error::{Failure, Outcome};
use crate::output::{Output, words};
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;

/// The latest instant of a timeout (C12).
const LATEST: u64 = (1 << 53) - 1;

/// The new timeout, or none.
struct Setting(Option<Timeout>);

impl Change for Setting {
    const WORDS: Words = Words {
        kind: "timeout",
        would: "would_set",
        done: "set",
        label: "setting",
        noun: "wait",
        yes: "sets the timeout",
    };
    const ACT: Option<Act> = None;
    const IS_FOR_WAITS: bool = true;

    fn expected(&self, info: &SessionInfo, now: Timestamp) -> Fate {
        let comes = self.0.map(|timeout| {
            let after = millis(timeout.after).max(1);
            Timestamp::from_millis(now.as_millis().saturating_add(after).min(LATEST))
        });
        match info.state.kind() {
            StateKind::Claimed => Fate::Claimed,
            StateKind::Idle => Fate::NotWaiting,
            StateKind::Waiting
                if comes.is_some_and(|at| info.deadline.is_some_and(|end| end <= at)) =>
            {
                Fate::TooLate
            }
            StateKind::Waiting => Fate::Comes(comes),
        }
    }

    async fn make(&self, store: &Store, info: &SessionInfo) -> SessionResult<Fate> {
        let ctx = selection::context(&info.owner);
        let set = store
            .async_store
            .set_timeout_fenced(&ctx, &info.key, self.0);
        match set.await {
            Ok(at) => Ok(Fate::Comes(at)),
            Err(error) => match (error.code, error.conflict()) {
                (_, Some(Conflict::NotWaiting)) => Ok(Fate::NotWaiting),
                (ErrorCode::Conflict, _) => Ok(Fate::Claimed),
                (ErrorCode::NotFound, _) => Ok(Fate::NotFound),
                (ErrorCode::InvalidInput, _) => Ok(Fate::TooLate),
                _ => Err(error),
            },
        }
    }

    fn told(&self, changed: &str, is_dry: bool) -> String {
        let Some(timeout) = self.0 else {
            return match is_dry {
                true => format!("{changed} would have no timeout"),
                false => format!("{changed} set to have no timeout"),
            };
        };
        let (when, kind) = (words::duration(timeout.after), timeout.kind);
        match is_dry {
            true => format!("{changed} would {kind} in {when}"),
            false => format!("{changed} set to {kind} in {when}"),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::Timeout) -> Outcome {
    let given = [
        ("--remind", &args.kind.remind, TimeoutKind::Remind),
        ("--close", &args.kind.close, TimeoutKind::Close),
    ];
    let mut timeout = None;
    for (flag, text, kind) in given {
        let Some(after) = selection::time(flag, text.as_deref())? else {
            continue;
        };
        if millis(after) > LATEST {
            return Err(Failure::usage(format!("the time of {flag} is too long")));
        }
        timeout = Some(match kind {
            TimeoutKind::Close => Timeout::close(after),
            _ => Timeout::remind(after),
        });
    }
    change::run(out, store, trail, &Setting(timeout), &args.chosen)
}
