//! The child: writers that share a store, and report what they begin and what was acknowledged.

use std::io::Write;
use std::path::Path;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::durable::{Durability, DurableConfig, DurableSessionStore};
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId, ParkOptions,
    SessionData, SessionResult, StoreOptions,
};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::data;

pub const WRITERS: usize = 4;
pub const OPENED: &str = "@ opened";
/// Longer than the test runs.
pub const LEASE: Duration = Duration::from_secs(3600);
/// Some kills come before the first sync, some after several.
const SYNC_EVERY: Duration = Duration::from_millis(8);
/// After this many messages a flow ends, and its session is removed.
pub const FINISH_EVERY: u32 = 7;

/// The name of a writer's session, scope and user.
pub fn name(round: &str, writer: usize) -> String {
    format!("{round}-{writer}")
}

pub fn message(name: &str, number: u32) -> String {
    format!("{name}-{number}")
}

/// Payloads of different lengths, so that pages split and merge.
pub fn numbered(name: &str, number: u32) -> SessionData {
    let padding = "x".repeat(usize::try_from(number % 5).unwrap() * 700);
    data(name, &format!("{number} {padding}"))
}

pub fn number_of(data: &SessionData) -> u32 {
    let number = data.context_json.split(' ').next().unwrap();
    let number = number.parse().unwrap();
    let user = data.tenant_ctx.user.as_ref().unwrap();
    assert_eq!(*data, numbered(user.as_str(), number), "a torn payload");
    number
}

/// Works until the process is killed.
pub fn work(file: &Path, round: &str, is_relaxed: bool) {
    let options = StoreOptions::new().max_messages(3);
    let mut config = DurableConfig::new(file).options(options);
    if is_relaxed {
        config.durability = Durability::SurvivesProcessCrash {
            sync_every: SYNC_EVERY,
        };
    }
    let store = Arc::new(DurableSessionStore::open(config).unwrap());
    say(&format!("\n{OPENED}"));
    std::thread::scope(|threads| {
        for writer in 0..WRITERS {
            let store = Arc::clone(&store);
            threads.spawn(move || write(&store, writer, &name(round, writer)).unwrap());
        }
    });
}

/// Writes a line in one call, so that it is complete or missing.
pub fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn write(store: &Arc<DurableSessionStore>, writer: usize, name: &str) -> SessionResult<()> {
    let api = Blocking::from(Arc::clone(store));
    let begin = |step: &str, number: u32| say(&format!("@ {writer} begin {step} {number}"));
    let done = |step: &str, number: u32| say(&format!("@ {writer} done {step} {number}"));
    let (ctx, user, scope) = (ctx(name), user(name), scope(name));
    let mut is_waiting = false;
    for number in 0.. {
        if !is_waiting {
            begin("park", number);
            let (key, data) = (key(name), numbered(name, number));
            let _registered = api.park(&ctx, &user, &scope, &key, data, ParkOptions::new())?;
            done("park", number);
        }
        begin("claim", number);
        let claimed = api.claim(
            &ctx,
            &user,
            slice::from_ref(&scope),
            &MessageId::new(&message(name, number)),
            ClaimOptions::new(LEASE),
        )?;
        let ClaimOutcome::Claimed(claim) = claimed else {
            panic!("{claimed:?}");
        };
        done("claim", number);
        is_waiting = number % FINISH_EVERY != 0;
        if is_waiting {
            begin("again", number);
            let next = Commit::park(scope.clone(), numbered(name, number + 1));
            api.commit(&claim.token, next, CommitOptions::new())?;
            done("again", number);
        } else {
            begin("finish", number);
            api.commit(&claim.token, Commit::Finish, CommitOptions::new())?;
            done("finish", number);
            // One writer compacts, so that some kills happen during a compaction.
            if writer == 0 {
                store.compact()?;
            }
        }
    }
    Ok(())
}
