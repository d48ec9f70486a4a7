//! `release`: a stuck claim is taken from its worker.

use greentic_session::admin::{RevokeOutcome, SessionInfo, SessionState};
use greentic_session::clock::Timestamp;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::output::{Output, hint, words};
use crate::selection;
use crate::store::Store;
use crate::walk;

/// What became of the claim, or would.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Fate {
    WouldRelease,
    Released,
    NotClaimed,
}

#[derive(Serialize)]
struct Release<'a> {
    dry_run: bool,
    key: &'a str,
    outcome: Fate,
    claimed_until: Option<Timestamp>,
    attempt: Option<u32>,
}

pub fn run(out: &mut Output, store: &Store, args: &args::Release) -> Outcome {
    let key = selection::key(&args.key);
    let (info, now) = walk::must_find(store, &key)?;
    let claim = match args.yes {
        true => match store.blocking.revoke(&key)? {
            RevokeOutcome::Revoked { until, attempt } => Some((until, attempt)),
            RevokeOutcome::NotClaimed => None,
        },
        false => claim(&info),
    };
    let fate = match (claim, args.yes) {
        (None, _) => Fate::NotClaimed,
        (Some(_), true) => Fate::Released,
        (Some(_), false) => Fate::WouldRelease,
    };
    if out.is_json() {
        return out.json(&Release {
            dry_run: !args.yes,
            key: key.as_str(),
            outcome: fate,
            claimed_until: claim.map(|(until, _)| until),
            attempt: claim.map(|(_, attempt)| attempt),
        });
    }
    let Some((until, attempt)) = claim else {
        return out.line(format_args!("no worker holds it"));
    };
    let left = words::duration(until.since(now));
    match fate {
        Fate::Released => out.line(format_args!(
            "released: claim {attempt} had {left} left, and its worker can change nothing any more"
        )),
        Fate::WouldRelease | Fate::NotClaimed => {
            out.line(format_args!("claim {attempt} has {left} left"))?;
            out.flush()?;
            hint(format_args!(
                "dry run: nothing was changed; --yes takes the claim"
            ));
            Ok(())
        }
    }
}

fn claim(info: &SessionInfo) -> Option<(Timestamp, u32)> {
    match info.state {
        SessionState::Claimed { until, attempt, .. } => Some((until, attempt)),
        _ => None,
    }
}
