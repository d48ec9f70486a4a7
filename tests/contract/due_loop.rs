//! `run_due` and `Worker::run_due`: what is due is worked on, bounded and until a drain.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use greentic_session::admin::ScanFilter;
use greentic_session::clock::ManualClock;
use greentic_session::{
    AsyncSessionStore, Commit, CommitOptions, DueOptions, ErrorCode, LeaseWatch, NotHandled,
    ParkOptions, Reason, SessionKey, Timeout, Turn, Worker, WorkerOptions, run_due,
};
use pollster::block_on;

use crate::observed::Observed;
use crate::samples::{ctx, data, scope, user};

/// A lease that must not end.
const LEASE: Duration = Duration::from_secs(600);
const TICK: Duration = Duration::from_millis(1);

struct Due {
    clock: Arc<ManualClock>,
    store: Arc<Observed>,
    worker: Worker,
}

impl Due {
    /// A store in which so many waits are due.
    fn new(count: usize) -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(Observed::with_clock(&clock));
        for number in 0..count {
            let (name, key) = (format!("chat-{number}"), key(number));
            let options = ParkOptions::new().timeout(Timeout::remind(TICK));
            let (ctx, user, data) = (ctx("ada"), user("ada"), data(&ctx("ada"), "{}"));
            let scope = scope(&name);
            let parked = store.park(&ctx, &user, &scope, &key, data, options);
            let _parked = block_on(parked).unwrap();
        }
        clock.advance(TICK);
        let worker = Worker::new(
            Arc::clone(&store) as Arc<dyn AsyncSessionStore>,
            WorkerOptions::new(LEASE).holder("pod-7"),
        );
        Self {
            clock,
            store,
            worker,
        }
    }

    fn left(&self, count: usize) -> usize {
        let is_there = |number: &usize| block_on(self.store.get(&key(*number))).unwrap().is_some();
        (0..count).filter(is_there).count()
    }
}

fn key(number: usize) -> SessionKey {
    SessionKey::new(format!("run-{number}"))
}

fn polled<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls a future that does not end, until it has nothing more to do without a timer.
fn go_on<F: Future>(mut future: Pin<&mut F>) {
    for _ in 0..20 {
        assert!(polled(future.as_mut()).is_pending());
    }
}

#[allow(clippy::needless_pass_by_value, reason = "the loop passes it so")]
fn no_failure(failure: NotHandled<&'static str>) {
    panic!("a turn failed: {failure:?}");
}

#[test]
fn c33_all_that_is_due_is_worked_on() {
    let due = Due::new(40);
    let reasons = RefCell::new(Vec::new());
    let work = async |turn: Turn| {
        reasons.borrow_mut().push(turn.reason);
        let committed = due
            .store
            .commit(&turn.token, Commit::Finish, CommitOptions::new());
        let _committed = committed.await.unwrap();
    };
    let options = DueOptions::new(LEASE).limit(7);
    go_on(pin!(run_due(&*due.store, &options, work)));
    assert_eq!(due.left(40), 0);
    assert_eq!(reasons.into_inner(), [Reason::Timeout; 40]);
}

#[test]
fn c33_no_more_turns_than_the_limit_are_in_progress() {
    let due = Due::new(10);
    let (begun, most) = (Cell::new(0), 3);
    let work = async |_turn: Turn| {
        begun.set(begun.get() + 1);
        pending::<()>().await;
    };
    let options = DueOptions::new(LEASE).limit(most);
    go_on(pin!(run_due(&*due.store, &options, work)));
    assert_eq!(begun.get(), most);
}

#[test]
fn c33_a_call_that_is_refused_for_good_ends_the_loop() {
    let due = Due::new(1);
    let limit = DueOptions::new(LEASE).limit(0);
    let error = block_on(run_due(&*due.store, &limit, async |_turn: Turn| {}));
    assert_eq!(error.code, ErrorCode::InvalidInput);
    let refused = due
        .worker
        .run_due(1_000, finish, |_: NotHandled<&str>| unreachable!());
    assert_eq!(block_on(refused).unwrap_err().code, ErrorCode::InvalidInput);
}

#[test]
fn c33_a_store_that_is_not_reached_is_asked_later() {
    let due = Due::new(1);
    due.store
        .unreachable
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let options = DueOptions::new(LEASE);
    go_on(pin!(run_due(
        &*due.store,
        &options,
        async |_turn: Turn| unreachable!()
    )));
    assert_eq!(due.store.polls(), 1);
}

async fn finish(_turn: &Turn, _watch: LeaseWatch) -> Result<Commit, &'static str> {
    Ok(Commit::Finish)
}

#[test]
fn c33_a_worker_commits_what_its_handler_returns() {
    let due = Due::new(20);
    {
        let mut loops = pin!(due.worker.run_due(4, finish, no_failure));
        go_on(loops.as_mut());
        assert_eq!(due.left(20), 0);
        // The drain ends it.
        assert_eq!(block_on(due.worker.drain(Duration::ZERO)), 0);
        assert!(matches!(polled(loops.as_mut()), Poll::Ready(Ok(()))));
    }
    // A drained worker asks for nothing.
    let polls = due.store.polls();
    block_on(due.worker.run_due(4, finish, no_failure)).unwrap();
    assert_eq!(due.store.polls(), polls);
}

