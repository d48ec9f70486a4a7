//! One message, delivered twenty times to two workers: the flow resumes once.
//!
//! With the feature `redis` and REDIS_URL set, the workers are two processes that share a server.
//! Otherwise they are two threads that share a memory store.
//!
//! ```text
//! cargo run --example exactly_once
//! REDIS_URL=redis://127.0.0.1/ cargo run --example exactly_once --features redis
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::slice;
use std::time::Duration;

use greentic_session::{
    AsyncSessionStore, Blocking, ClaimOptions, ClaimOutcome, Commit, CommitOptions, MessageId,
    ParkOptions, ReplyScope, SessionData, SessionKey, SessionResult,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

const DELIVERIES: usize = 10;
const LEASE: Duration = Duration::from_secs(10);
const TTL: Duration = Duration::from_secs(600);

type Store = Blocking<dyn AsyncSessionStore>;

/// A conversation that waits for the answer of one user.
struct Conversation {
    ctx: TenantCtx,
    user: UserId,
    scope: ReplyScope,
    run: String,
}

impl Conversation {
    fn new(run: &str) -> SessionResult<Self> {
        let user = UserId::try_from("ada")?;
        let ctx = TenantCtx::new(
            EnvId::try_from("demo")?,
            TenantId::try_from("exactly-once")?,
        )
        .with_user(Some(user.clone()));
        let scope = ReplyScope {
            conversation: format!("chat-{run}"),
            thread: None,
            reply_to: None,
            correlation: None,
        };
        Ok(Self {
            ctx,
            user,
            scope,
            run: run.to_owned(),
        })
    }

    fn data(&self, resumed: u32) -> SessionResult<SessionData> {
        Ok(SessionData {
            tenant_ctx: self.ctx.clone(),
            flow_id: FlowId::try_from("onboarding.flow")?,
            pack_id: None,
            cursor: SessionCursor::new("node.wait_for_name"),
            context_json: resumed.to_string(),
        })
    }

    fn park(&self, store: &Store) -> SessionResult<SessionKey> {
        let key = SessionKey::new(format!("exactly-once-{}", self.run));
        let options = ParkOptions::new().ttl(TTL);
        let parked = store.park(
            &self.ctx,
            &self.user,
            &self.scope,
            &key,
            self.data(0)?,
            options,
        )?;
        println!("the flow waits: {parked:?}");
        Ok(key)
    }

    /// Handles each delivery of the message, as a worker.
    fn work(&self, store: &Store, worker: &str) -> SessionResult<()> {
        let message = format!("message-{}", self.run);
        for _ in 0..DELIVERIES {
            match store.claim(
                &self.ctx,
                &self.user,
                slice::from_ref(&self.scope),
                &MessageId::new(&message),
                ClaimOptions::new(LEASE),
            )? {
                ClaimOutcome::Claimed(claim) => {
                    let count = claim.data().map(|data| data.context_json.parse());
                    let resumed: u32 = count.and_then(Result::ok).unwrap_or(0);
                    let next = self.data(resumed + 1)?;
                    store.commit(
                        &claim.token,
                        Commit::park(self.scope.clone(), next).ttl(TTL),
                        CommitOptions::new(),
                    )?;
                    println!("{worker}: resumed the flow");
                }
                ClaimOutcome::Busy { .. } => {
                    println!("{worker}: busy, the other worker resumes it");
                }
                ClaimOutcome::Duplicate { .. } => println!("{worker}: duplicate, dropped"),
                _ => println!("{worker}: no session waits"),
            }
        }
        Ok(())
    }

    fn finish(&self, store: &Store, key: &SessionKey) -> Result<(), Box<dyn Error>> {
        let session = store.get(key)?.ok_or("the session is gone")?;
        let resumed = session.data.context_json.clone();
        let _cleared = store.clear(&self.ctx, &self.user, &self.scope)?;
        let deliveries = 2 * DELIVERIES;
        println!("the flow was resumed {resumed} time(s) by {deliveries} deliveries");
        if resumed == "1" {
            Ok(())
        } else {
            Err("the flow must resume exactly once".into())
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    #[cfg(feature = "redis")]
    if let Ok(url) = std::env::var("REDIS_URL") {
        return redis::run(&url);
    }
    in_one_process()
}

fn in_one_process() -> Result<(), Box<dyn Error>> {
    println!("two threads in one process, in memory");
    let config = greentic_session::SessionBackendConfig::InMemory;
    let store = Store::from(greentic_session::create_async_session_store(config)?);
    let conversation = Conversation::new("in-memory")?;
    let key = conversation.park(&store)?;
    std::thread::scope(|threads| {
        let workers =
            ["worker A", "worker B"].map(|name| threads.spawn(|| conversation.work(&store, name)));
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().unwrap_or(Ok(())))
    })?;
    conversation.finish(&store, &key)
}

#[cfg(feature = "redis")]
mod redis {
    use std::error::Error;
    use std::process::Command;

    use greentic_session::{SessionBackendConfig, create_async_session_store};

    use super::{Conversation, Store};

    /// The environment variables of a worker process: its name and its run.
    const WORKER: &str = "EXACTLY_ONCE_WORKER";
    const RUN: &str = "EXACTLY_ONCE_RUN";

    pub(super) fn run(url: &str) -> Result<(), Box<dyn Error>> {
        let config = SessionBackendConfig::RedisUrl(url.to_owned());
        let store = Store::from(create_async_session_store(config)?);
        if let (Ok(name), Ok(run)) = (std::env::var(WORKER), std::env::var(RUN)) {
            return Ok(Conversation::new(&run)?.work(&store, &name)?);
        }
        println!("two processes, one Redis server");
        let run = std::process::id().to_string();
        let conversation = Conversation::new(&run)?;
        let key = conversation.park(&store)?;
        let mut workers = Vec::new();
        for name in ["process A", "process B"] {
            let mut worker = Command::new(std::env::current_exe()?);
            workers.push(worker.env(WORKER, name).env(RUN, &run).spawn()?);
        }
        for mut worker in workers {
            if !worker.wait()?.success() {
                return Err("a worker failed".into());
            }
        }
        conversation.finish(&store, &key)
    }
}
