//! `Worker`: each message gets one turn, and is acknowledged only if it was committed.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    AsyncSessionStore, Commit, CommitOptions, Ending, ErrorCode, GreenticError, Handled,
    LeaseWatch, MessageId, NotHandled, Turn, Worker, WorkerOptions,
};

use crate::observed::{CommitFault, Observed};
use crate::samples::{ctx, data, scope, user};

/// A lease that must not end, however loaded the machine is.
const LEASE: Duration = Duration::from_secs(600);
/// A wait that must not end.
const LONG: Duration = Duration::from_secs(600);

/// What a call answers if it ran the turn, and if the message was committed before.
const ANSWERED: bool = false;
const DUPLICATE: bool = true;

type Outcome = Result<Handled, NotHandled<&'static str>>;

/// A bot that counts the messages of a conversation in the data of its session.
async fn count(turn: &Turn, _watch: LeaseWatch) -> Result<Commit, &'static str> {
    let counted: u32 = turn
        .data()
        .map_or(0, |data| data.context_json.parse().unwrap());
    Ok(Commit::park_here(data(
        &ctx("ada"),
        &(counted + 1).to_string(),
    )))
}

struct Bot {
    store: Arc<Observed>,
    worker: Worker,
}

impl Bot {
    fn new() -> Self {
        Self::on(
            Observed::default(),
            WorkerOptions::new(LEASE).wait_for_turn(LONG),
        )
    }

    /// A bot that does not wait for turns.
    fn impatient() -> Self {
        let options = WorkerOptions::new(LEASE).wait_for_turn(Duration::ZERO);
        Self::on(Observed::default(), options)
    }

    fn on(store: Observed, options: WorkerOptions) -> Self {
        let store = Arc::new(store);
        Self {
            worker: Worker::new(Arc::clone(&store) as Arc<dyn AsyncSessionStore>, options),
            store,
        }
    }

    async fn handle(
        &self,
        message: &str,
        work: impl AsyncFnOnce(&Turn, LeaseWatch) -> Result<Commit, &'static str>,
    ) -> Outcome {
        let (ctx, user, scopes) = (ctx("ada"), user("ada"), [scope("chat")]);
        let message = MessageId::new(message);
        self.worker
            .handle(&ctx, &user, &scopes, &message, work)
            .await
    }

    /// Handles a message with the counting bot.
    fn counts(&self, message: &str) -> bool {
        pollster::block_on(self.handle(message, count))
            .unwrap()
            .duplicate
    }

    /// What the session counts.
    fn counted(&self) -> u32 {
        pollster::block_on(async {
            let found = self.store.latest(&ctx("ada"), &user("ada")).await.unwrap();
            found.unwrap().data.context_json.parse().unwrap()
        })
    }
}

fn polled<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn each_message_is_handled_once_from_the_first_on() {
    let bot = Bot::new();
    for (message, expected) in [
        ("m-1", ANSWERED),
        ("m-1", DUPLICATE),
        ("m-2", ANSWERED),
        ("m-1", DUPLICATE),
        ("m-2", DUPLICATE),
    ] {
        assert_eq!(bot.counts(message), expected, "{message}");
    }
    assert_eq!(bot.counted(), 2);
    assert_eq!((bot.store.commits(), bot.store.renewals()), (2, 0));
}

#[test]
fn a_redelivery_has_the_reply_of_the_first() {
    let bot = Bot::new();
    let message = MessageId::new("m-1");
    for duplicate in [ANSWERED, DUPLICATE] {
        let (ctx, user, scopes) = (ctx("ada"), user("ada"), [scope("chat")]);
        let handled = bot
            .worker
            .handle(&ctx, &user, &scopes, &message, async |_turn, _watch| {
                let options = CommitOptions::new().reply(*b"welcome");
                Ok::<_, GreenticError>(Ending::new(Commit::Finish, options))
            });
        let handled = pollster::block_on(handled).unwrap();
        assert_eq!(handled.duplicate, duplicate);
        assert_eq!(handled.reply.as_deref(), Some(&b"welcome"[..]));
        assert!(!format!("{handled:?}").contains("welcome"), "C18");
    }
}

