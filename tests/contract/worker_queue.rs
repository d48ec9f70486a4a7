//! `Worker::deliver`: what comes while a turn runs is kept, and runs after it, in order.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::{
    AsyncSessionStore, Commit, CommitOptions, DeliverOptions, Delivered, DueOptions, Ending,
    ErrorCode, LeaseWatch, Message, MessageId, NotHandled, Reason, Turn, Worker, WorkerOptions,
};

use crate::observed::{CommitFault, Observed};
use crate::samples::{ctx, data, scope, user};

const LEASE: Duration = Duration::from_secs(600);

type Outcome = Result<Delivered, NotHandled<&'static str>>;

struct Bot {
    store: Arc<Observed>,
    worker: Worker,
    clock: Arc<ManualClock>,
    /// The bodies of the messages that were worked on, and the failures.
    seen: RefCell<Vec<String>>,
    failed: RefCell<Vec<String>>,
}

impl Bot {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(Observed::with_queues(&clock));
        let options = WorkerOptions::new(LEASE).wait_for_turn(Duration::ZERO);
        Self {
            worker: Worker::new(Arc::clone(&store) as Arc<dyn AsyncSessionStore>, options),
            store,
            clock,
            seen: RefCell::default(),
            failed: RefCell::default(),
        }
    }

    async fn deliver(
        &self,
        id: &str,
        work: impl AsyncFn(&Turn, LeaseWatch) -> Result<Ending, &'static str>,
    ) -> Outcome {
        let message = Message::new(MessageId::new(id), id.as_bytes());
        let options = DeliverOptions::new(Duration::from_secs(1));
        let (ctx, user, scopes) = (ctx("ada"), user("ada"), [scope("chat")]);
        let report = |failed: NotHandled<&'static str>| {
            self.failed.borrow_mut().push(failed.to_string());
        };
        self.worker
            .deliver(&ctx, &user, &scopes, message, options, work, report)
            .await
    }

    /// Notes the messages of a turn.
    fn note(&self, turn: &Turn) {
        for message in &turn.messages {
            let body = String::from_utf8_lossy(&message.body).into_owned();
            self.seen.borrow_mut().push(body);
        }
    }

    async fn echo(&self, turn: &Turn) -> Result<Ending, &'static str> {
        self.note(turn);
        Ok(Commit::park_here(data(&ctx("ada"), "echoed")).into())
    }

    /// The messages that are left, and their attempts.
    fn left(&self) -> Vec<u32> {
        let (ctx, user, scope) = (ctx("ada"), user("ada"), scope("chat"));
        let left = pollster::block_on(self.store.messages(&ctx, &user, &scope));
        left.unwrap().iter().map(|info| info.attempts).collect()
    }

    fn due(&self) -> Vec<Turn> {
        pollster::block_on(self.store.claim_due(&DueOptions::new(LEASE)))
            .unwrap()
            .turns
    }
}

#[test]
fn what_comes_while_a_turn_runs_is_run_after_it() {
    let bot = Bot::new();
    let first = pollster::block_on(bot.deliver("a", async |turn, _watch| {
        if bot.seen.borrow().is_empty() {
            for id in ["b", "c", "b"] {
                let kept = bot.deliver(id, async |turn, _| bot.echo(turn).await).await;
                let kept = kept.unwrap();
                assert!(kept.is_kept && !kept.duplicate);
                assert_eq!((kept.turns, kept.http_status()), (0, 200));
            }
        }
        bot.echo(turn).await
    }));
    assert_eq!(first.unwrap().turns, 3);
    assert_eq!(*bot.seen.borrow(), ["a", "b", "c"]);
    assert!(bot.left().is_empty());
    let again = pollster::block_on(bot.deliver("b", async |turn, _| bot.echo(turn).await));
    let again = again.unwrap();
    assert!(again.duplicate && again.is_kept);
    assert_eq!(bot.seen.borrow().len(), 3);
}

