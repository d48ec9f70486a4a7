//! `waits`: lists the waits of one user.

use greentic_session::admin::ScanFilter;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::interrupt;
use crate::output::{Output, SessionTable, SessionView, hint, words};
use crate::selection;
use crate::store::Store;
use crate::walk;

#[derive(Serialize)]
struct End {
    kind: &'static str,
    sessions: u64,
}

pub fn run(out: &mut Output, store: &Store, args: &args::Waits) -> Outcome {
    let (ctx, user) = selection::user(args)?;
    let owner = ScanFilter::new()
        .env(ctx.env.clone())
        .tenant(ctx.tenant.clone());
    let mut table = SessionTable::new(false);
    let mut sessions = 0;
    for key in store.blocking.waits(&ctx, &user)? {
        interrupt::check(|| "nothing was changed".to_owned())?;
        // It may have been removed since.
        let Some((info, now)) = walk::find(store, &owner, &key)? else {
            continue;
        };
        sessions += 1;
        match out.is_json() {
            true => out.json(&SessionView::new(&info, false))?,
            false => table.row(out, &info, now)?,
        }
    }
    table.finish(out)?;
    if out.is_json() {
        return out.json(&End {
            kind: "end",
            sessions,
        });
    }
    out.flush()?;
    hint(format_args!("{}", words::counted(sessions, "session")));
    Ok(())
}