#[test]
fn a_message_waits_until_the_one_before_it_is_committed() {
    let bot = Bot::new();
    pollster::block_on(async {
        let may_end = Cell::new(false);
        let first = bot.handle("m-1", async |turn, watch| {
            while !may_end.get() {
                pause().await;
            }
            count(turn, watch).await
        });
        let second = bot.handle("m-2", count);
        let (mut first, mut second) = (pin!(first), pin!(second));
        assert!(polled(first.as_mut()).is_pending());
        let claims = bot.store.claims();
        while bot.store.claims() < claims + 2 {
            let both = poll_fn(|context| {
                assert!(first.as_mut().poll(context).is_pending());
                Poll::Ready(second.as_mut().poll(context))
            });
            assert!(both.await.is_pending(), "the first has the turn");
            pause().await;
        }
        may_end.set(true);
        assert_eq!(first.await.unwrap().duplicate, ANSWERED);
        assert_eq!(second.await.unwrap().duplicate, ANSWERED);
    });
    assert_eq!(bot.counted(), 2);
}

#[test]
fn a_message_that_does_not_get_its_turn_in_time_is_not_acknowledged() {
    let bot = Bot::impatient();
    let work = bot.handle("m-1", async |_turn, _watch| pending().await);
    let mut work = pin!(work);
    assert!(polled(work.as_mut()).is_pending());
    for (message, same) in [("m-1", true), ("m-2", false)] {
        match pollster::block_on(bot.handle(message, count)) {
            Err(refused @ NotHandled::Busy { same_message }) => {
                assert_eq!(same_message, same);
                assert_eq!(refused.http_status(), 503);
            }
            other => panic!("{message}: {other:?}"),
        }
    }
}

#[test]
fn a_failed_handler_releases_its_turn() {
    let bot = Bot::impatient();
    let failed = pollster::block_on(bot.handle("m-1", async |_turn, _watch| Err("no answer")));
    let failed = failed.unwrap_err();
    assert!(matches!(failed, NotHandled::Work("no answer")));
    assert!(!failed.to_string().contains("no answer"));
    let attempt = Cell::new(0);
    let again = bot.handle("m-1", async |turn, watch| {
        attempt.set(turn.attempt);
        count(turn, watch).await
    });
    assert_eq!(pollster::block_on(again).unwrap().duplicate, ANSWERED);
    assert_eq!(attempt.get(), 2);
}

#[test]
fn a_dropped_handler_releases_its_turn() {
    let bot = Bot::impatient();
    {
        let work = bot.handle("m-1", async |_turn, _watch| pending().await);
        let mut work = pin!(work);
        assert!(polled(work.as_mut()).is_pending());
    }
    assert_eq!(bot.counts("m-1"), ANSWERED);
    assert_eq!(pollster::block_on(bot.worker.drain(LONG)), 0);
}

#[test]
fn a_commit_whose_outcome_is_unknown_is_repeated() {
    for faults in [
        &[CommitFault::AnswerLost][..],
        &[
            CommitFault::NotDone,
            CommitFault::AnswerLost,
            CommitFault::NotDone,
        ],
    ] {
        let bot = Bot::new();
        bot.store.commit_faults.lock().unwrap().extend(faults);
        assert_eq!(bot.counts("m-1"), ANSWERED);
        assert_eq!(bot.store.commits(), faults.len() + 1);
        assert_eq!(bot.counted(), 1);
    }
}

#[test]
fn a_commit_that_never_succeeds_is_not_acknowledged() {
    let options = WorkerOptions::new(LEASE)
        .wait_for_turn(Duration::ZERO)
        .wait_for_commit(Duration::ZERO);
    let bot = Bot::on(Observed::default(), options);
    bot.store
        .commit_faults
        .lock()
        .unwrap()
        .push_back(CommitFault::NotDone);
    let refused = pollster::block_on(bot.handle("m-1", count)).unwrap_err();
    let NotHandled::Store(error) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert_eq!(refused.http_status(), 503);
    assert_eq!(bot.counts("m-1"), ANSWERED, "the turn is released");
    assert_eq!(bot.counted(), 1);
}

