//! `remove`: removes sessions with their waits.

use greentic_session::admin::{SessionInfo, StateKind};
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use greentic_session::{ErrorCode, RemoveOptions, SessionResult};

use crate::args;
use crate::change::{self, Change, Fate, Words};
use crate::error::Outcome;
use crate::output::Output;
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;

struct Removal;

impl Change for Removal {
    const WORDS: Words = Words {
        kind: "removal",
        would: "would_remove",
        done: "removed",
        label: "removing",
        noun: "session",
        yes: "removes them",
    };
    const ACT: Option<Act> = Some(Act::Remove);

    fn expected(&self, info: &SessionInfo, _now: Timestamp) -> Fate {
        match info.state.kind() {
            StateKind::Claimed => Fate::Claimed,
            StateKind::Waiting | StateKind::Idle => Fate::Changed,
        }
    }

    async fn make(&self, store: &Store, info: &SessionInfo) -> SessionResult<Fate> {
        let (ctx, options) = (selection::context(&info.owner), RemoveOptions::new());
        let removed = store.async_store.remove_fenced(&ctx, &info.key, options);
        match removed.await {
            Ok(()) => Ok(Fate::Changed),
            Err(error) if error.code == ErrorCode::NotFound => Ok(Fate::NotFound),
            Err(error) if error.code == ErrorCode::Conflict => Ok(Fate::Claimed),
            Err(error) => Err(error),
        }
    }

    fn told(&self, changed: &str, is_dry: bool) -> String {
        match is_dry {
            true => format!("{changed} would be removed"),
            false => format!("{changed} removed"),
        }
    }
}

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::Remove) -> Outcome {
    change::run(out, store, trail, &Removal, &args.chosen)
}
