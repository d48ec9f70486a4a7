//! Histories of concurrent calls, each checked for an order that the model could have run them in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use greentic_session::{FindByUser, StoreOptions};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use super::answer::{Answer, Given, Tick};
use super::driver::Driver;
use super::op::{After, Api, Caller, Op, Parked, Slot, Spread};
use super::reference::{Limits, Model};
use crate::harness::{Harness, NEVER};
use crate::world::{MESSAGES, PEOPLE};

const THREADS: usize = 4;
const CALLS: std::ops::Range<usize> = 2..5;

/// Waits before the threads start, so that there is something to fight over.
const PRELUDE: [usize; 2] = [0, 1];

/// The claim on the first scope that all threads hold in a contest.
const SHARED: Slot = THREADS;

/// A timeout of no time comes after a millisecond (C32).
const AT_ONCE: Duration = Duration::from_millis(1);

/// What the threads do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Play {
    /// Any call.
    Any,
    /// Claim, renew, release, commit, and the writes that claims keep off.
    Contest,
    /// As `Contest`, but no session waits: flows start (C27).
    Starts,
    /// As `Contest`, but the timeouts of the waits have come: one reminds, and one has closed (C33).
    Due,
}

impl Play {
    /// Whether all threads hold a claim, made before.
    fn has_shared_claim(self) -> bool {
        matches!(self, Self::Contest | Self::Starts)
    }
}

const LIMITS: Limits = Limits {
    default_ttl: None,
    message_window: 1_000,
    max_messages: 2,
    shortest_stay: 0,
    tick: Duration::ZERO,
};

#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Call(Op),
    /// Time is one more thing that happens between the calls, where it can be injected.
    Advance(Tick),
}

impl SequentialSpec for Model {
    type Op = Event;
    type Ret = Answer;

    fn invoke(&mut self, event: &Event) -> Answer {
        match event {
            Event::Call(op) => self.apply(op),
            Event::Advance(ticks) => {
                self.advance(*ticks);
                Answer::Done
            }
        }
    }
}

/// One call of one thread: its place among all invocations and returns.
struct Recorded {
    thread: usize,
    event: Event,
    invoked: u64,
    returned: u64,
    answer: Answer,
}

/// Runs so many rounds of such calls, each with a store of its own. With `time`, one thread moves the
/// clock.
pub fn check_play<H: Harness>(play: Play, rounds: usize, seed: u8, time: bool) {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    for round in 0..rounds {
        let scripts: Vec<Vec<Event>> = (0..THREADS)
            .map(|thread| drawn(&mut runner, play, thread, time && thread == 0))
            .collect();
        let tick = if time { H::tick() } else { NEVER };
        let (model, history) = run::<H>(play, scripts, tick);
        if let Err(listing) = linearizable(model, &history) {
            panic!("round {round}: no order explains this history\n{listing}");
        }
    }
}

// Each thread has its own claims: slots are named by thread.
fn drawn(runner: &mut TestRunner, play: Play, thread: usize, time: bool) -> Vec<Event> {
    let spread = Spread {
        people: 1,
        keys: 3,
        scopes: 2,
        slots: thread..thread + 1,
        shared: play.has_shared_claim().then_some(SHARED),
    };
    let call = match play {
        Play::Any => spread.op(),
        Play::Contest | Play::Starts => spread.contest(),
        Play::Due => prop_oneof![2 => spread.contest(), 1 => spread.due()].boxed(),
    };
    let call = call.prop_filter("a key of the caller", |op| {
        let fresh = Some(None);
        !matches!(op, Op::Create { key: None, .. })
            && !matches!(op, Op::Claim { start, .. } if *start == fresh)
    });
    let call = call.prop_map(Event::Call).boxed();
    let event = if time {
        prop_oneof![1 => call, 1 => (1..4_u64).prop_map(Event::Advance)].boxed()
    } else {
        call
    };
    let script = prop::collection::vec(event, CALLS);
    script.new_tree(runner).unwrap().current()
}

fn run<H: Harness>(play: Play, scripts: Vec<Vec<Event>>, tick: Duration) -> (Model, Vec<Recorded>) {
    let window = tick * u32::try_from(LIMITS.message_window).unwrap();
    let options = StoreOptions::new()
        .message_window(window)
        .max_messages(LIMITS.max_messages)
        .find_by_user(FindByUser::WaitsAndCreated);
    let harness = Arc::new(H::open(options));
    let mut model = Model::new(LIMITS.in_ticks_of(tick));
    let mut first = Driver::new(harness.as_ref(), harness.now(), tick);
    let waits = PRELUDE.into_iter().filter(|_| play != Play::Starts);
    let waits = waits.map(|index| parked_at(index, (play == Play::Due).then_some(index == 1)));
    let claim = play.has_shared_claim().then(claim_of_all);
    for op in waits.chain(claim) {
        assert_eq!(first.call(Api::Async, &op), model.apply(&op));
    }
    if play == Play::Due {
        harness.advance(AT_ONCE);
    }
    let first = Arc::new(first);
    let order = Arc::new(AtomicU64::new(0));
    let start = Arc::new(Barrier::new(scripts.len()));
    let threads: Vec<_> = scripts
        .into_iter()
        .enumerate()
        .map(|(thread, script)| {
            let (harness, order, start) = (harness.clone(), order.clone(), start.clone());
            let first = Arc::clone(&first);
            thread::spawn(move || {
                let mut driver = first.another(harness.as_ref());
                start.wait();
                script
                    .into_iter()
                    .map(|event| record(harness.as_ref(), &mut driver, &order, thread, event, tick))
                    .collect::<Vec<_>>()
            })
        })
        .collect();
    let history = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    (model, history)
}

