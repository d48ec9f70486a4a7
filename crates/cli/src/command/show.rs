//! `show`: everything about one session.

use greentic_session::admin::{SessionInfo, SessionState};
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use greentic_session::{SessionData, WaitTimeout};
use indicatif::BinaryBytes;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::output::{Output, SessionView, style, words};
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;
use crate::walk;

const HIDDEN: &str = "hidden; --reveal shows it";

/// A session, with its data if `--reveal` is given.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    session: SessionView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a SessionData>,
}

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::Show) -> Outcome {
    let key = selection::key(&args.key);
    let owner = selection::sessions_of(&args.owner)?;
    let (info, now) = walk::must_find(store, &owner, &key)?;
    let ctx = selection::context(&info.owner);
    if args.reveal {
        trail.record(Act::Reveal, &store.name, |entry| {
            entry.session(&key, &info.owner)
        })?;
    }
    let session = match args.reveal {
        true => Some(
            store
                .blocking
                .get_fenced(&ctx, &key)?
                .ok_or_else(|| walk::unknown(&key))?,
        ),
        false => None,
    };
    let data = session.as_ref().map(|session| &session.data);
    if out.is_json() {
        let session = SessionView::new(&info, args.reveal);
        return out.json(&Shown { session, data });
    }
    print(out, &info, now, args.reveal)?;
    match data {
        Some(data) => {
            field(out, "payload", "")?;
            out.line(format_args!("{}", words::printable(&data.context_json)))
        }
        None => field(out, "payload", HIDDEN),
    }
}

fn print(out: &mut Output, info: &SessionInfo, now: Timestamp, reveal: bool) -> Outcome {
    let owner = &info.owner;
    let user = match &owner.user {
        None => "none",
        Some(user) if reveal => user.as_str(),
        Some(_) => HIDDEN,
    };
    field(out, "key", info.key.as_str())?;
    field(out, "env", owner.env.as_str())?;
    field(out, "tenant", owner.tenant.as_str())?;
    field(
        out,
        "team",
        owner.team.as_ref().map_or("none", |team| team.as_str()),
    )?;
    field(out, "user", user)?;
    field(out, "flow", info.flow.as_str())?;
    field(
        out,
        "pack",
        info.pack.as_ref().map_or("none", |pack| pack.as_str()),
    )?;
    field(out, "node", &info.node)?;
    state(out, info, now)?;
    field(out, "revision", &info.revision.to_string())?;
    field(out, "created", &ago(info.created, now))?;
    field(out, "expires", &ahead(info.deadline, now))?;
    field(out, "size", &BinaryBytes(info.bytes).to_string())
}

fn state(out: &mut Output, info: &SessionInfo, now: Timestamp) -> Outcome {
    field(out, "state", &info.state.kind().to_string())?;
    let (since, scope, attempt) = match &info.state {
        SessionState::Waiting {
            since,
            scope,
            attempt,
        } => (since, scope, attempt),
        SessionState::Claimed {
            since,
            scope,
            attempt,
            until,
            holder,
        } => {
            field(out, "claimed until", &ahead(Some(*until), now))?;
            field(out, "held by", holder.as_deref().unwrap_or("unknown"))?;
            (since, scope, attempt)
        }
        _ => return Ok(()),
    };
    field(out, "waits since", &ago(*since, now))?;
    field(out, "claims", &attempt.to_string())?;
    let scope = scope.map_or_else(|| "unknown".to_owned(), |scope| scope.to_string());
    field(out, "scope digest", &scope)?;
    field(out, "timeout", &timeout(info.timeout, now))
}

fn timeout(timeout: Option<WaitTimeout>, now: Timestamp) -> String {
    let Some(WaitTimeout { at, kind, .. }) = timeout else {
        return "none".to_owned();
    };
    let when = match at <= now {
        true => ago(Some(at), now),
        false => ahead(Some(at), now),
    };
    format!("{kind} {when}")
}

fn ago(instant: Option<Timestamp>, now: Timestamp) -> String {
    match instant {
        None => "unknown".to_owned(),
        Some(past) => {
            let age = words::duration(now.since(past));
            format!("{past} ({age} ago)")
        }
    }
}

fn ahead(instant: Option<Timestamp>, now: Timestamp) -> String {
    match instant {
        None => "never".to_owned(),
        Some(future) => {
            let left = words::duration(future.since(now));
            format!("{future} (in {left})")
        }
    }
}

fn field(out: &mut Output, name: &str, value: &str) -> Outcome {
    let (faint, value) = (style::FAINT, words::printable(value));
    out.line(format_args!("{faint}{name:<14}{faint:#}{value}"))
}
