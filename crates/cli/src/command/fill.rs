//! `demo --fill`: creates sample sessions.

use std::time::Duration;

use futures_util::future::join_all;
use greentic_session::{CreateOptions, ParkOptions, ReplyScope, SessionData, SessionKey, Timeout};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};
use serde::Serialize;

use crate::error::Outcome;
use crate::interrupt;
use crate::output::{Output, Progress, words};
use crate::store::Store;

/// The number of concurrent calls.
const AT_ONCE: u64 = 256;
const FLOWS: [&str; 4] = ["order.pizza", "support.ticket", "book.flight", "survey"];
const NODES: [&str; 3] = ["ask_name", "ask_address", "confirm"];
const HOUR: Duration = Duration::from_secs(3600);
/// One of this many sessions does not wait, and one has no deadline.
const RARE: u64 = 11;
/// One of this many waits has a timeout.
const TIMED: u64 = 3;

#[derive(Serialize)]
struct Filled {
    kind: &'static str,
    sessions: u64,
    tenants: u64,
}

pub fn run(out: &mut Output, store: &Store, env: &str, sessions: u64, tenants: u64) -> Outcome {
    let env = EnvId::try_from(env)?;
    let mut progress = Progress::counting("filling", Some(sessions));
    let mut done = 0;
    while done < sessions {
        interrupt::check(|| format!("{} stored", words::counted(done, "session")))?;
        let until = sessions.min(done + AT_ONCE);
        let stored = (done..until).map(|number| store_one(store, &env, number, tenants));
        let stored = pollster::block_on(join_all(stored));
        stored.into_iter().collect::<Outcome<()>>()?;
        done = until;
        progress.set(done);
    }
    drop(progress);
    if out.is_json() {
        return out.json(&Filled {
            kind: "filled",
            sessions,
            tenants,
        });
    }
    let (sessions, tenants) = (
        words::counted(sessions, "session"),
        words::counted(tenants, "tenant"),
    );
    out.line(format_args!("{sessions} of {tenants} in env {env}"))
}

async fn store_one(store: &Store, env: &EnvId, number: u64, tenants: u64) -> Outcome {
    let tenant = TenantId::try_from(format!("tenant-{:02}", number % tenants).as_str())?;
    let user = UserId::try_from(format!("user-{}", number / tenants / 2).as_str())?;
    let ctx = TenantCtx::new(env.clone(), tenant).with_user(Some(user.clone()));
    let ttl = HOUR * u32::try_from(1 + number % 400).unwrap_or(1);
    let ttl = (number % RARE != 1).then_some(ttl);
    let data = data(&ctx, number)?;
    let store = &store.async_store;
    let key = SessionKey::new(format!("run-{number:07}"));
    if number.is_multiple_of(RARE) {
        let options = CreateOptions::new().key(key);
        let options = ttl.map_or(options.clone(), |ttl| options.ttl(ttl));
        let _ = store.create(&ctx, data, options).await?;
        return Ok(());
    }
    let scope = ReplyScope {
        conversation: format!("chat-{number}"),
        thread: None,
        reply_to: None,
        correlation: None,
    };
    let mut options = ttl.map_or(ParkOptions::new(), |ttl| ParkOptions::new().ttl(ttl));
    if number.is_multiple_of(TIMED) {
        options.timeout = Some(Timeout::remind(ttl.unwrap_or(HOUR) / 2));
    }
    let _ = store.park(&ctx, &user, &scope, &key, data, options).await?;
    Ok(())
}

fn data(ctx: &TenantCtx, number: u64) -> Outcome<SessionData> {
    let pick = |names: &[&'static str]| {
        let index = usize::try_from(number / 7).unwrap_or(0) % names.len();
        names[index]
    };
    // From 100 bytes to 2 KiB.
    let notes = "x".repeat(usize::try_from(number * 37 % 2_000).unwrap_or(0));
    Ok(SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from(pick(&FLOWS))?,
        pack_id: None,
        cursor: SessionCursor::new(pick(&NODES)),
        context_json: format!(r#"{{"order":{number},"notes":"{notes}"}}"#),
    })
}
