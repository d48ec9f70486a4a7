//! `extend`: sets a new deadline for a session.

use std::time::Duration;

use greentic_session::Ttl;
use greentic_session::clock::Timestamp;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::output::{Output, hint};
use crate::selection;
use crate::store::Store;
use crate::walk;

#[derive(Serialize)]
struct Extension<'a> {
    dry_run: bool,
    key: &'a str,
    deadline_before: Option<Timestamp>,
    /// For a dry run, the deadline that it would be now.
    deadline: Option<Timestamp>,
}

pub fn run(out: &mut Output, store: &Store, args: &args::Extend) -> Outcome {
    // A TTL beyond every deadline means no deadline (C12).
    let ttl = match args.ttl.as_str() {
        "never" => Duration::MAX,
        text => selection::duration("--ttl", text)?,
    };
    let key = selection::key(&args.key);
    let owner = selection::sessions_of(&args.owner)?;
    let (info, now) = walk::must_find(store, &owner, &key)?;
    let ctx = selection::context(&info.owner);
    let deadline = match args.yes {
        true => store.blocking.extend_fenced(&ctx, &key, Ttl::After(ttl))?,
        false => expected(now, ttl),
    };
    if out.is_json() {
        return out.json(&Extension {
            dry_run: !args.yes,
            key: key.as_str(),
            deadline_before: info.deadline,
            deadline,
        });
    }
    let shown =
        |deadline: Option<Timestamp>| deadline.map_or("never".to_owned(), |at| at.to_string());
    let (before, after) = (shown(info.deadline), shown(deadline));
    out.line(format_args!("expires {after}, before: {before}"))?;
    if !args.yes {
        out.flush()?;
        hint(format_args!("dry run: nothing was changed; --yes sets it"));
    }
    Ok(())
}

fn expected(now: Timestamp, ttl: Duration) -> Option<Timestamp> {
    /// The latest deadline (C12).
    const LATEST: u64 = (1 << 53) - 1;
    let millis = u64::try_from(ttl.as_millis()).ok()?;
    let deadline = now.as_millis().checked_add(millis.max(1))?;
    (deadline <= LATEST).then(|| Timestamp::from_millis(deadline))
}
