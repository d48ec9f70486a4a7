//! `extend`: a session gets another deadline.

use std::time::Duration;

use greentic_session::clock::Timestamp;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::output::{Output, hint, words};
use crate::selection;
use crate::store::Store;
use crate::walk;

#[derive(Serialize)]
struct Extension<'a> {
    dry_run: bool,
    key: &'a str,
    deadline_before: Option<Timestamp>,
    /// Where it is a dry run: as it would be now.
    deadline: Option<Timestamp>,
}

pub fn run(out: &mut Output, store: &Store, args: &args::Extend) -> Outcome {
    // Longer than any deadline: the store takes it for none.
    let ttl = match args.ttl.as_str() {
        "never" => Duration::MAX,
        text => selection::duration("--ttl", text)?,
    };
    let key = selection::key(&args.key);
    let (info, now) = walk::must_find(store, &key)?;
    let deadline = match args.yes {
        true => store.blocking.extend(&key, Some(ttl))?,
        false => foreseen(now, ttl),
    };
    if out.is_json() {
        return out.json(&Extension {
            dry_run: !args.yes,
            key: key.as_str(),
            deadline_before: info.deadline,
            deadline,
        });
    }
    let shown = |deadline: Option<Timestamp>| deadline.map_or("never".to_owned(), words::instant);
    let (before, after) = (shown(info.deadline), shown(deadline));
    out.line(format_args!("expires {after}, before: {before}"))?;
    if !args.yes {
        out.flush()?;
        hint(format_args!("dry run: nothing was changed; --yes sets it"));
    }
    Ok(())
}

fn foreseen(now: Timestamp, ttl: Duration) -> Option<Timestamp> {
    /// No deadline is later (C12).
    const LATEST: u64 = 1 << 53;
    let millis = u64::try_from(ttl.as_millis()).ok()?;
    let deadline = now.as_millis().checked_add(millis.max(1))?;
    (deadline <= LATEST).then(|| Timestamp::from_millis(deadline))
}
