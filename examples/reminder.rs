//! Three people are asked the same question. One answers in time, one answers after a reminder, and one
//! never does: the flow reminds her, and then closes. It takes ten seconds.
//!
//! A real flow waits for days. The timeouts are in the store, so that no process need be up meanwhile.
//!
//! ```text
//! cargo run --example reminder
//! ```
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::slice;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    Commit, GreenticError, LeaseWatch, MessageId, NotHandled, ReplyScope, SessionData,
    SessionResult, Timeout, Turn, Worker, WorkerOptions,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

const LEASE: Duration = Duration::from_secs(10);
/// How long the flow waits before it reminds, and how long then before it closes.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many timeouts are handled at once.
const AT_ONCE: usize = 4;
/// How long a session is kept if nobody takes its turns.
const TTL: Duration = Duration::from_secs(60);

/// The context of a person; it is also what the turn of a timeout names.
fn context(name: &str) -> SessionResult<TenantCtx> {
    let (env, tenant) = (EnvId::try_from("demo")?, TenantId::try_from("reminder")?);
    Ok(TenantCtx::new(env, tenant).with_user(Some(UserId::try_from(name)?)))
}

/// The flow pauses at this node.
fn paused(ctx: &TenantCtx, node: &str) -> SessionResult<SessionData> {
    Ok(SessionData {
        tenant_ctx: ctx.clone(),
        flow_id: FlowId::try_from("appointment.flow")?,
        pack_id: None,
        cursor: SessionCursor::new(node),
        context_json: "{}".into(),
    })
}

struct Bot {
    worker: Worker,
    started: Instant,
}

impl Bot {
    /// One step of the flow. `text` is the message, or none if nobody answered in time.
    fn converse(&self, turn: &Turn, text: Option<&str>) -> SessionResult<Commit> {
        let owner = turn.owner();
        let name = owner.user.as_ref().map_or("somebody", UserId::as_str);
        let ctx = context(name)?;
        let node = turn.data().map(|data| data.cursor.node_pointer.as_str());
        Ok(match (node, text) {
            (None, _) => {
                self.say(name, "Does Tuesday suit you?");
                Commit::park_here(paused(&ctx, "asked")?)
                    .ttl(TTL)
                    .timeout(Timeout::remind(PATIENCE))
            }
            (Some(_), Some(answer)) => {
                self.say(name, &format!("\"{answer}\" is noted. Thank you!"));
                Commit::Finish
            }
            (Some("asked"), None) => {
                self.say(name, "Are you still there? Does Tuesday suit you?");
                Commit::park_here(paused(&ctx, "reminded")?).timeout(Timeout::close(PATIENCE))
            }
            (Some(_), None) => {
                self.say(name, "I close this now. Write again at any time.");
                Commit::Finish
            }
        })
    }

    fn say(&self, name: &str, text: &str) {
        let at = self.started.elapsed().as_secs_f64();
        println!("{at:4.1} s  to {name}: {text}");
    }

    /// Takes a message of a person, as a channel delivers it.
    fn receive(&self, name: &str, id: &str, text: &str) -> Result<(), Box<dyn Error>> {
        let at = self.started.elapsed().as_secs_f64();
        println!("{at:4.1} s  {name}: {text}");
        let (ctx, user) = (context(name)?, UserId::try_from(name)?);
        let scope = ReplyScope {
            conversation: format!("chat-of-{name}"),
            thread: None,
            reply_to: None,
            correlation: None,
        };
        let work = async |turn: &Turn, _watch: LeaseWatch| self.converse(turn, Some(text));
        let (scopes, id) = (slice::from_ref(&scope), MessageId::new(id));
        let _handled = pollster::block_on(self.worker.handle(&ctx, &user, scopes, &id, work))?;
        Ok(())
    }

    /// Takes the turns of timeouts, until the worker drains.
    fn poll(&self) -> SessionResult<()> {
        let work = async |turn: &Turn, _watch: LeaseWatch| self.converse(turn, None);
        let report = |failed: NotHandled<GreenticError>| println!("a turn failed: {failed}");
        pollster::block_on(self.worker.run_due(AT_ONCE, work, report))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(InMemorySessionStore::new());
    let bot = Bot {
        worker: Worker::new(store.clone(), WorkerOptions::new(LEASE)),
        started: Instant::now(),
    };
    thread::scope(|threads| {
        open(&bot)?;
        let polls = threads.spawn(|| bot.poll());
        let played = play(&bot);
        pollster::block_on(bot.worker.drain(LEASE));
        polls.join().map_err(|_| "a poll panicked")??;
        played
    })
}

fn open(bot: &Bot) -> Result<(), Box<dyn Error>> {
    let mut people = ["ada", "ben", "cleo"].into_iter();
    people.try_for_each(|name| bot.receive(name, "1", "I need an appointment."))
}

/// Cleo's last turn comes up to a poll after its instant, which is at most 5 seconds.
fn play(bot: &Bot) -> Result<(), Box<dyn Error>> {
    thread::sleep(PATIENCE / 3);
    bot.receive("ada", "2", "Yes.")?;
    thread::sleep(PATIENCE);
    bot.receive("ben", "2", "Sorry, yes.")?;
    thread::sleep(PATIENCE + Duration::from_secs(2));
    Ok(())
}
