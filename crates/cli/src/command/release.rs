//! `release`: takes stuck claims from their workers.

use greentic_session::admin::{RevokeOutcome, SessionInfo, StateKind};
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use greentic_session::{ErrorCode, SessionResult};

use crate::args;
use crate::change::{self, Change, Fate, Words};
use crate::error::Outcome;
use crate::output::Output;
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;

struct Release;

impl Change for Release {
    const WORDS: Words = Words {
        kind: "release",
        would: "would_release",
        done: "released",
        label: "releasing",
        noun: "claim",
        yes: "releases them",
    };
    const ACT: Option<Act> = Some(Act::Revoke);
    const STATE: Option<StateKind> = Some(StateKind::Claimed);

    fn expected(&self, info: &SessionInfo, _now: Timestamp) -> Fate {
        match info.state.kind() {
            StateKind::Claimed => Fate::Changed,
            StateKind::Waiting | StateKind::Idle => Fate::NotClaimed,
        }
    }

    async fn make(&self, store: &Store, info: &SessionInfo) -> SessionResult<Fate> {
        let ctx = selection::context(&info.owner);
        match store.async_store.revoke_fenced(&ctx, &info.key).await {
            Ok(RevokeOutcome::Revoked { .. }) => Ok(Fate::Changed),
            Ok(RevokeOutcome::NotClaimed) => Ok(Fate::NotClaimed),
            Err(error) if error.code == ErrorCode::NotFound => Ok(Fate::NotFound),
            Err(error) => Err(error),
        }
    }

    fn told(&self, changed: &str, is_dry: bool) -> String {
        match is_dry {
            true => format!("{changed} would be released"),
            false => format!("{changed} released; no worker can commit with one of them"),
        }
    }
}

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::Release) -> Outcome {
    change::run(out, store, trail, &Release, &args.chosen)
}