#[test]
fn a_reply_is_kept_for_redeliveries() {
    let bot = Bot::new();
    let work = async |_turn: &Turn, _watch: LeaseWatch| {
        let reply = CommitOptions::new().reply(*b"secret");
        Ok(Ending::new(Commit::Finish, reply))
    };
    let first = pollster::block_on(bot.deliver("a", work)).unwrap();
    assert_eq!((first.turns, first.reply), (1, None));
    let again = pollster::block_on(bot.deliver("a", work)).unwrap();
    assert_eq!(again.reply.as_deref(), Some(&b"secret"[..]));
    let shown = format!("{again:?}");
    assert!(
        shown.contains("6 bytes") && !shown.contains("115"),
        "{shown}"
    );
}

#[test]
fn a_turn_that_fails_is_kept_and_counts_an_attempt() {
    let bot = Bot::new();
    let failing = async |turn: &Turn, _watch: LeaseWatch| {
        bot.note(turn);
        Err("no")
    };
    let kept = pollster::block_on(bot.deliver("a", failing)).unwrap();
    assert!(kept.is_kept);
    assert_eq!(kept.turns, 0);
    assert_eq!(
        *bot.failed.borrow(),
        ["the handler failed; the turn is released"]
    );
    bot.clock.advance(Duration::from_millis(900));
    assert_eq!(bot.due(), []);
    bot.clock.advance(Duration::from_millis(101));
    let due = bot.due();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].reason, Reason::Revived);
    assert_eq!(bot.left(), [1]);
}

#[test]
fn a_delivery_runs_sixteen_turns_at_most() {
    let bot = Bot::new();
    let first = pollster::block_on(bot.deliver("m-00", async |turn, _watch| {
        if bot.seen.borrow().is_empty() {
            for number in 1..20 {
                let id = format!("m-{number:02}");
                let kept = bot.deliver(&id, async |turn, _| bot.echo(turn).await).await;
                assert!(kept.unwrap().is_kept);
            }
        }
        bot.echo(turn).await
    }));
    assert_eq!(first.unwrap().turns, 16);
    assert_eq!(bot.left().len(), 4);
    // The rest is due at once, and `run_due` takes it.
    let due = bot.due();
    assert_eq!(due.len(), 1);
    bot.note(&due[0]);
    assert_eq!(bot.seen.borrow().last().unwrap(), "m-16");
}

#[test]
fn a_commit_whose_answer_is_lost_has_its_next_turn() {
    let bot = Bot::new();
    let first = pollster::block_on(bot.deliver("a", async |turn, _watch| {
        if bot.seen.borrow().is_empty() {
            let kept = bot.deliver("b", async |turn, _| bot.echo(turn).await).await;
            assert!(kept.unwrap().is_kept);
            let mut faults = bot.store.commit_faults.lock().unwrap();
            faults.push_back(CommitFault::AnswerLost);
        }
        bot.echo(turn).await
    }));
    assert_eq!(first.unwrap().turns, 2);
    assert_eq!(*bot.seen.borrow(), ["a", "b"]);
    assert_eq!(bot.store.commits(), 3);
}

#[test]
fn a_drained_worker_leaves_its_message_in_the_queue() {
    let bot = Bot::new();
    let kept = pollster::block_on(bot.deliver("a", async |_turn, _watch| {
        assert_eq!(bot.worker.drain(Duration::ZERO).await, 1);
        std::future::pending().await
    }));
    let kept = kept.unwrap();
    assert!(kept.is_kept);
    assert_eq!(kept.turns, 0);
    assert_eq!(bot.left(), [0]);
    assert_eq!(bot.due().len(), 1);
    let refused = pollster::block_on(bot.deliver("b", async |turn, _| bot.echo(turn).await));
    assert!(matches!(refused, Err(NotHandled::Draining)));
}

#[test]
fn a_store_without_queues_says_so() {
    let bot = Bot {
        worker: Worker::new(
            Arc::new(Observed::default()) as Arc<dyn AsyncSessionStore>,
            WorkerOptions::new(LEASE),
        ),
        ..Bot::new()
    };
    let refused = pollster::block_on(bot.deliver("a", async |turn, _| bot.echo(turn).await));
    let Err(NotHandled::Store(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code, ErrorCode::InvalidInput);
    assert!(error.message.contains("StoreOptions::inbox"));
    assert_eq!(NotHandled::<()>::Store(error).http_status(), 422);
}
