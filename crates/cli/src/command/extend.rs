//! `extend`: sets a new deadline for sessions.

use std::time::Duration;

use greentic_session::admin::SessionInfo;
use greentic_session::audit::Act;
use greentic_session::clock::Timestamp;
use greentic_session::{ErrorCode, SessionResult, Ttl};

use crate::args;
use crate::change::{self, Change, Fate, Words};
use crate::error::Outcome;
use crate::output::{Output, words};
use crate::selection;
use crate::store::Store;
use crate::trail::Trail;

struct Extension(Duration);

impl Change for Extension {
    const WORDS: Words = Words {
        kind: "extension",
        would: "would_extend",
        done: "extended",
        label: "extending",
        noun: "session",
        yes: "sets the deadline",
    };
    const ACT: Option<Act> = None;

    fn expected(&self, _info: &SessionInfo, now: Timestamp) -> Fate {
        Fate::Expires(self.deadline(now))
    }

    async fn make(&self, store: &Store, info: &SessionInfo) -> SessionResult<Fate> {
        let (ctx, ttl) = (selection::context(&info.owner), Ttl::After(self.0));
        match store.async_store.extend_fenced(&ctx, &info.key, ttl).await {
            Ok(deadline) => Ok(Fate::Expires(deadline)),
            Err(error) if error.code == ErrorCode::NotFound => Ok(Fate::NotFound),
            Err(error) => Err(error),
        }
    }

    fn told(&self, changed: &str, is_dry: bool) -> String {
        let when = match self.deadline(Timestamp::from_millis(0)) {
            None => "never".to_owned(),
            Some(_) => format!("in {}", words::duration(self.0)),
        };
        match is_dry {
            true => format!("{changed} would expire {when}"),
            false => format!("{changed} set to expire {when}"),
        }
    }
}

impl Extension {
    fn deadline(&self, now: Timestamp) -> Option<Timestamp> {
        /// The latest deadline (C12).
        const LATEST: u64 = (1 << 53) - 1;
        let millis = u64::try_from(self.0.as_millis()).ok()?;
        let deadline = now.as_millis().checked_add(millis.max(1))?;
        (deadline <= LATEST).then(|| Timestamp::from_millis(deadline))
    }
}

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::Extend) -> Outcome {
    // A TTL beyond every deadline means no deadline (C12).
    let ttl = match args.ttl.as_str() {
        "never" => Duration::MAX,
        text => selection::duration("--ttl", text)?,
    };
    change::run(out, store, trail, &Extension(ttl), &args.chosen)
}