#[test]
fn a_commit_that_may_have_been_done_stays_unknown() {
    let options = WorkerOptions::new(LEASE).wait_for_commit(Duration::from_millis(200));
    let bot = Bot::on(Observed::default(), options);
    {
        let mut faults = bot.store.commit_faults.lock().unwrap();
        faults.push_back(CommitFault::AnswerLost);
        faults.extend([CommitFault::NotDone; 1000]);
    }
    let refused = pollster::block_on(bot.handle("m-1", count)).unwrap_err();
    let NotHandled::Store(error) = &refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code, ErrorCode::Timeout);
    assert_eq!(bot.counts("m-1"), DUPLICATE);
}

#[test]
fn the_lease_is_renewed_while_the_handler_waits() {
    let options = WorkerOptions::new(Duration::from_secs(4));
    let bot = Bot::on(Observed::default(), options);
    let handled = bot.handle("m-1", async |turn, watch| {
        while bot.store.renewals() == 0 {
            pause().await;
        }
        assert!(!watch.is_lost());
        count(turn, watch).await
    });
    assert_eq!(pollster::block_on(handled).unwrap().duplicate, ANSWERED);
}

#[test]
fn a_lost_turn_ends_without_a_commit() {
    let clock = Arc::new(ManualClock::default());
    let store = Observed::with_clock(&clock);
    let lease = Duration::from_millis(30);
    let bot = Bot::on(store, WorkerOptions::new(lease));
    let handled = bot.handle("m-1", async |turn, watch| {
        clock.advance(2 * lease);
        // Another process takes the turn over.
        assert_eq!(bot.handle("m-2", count).await.unwrap().duplicate, ANSWERED);
        watch.lost().await;
        count(turn, watch).await
    });
    let lost = pollster::block_on(handled).unwrap_err();
    assert!(matches!(lost, NotHandled::Lost), "{lost:?}");
    assert_eq!(bot.store.commits(), 1);
    assert_eq!(bot.counts("m-1"), ANSWERED);
    assert_eq!(bot.counted(), 2);
}

#[test]
fn a_turn_whose_loss_nobody_noticed_is_not_committed() {
    let clock = Arc::new(ManualClock::default());
    let store = Observed::with_clock(&clock);
    let bot = Bot::on(store, WorkerOptions::new(LEASE));
    let handled = bot.handle("m-1", async |turn, watch| {
        clock.advance(2 * LEASE);
        assert_eq!(bot.handle("m-2", count).await.unwrap().duplicate, ANSWERED);
        count(turn, watch).await
    });
    let lost = pollster::block_on(handled).unwrap_err();
    assert!(matches!(lost, NotHandled::Lost), "{lost:?}");
    assert_eq!(lost.http_status(), 503);
    assert_eq!(bot.counted(), 1);
}

#[test]
fn a_drain_waits_for_the_turns_in_progress_and_takes_no_new_ones() {
    let bot = Bot::new();
    let may_end = Cell::new(false);
    pollster::block_on(async {
        let work = bot.handle("m-1", async |turn, watch| {
            while !may_end.get() {
                pause().await;
            }
            count(turn, watch).await
        });
        let waiting = bot.handle("m-2", count);
        let (mut work, mut waiting) = (pin!(work), pin!(waiting));
        assert!(polled(work.as_mut()).is_pending());
        assert!(polled(waiting.as_mut()).is_pending());
        let mut drain = pin!(bot.worker.drain(LONG));
        assert!(!bot.worker.is_draining());
        assert!(polled(drain.as_mut()).is_pending());
        assert!(bot.worker.is_draining());

        let refused = bot.handle("m-3", count).await.unwrap_err();
        assert!(matches!(refused, NotHandled::Draining), "{refused:?}");
        assert_eq!(refused.http_status(), 503);
        let refused = waiting.await.unwrap_err();
        assert!(matches!(refused, NotHandled::Draining), "{refused:?}");

        assert!(polled(drain.as_mut()).is_pending(), "a turn is in progress");
        may_end.set(true);
        assert_eq!(work.await.unwrap().duplicate, ANSWERED);
        assert_eq!(drain.await, 0);
    });
}

