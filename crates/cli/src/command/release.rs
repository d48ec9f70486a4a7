//! `release`: takes a stuck claim from its worker.

use greentic_session::admin::{RevokeOutcome, SessionInfo, SessionState};
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::output::{Output, hint, words};
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;
use crate::walk;

/// The outcome, or what it would be.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum ReleaseOutcome {
    WouldRelease,
    Released,
    NotClaimed,
}

#[derive(Serialize)]
struct Release<'a> {
    dry_run: bool,
    key: &'a str,
    outcome: ReleaseOutcome,
    claimed_until: Option<Timestamp>,
    attempt: Option<u32>,
}

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::Release) -> Outcome {
    let key = selection::key(&args.key);
    let owner = selection::sessions_of(&args.owner)?;
    let (info, now) = walk::must_find(store, &owner, &key)?;
    let ctx = selection::context(&info.owner);
    if args.yes {
        trail.record(Act::Revoke, &store.name, |entry| {
            entry.session(&key, &info.owner)
        })?;
    }
    let claim = match args.yes {
        true => match store.blocking.revoke_fenced(&ctx, &key)? {
            RevokeOutcome::Revoked { until, attempt } => Some((until, attempt)),
            RevokeOutcome::NotClaimed => None,
        },
        false => claim(&info),
    };
    let outcome = match (claim, args.yes) {
        (None, _) => ReleaseOutcome::NotClaimed,
        (Some(_), true) => ReleaseOutcome::Released,
        (Some(_), false) => ReleaseOutcome::WouldRelease,
    };
    if out.is_json() {
        return out.json(&Release {
            dry_run: !args.yes,
            key: key.as_str(),
            outcome,
            claimed_until: claim.map(|(until, _)| until),
            attempt: claim.map(|(_, attempt)| attempt),
        });
    }
    let Some((until, attempt)) = claim else {
        return out.line(format_args!("no worker holds it"));
    };
    let left = words::duration(until.since(now));
    match outcome {
        ReleaseOutcome::Released => out.line(format_args!(
            "released: claim {attempt} had {left} left; its worker can no longer commit"
        )),
        ReleaseOutcome::WouldRelease | ReleaseOutcome::NotClaimed => {
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