#[test]
fn c33_a_drain_waits_for_due_turns_and_releases_those_that_do_not_end() {
    let due = Due::new(2);
    let failures = Cell::new(0);
    let count = |failure: NotHandled<&str>| {
        assert!(matches!(failure, NotHandled::Draining), "{failure:?}");
        failures.set(failures.get() + 1);
    };
    let stuck = async |_turn: &Turn, _watch: LeaseWatch| {
        pending::<()>().await;
        Ok::<_, &'static str>(Commit::Finish)
    };
    let mut loops = pin!(due.worker.run_due(8, stuck, count));
    go_on(loops.as_mut());
    assert_eq!(due.store.polls(), 1);
    let filter = ScanFilter::new().holder("pod-7");
    let held = due.store.scan(&filter, None, 10);
    assert_eq!(block_on(held).unwrap().sessions.len(), 2);
    assert_eq!(block_on(due.worker.drain(Duration::ZERO)), 2);
    assert!(matches!(polled(loops.as_mut()), Poll::Ready(Ok(()))));
    assert_eq!(failures.get(), 2);
    let page = block_on(due.store.claim_due(&DueOptions::new(LEASE))).unwrap();
    let attempts: Vec<_> = page.turns.iter().map(|turn| turn.attempt).collect();
    assert_eq!(attempts, [2, 2], "they are due at once");
}

/// A drain releases turns, which are due again at once. The loop does not ask for them.
#[test]
fn c33_a_drain_ends_a_loop_that_has_more_to_do() {
    let due = Due::new(5);
    let stuck = async |_turn: &Turn, _watch: LeaseWatch| {
        pending::<()>().await;
        Ok::<_, &'static str>(Commit::Finish)
    };
    // A loop that asks again releases and reports without end.
    let reports = Cell::new(0);
    let count = |_draining| {
        reports.set(reports.get() + 1);
        assert!(reports.get() <= 2, "the loop took more turns");
    };
    let mut loops = pin!(due.worker.run_due(2, stuck, count));
    go_on(loops.as_mut());
    let polls = due.store.polls();
    assert_eq!(block_on(due.worker.drain(Duration::ZERO)), 2);
    assert!(matches!(polled(loops.as_mut()), Poll::Ready(Ok(()))));
    assert_eq!(due.store.polls(), polls);
    assert_eq!(due.left(5), 5);
}

#[test]
fn c33_a_failed_handler_pauses_its_wait_and_no_other() {
    let due = Due::new(1);
    let (begun, failed) = (Cell::new(0), Cell::new(0));
    let fail = async |_turn: &Turn, _watch: LeaseWatch| {
        begun.set(begun.get() + 1);
        Err::<Commit, _>("no")
    };
    let count = |failure: NotHandled<&str>| {
        assert!(matches!(failure, NotHandled::Work("no")), "{failure:?}");
        failed.set(failed.get() + 1);
    };
    let ask = || go_on(pin!(due.worker.run_due(1, &fail, &count)));
    ask();
    assert_eq!((begun.get(), failed.get()), (1, 1));
    // The lease of 1 ms, and the pause.
    due.clock.advance(Duration::from_secs(1));
    ask();
    assert_eq!(begun.get(), 1);
    due.clock.advance(TICK);
    ask();
    assert_eq!((begun.get(), failed.get()), (2, 2));
    due.clock.advance(Duration::from_secs(1) + TICK);
    ask();
    assert_eq!(begun.get(), 2, "the pause doubles");
}

#[test]
fn c33_a_dropped_loop_releases_its_turns() {
    let due = Due::new(3);
    let stuck = async |_turn: &Turn, _watch: LeaseWatch| {
        pending::<()>().await;
        Ok::<_, &'static str>(Commit::Finish)
    };
    go_on(pin!(due.worker.run_due(8, stuck, no_failure)));
    let page = block_on(due.store.claim_due(&DueOptions::new(LEASE))).unwrap();
    assert_eq!(page.turns.len(), 3);
}

#[test]
fn c33_a_handler_that_panics_leaves_no_turn_behind() {
    let due = Due::new(3);
    let panics = async |_turn: &Turn, _watch: LeaseWatch| -> Result<Commit, &'static str> {
        panic!("the handler panics");
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        go_on(pin!(due.worker.run_due(3, panics, no_failure)));
    }));
    assert!(ended.is_err());
    let page = block_on(due.store.claim_due(&DueOptions::new(LEASE))).unwrap();
    assert_eq!(page.turns.len(), 3);
}

#[test]
fn c33_a_loop_runs_in_a_task_of_a_server() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let due = Arc::new(Due::new(5));
        let task = tokio::spawn({
            let due = Arc::clone(&due);
            async move { due.worker.run_due(2, finish, no_failure).await }
        });
        while due.left(5) > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(due.worker.drain(LEASE).await, 0);
        task.await.unwrap().unwrap();
    });
}