#[test]
fn a_drained_worker_takes_no_turn() {
    let bot = Bot::new();
    assert_eq!(pollster::block_on(bot.worker.drain(LONG)), 0);
    let refused = pollster::block_on(bot.handle("m-1", count)).unwrap_err();
    assert!(matches!(refused, NotHandled::Draining), "{refused:?}");
    assert_eq!(bot.store.claims(), 0);
}

#[test]
fn a_drain_releases_what_does_not_end_in_time() {
    let bot = Bot::new();
    pollster::block_on(async {
        let work = bot.handle("m-1", async |_turn, _watch| pending().await);
        let mut work = pin!(work);
        assert!(polled(work.as_mut()).is_pending());
        assert_eq!(bot.worker.drain(Duration::ZERO).await, 1);
        // Free before the handler, which may be stuck, notices.
        let other = Bot {
            worker: Worker::new(
                Arc::clone(&bot.store) as Arc<dyn AsyncSessionStore>,
                WorkerOptions::new(LEASE).wait_for_turn(Duration::ZERO),
            ),
            store: Arc::clone(&bot.store),
        };
        assert_eq!(
            other.handle("m-1", count).await.unwrap().duplicate,
            ANSWERED
        );
        let ended = work.await.unwrap_err();
        assert!(matches!(ended, NotHandled::Draining), "{ended:?}");
        assert_eq!(bot.worker.drain(Duration::ZERO).await, 0);
    });
}

#[test]
fn a_drain_wakes_the_handlers_that_wait() {
    let bot = Arc::new(Bot::new());
    let working = Arc::clone(&bot);
    let started = Arc::new(std::sync::Barrier::new(2));
    let begun = Arc::clone(&started);
    let thread = std::thread::spawn(move || {
        pollster::block_on(working.handle("m-1", async |_turn, _watch| {
            begun.wait();
            pending().await
        }))
    });
    started.wait();
    assert_eq!(pollster::block_on(bot.worker.drain(Duration::ZERO)), 1);
    let ended = thread.join().unwrap().unwrap_err();
    assert!(matches!(ended, NotHandled::Draining), "{ended:?}");
}

#[test]
fn a_refused_argument_is_named_before_any_work() {
    let bot = Bot::new();
    let refused = pollster::block_on(bot.handle("", count)).unwrap_err();
    assert!(
        refused.to_string().contains("message id is empty"),
        "{refused}"
    );
    assert_eq!(refused.http_status(), 422, "each delivery is refused");
}

/// A server runs handlers in tasks that move between threads, with closures that borrow.
#[test]
fn a_call_runs_in_a_task_of_a_server() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let worker = Arc::new(Worker::new(
        Arc::new(InMemorySessionStore::new()),
        WorkerOptions::new(LEASE),
    ));
    let text = "hello".to_owned();
    let handled = runtime.spawn(async move {
        let (ctx, user, scopes) = (ctx("ada"), user("ada"), [scope("chat")]);
        let mut answer = String::new();
        let message = MessageId::new("m-1");
        let handled = worker
            .handle(&ctx, &user, &scopes, &message, async |turn, _watch| {
                assert!(turn.session.is_none());
                tokio::task::yield_now().await;
                answer.push_str(&text);
                Ok::<_, GreenticError>(Commit::Finish)
            })
            .await;
        assert_eq!(answer, "hello");
        handled.unwrap().duplicate
    });
    assert_eq!(runtime.block_on(handled).unwrap(), ANSWERED);
}

/// Lets the other half of the task run.
async fn pause() {
    futures_timer::Delay::new(Duration::from_millis(1)).await;
}