/// A wait, whose timeout, if it has one, comes at once: it closes or reminds.
fn parked_at(index: usize, closes: Option<bool>) -> Op {
    let ctx = PEOPLE[0];
    let by = Caller {
        ctx,
        user: ctx.user.unwrap(),
    };
    let next = Parked {
        of: ctx,
        content: 0,
        ttl: None,
        timeout: closes.map(|closes| After { ticks: 0, closes }),
    };
    Op::Park {
        by,
        scope: index,
        key: index,
        next,
        if_absent: false,
        operation: None,
    }
}

fn claim_of_all() -> Op {
    let ctx = PEOPLE[0];
    Op::Claim {
        by: Caller {
            ctx,
            user: ctx.user.unwrap(),
        },
        scopes: vec![PRELUDE[0]],
        message: MESSAGES[0],
        lease: 2,
        slot: SHARED,
        start: Some(Some(0)),
    }
}

fn record<H: Harness>(
    harness: &H,
    driver: &mut Driver,
    order: &AtomicU64,
    thread: usize,
    event: Event,
    tick: Duration,
) -> Recorded {
    let invoked = order.fetch_add(1, Ordering::SeqCst);
    let answer = match &event {
        Event::Call(op) => {
            let _turn = harness.turns().map(|turns| turns.read().unwrap());
            driver.call(Api::Async, op)
        }
        Event::Advance(ticks) => {
            let _turn = harness.turns().map(|turns| turns.write().unwrap());
            harness.advance(tick * u32::try_from(*ticks).unwrap());
            Answer::Done
        }
    };
    Recorded {
        thread,
        event,
        invoked,
        returned: order.fetch_add(1, Ordering::SeqCst),
        answer,
    }
}

fn linearizable(model: Model, history: &[Recorded]) -> Result<(), String> {
    let mut points: Vec<(u64, &Recorded)> = Vec::new();
    for call in history {
        points.push((call.invoked, call));
        points.push((call.returned, call));
    }
    points.sort_by_key(|(at, _)| *at);
    let mut tester = LinearizabilityTester::new(model);
    for (at, call) in &points {
        if *at == call.invoked {
            tester.on_invoke(call.thread, call.event.clone())?;
        } else {
            tester.on_return(call.thread, call.answer.clone())?;
        }
    }
    if tester.is_consistent() {
        return Ok(());
    }
    let line = |(at, call): &(u64, &Recorded)| {
        if *at == call.invoked {
            format!("{}: {:?}", call.thread, call.event)
        } else {
            format!("{}:   -> {:?}", call.thread, call.answer)
        }
    };
    Err(points.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// Two steps, first a look and then the claim, would let two threads start.
#[test]
fn two_starts_on_one_scope_are_rejected() {
    let started = |attempt| {
        Answer::Claimed(Given {
            key: 0,
            session: None,
            attempt,
            until: 2,
        })
    };
    let start = |thread, answer| Recorded {
        thread,
        event: Event::Call(claim_of_all()),
        invoked: thread as u64,
        returned: 2 + thread as u64,
        answer,
    };
    for attempt in [1, 2] {
        let both = [start(0, started(1)), start(1, started(attempt))];
        assert!(linearizable(Model::new(LIMITS), &both).is_err());
    }
    let one = [start(0, started(1)), start(1, Answer::Busy(2, true))];
    assert!(linearizable(Model::new(LIMITS), &one).is_ok());
}

/// The checker itself can say no.
#[test]
fn a_history_that_is_not_linearizable_is_rejected() {
    let by = Caller {
        ctx: PEOPLE[0],
        user: "ann",
    };
    let step = |thread, invoked, op, answer| Recorded {
        thread,
        event: Event::Call(op),
        invoked,
        returned: invoked + 1,
        answer,
    };
    let stale = [
        step(0, 0, parked_at(0, None), Answer::Revision(1)),
        step(1, 2, Op::Find(by, 0), Answer::Found(None)),
    ];
    assert!(linearizable(Model::new(LIMITS), &stale).is_err());
    let fresh = [
        step(0, 0, parked_at(0, None), Answer::Revision(1)),
        step(1, 2, Op::Find(by, 0), Answer::Found(Some(0))),
    ];
    assert!(linearizable(Model::new(LIMITS), &fresh).is_ok());
}
