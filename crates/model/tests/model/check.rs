//! Random sequences of calls on a store and on the model: both must give the same answers, and show the
//! same, all along.

use std::thread;
use std::time::Duration;

use greentic_session::{FindByUser, StoreOptions};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseResult, TestRunner};

use super::answer::{Answer, Tick};
use super::driver::Driver;
use super::op::{Api, Caller, Op, Parked, Spread};
use super::reference::{Limits, Model};
use crate::harness::{Harness, NEVER};
use crate::world::{PEOPLE, SCOPES};

/// How many cases, and how.
#[derive(Clone, Copy)]
pub struct Plan {
    pub cases: u32,
    /// How many threads play cases side by side: where time is real, they mostly sleep.
    pub threads: u32,
    /// Whether time passes; if not, everything lasts longer than the case.
    pub time: bool,
    /// How often all that can be seen is compared, in steps.
    pub observe_every: usize,
    /// The file where failures are kept.
    pub regressions: &'static str,
}

#[derive(Clone, Debug)]
enum Step {
    Call(Api, Op),
    /// Makes an earlier call once more: the one so many steps ago (C14).
    Again(usize),
    Advance(Tick),
    Reopen,
}

fn step(spread: &Spread, time: bool) -> BoxedStrategy<Step> {
    let api = prop_oneof![Just(Api::Async), Just(Api::Sync)];
    let step = prop_oneof![
        14 => (api, spread.op()).prop_map(|(api, op)| Step::Call(api, op)),
        2 => (1..4_usize).prop_map(Step::Again),
        1 => Just(Step::Reopen),
    ];
    if time {
        prop_oneof![17 => step, 3 => (1..4_u64).prop_map(Step::Advance)].boxed()
    } else {
        step.boxed()
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    let default_ttl = prop::option::weighted(0.3, 2..6_u64);
    (default_ttl, 1..12_u64, 1..3_usize).prop_map(|(default_ttl, message_window, max_messages)| {
        Limits {
            default_ttl,
            message_window,
            max_messages,
            shortest_stay: 0,
            tick: Duration::ZERO,
        }
    })
}

/// Runs so many random sequences on a store whose time is injected.
pub fn check<H: Harness>(cases: u32, regressions: &'static str) {
    check_as::<H>(&Plan {
        cases,
        threads: 1,
        time: true,
        observe_every: 4,
        regressions,
    });
}

/// Runs random sequences as planned.
pub fn check_as<H: Harness>(plan: &Plan) {
    thread::scope(|scope| {
        for _ in 0..plan.threads {
            scope.spawn(|| check_share::<H>(plan));
        }
    });
}

fn check_share<H: Harness>(plan: &Plan) {
    let config = Config {
        cases: plan.cases.div_ceil(plan.threads),
        max_shrink_iters: 20_000,
        max_shrink_time: 60_000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(plan.regressions))),
        ..Config::default()
    };
    let steps = |spread: Spread| prop::collection::vec(step(&spread, plan.time), 1..60);
    let steps = prop_oneof![steps(Spread::wide()), steps(Spread::narrow())];
    let outcome = TestRunner::new(config).run(&(limits(), steps), |(limits, steps)| {
        judge::<H>(plan, limits, &steps)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// Plays a case in ticks that are long enough for it: only then does what it shows count.
fn judge<H: Harness>(plan: &Plan, limits: Limits, steps: &[Step]) -> TestCaseResult {
    let mut tick = if plan.time { H::tick() } else { NEVER };
    loop {
        let mut run = Run::<H>::new(limits, tick);
        let verdict = run.all(steps, plan);
        // The pauses after lapsed leases count in seconds (C33). No lease lapses where no time passes.
        let allowed = if plan.time {
            tick.min(Duration::from_secs(1))
        } else {
            tick
        };
        if run.harness.drift() < allowed {
            return verdict;
        }
        tick *= 2;
    }
}

/// How many ticks a case waits for the records of starts.
const PATIENCE: Tick = 10;

struct Run<H> {
    harness: H,
    driver: Driver,
    model: Model,
    tick: Duration,
}

impl<H: Harness> Run<H> {
    fn new(limits: Limits, tick: Duration) -> Self {
        let limits = limits.in_ticks_of(tick);
        let ticks = |ticks: Tick| tick * u32::try_from(ticks).unwrap();
        let mut options = StoreOptions::new()
            .message_window(ticks(limits.message_window))
            .max_messages(limits.max_messages)
            .find_by_user(FindByUser::WaitsAndCreated);
        options.default_ttl = limits.default_ttl.map(ticks);
        let harness = H::open(options);
        let driver = Driver::new(&harness, harness.now(), tick);
        Self {
            harness,
            driver,
            model: Model::new(limits),
            tick,
        }
    }

    fn all(&mut self, steps: &[Step], plan: &Plan) -> TestCaseResult {
        for (index, step) in steps.iter().enumerate() {
            match step {
                Step::Call(api, op) => self.call(*api, op)?,
                Step::Again(back) => {
                    let earlier = index.checked_sub(*back).map(|earlier| &steps[earlier]);
                    if let Some(Step::Call(api, op)) = earlier {
                        self.call(*api, op)?;
                    }
                }
                Step::Advance(ticks) => self.advance(*ticks),
                Step::Reopen => self.driver.reopen(&mut self.harness),
            }
            if index % plan.observe_every == 0 {
                self.observe()?;
            }
        }
        self.observe()?;
        if plan.time { self.empty() } else { Ok(()) }
    }

    fn call(&mut self, api: Api, op: &Op) -> TestCaseResult {
        if !self.can_be_named(op) {
            return Ok(());
        }
        let loses_outcome = api == Api::Sync && Driver::is_in_sync_api(op);
        let expected = self.model.apply(op);
        let expected = if loses_outcome {
            expected.for_sync_api()
        } else {
            expected
        };
        let answer = self.driver.call(api, op);
        prop_assert_eq!(answer, expected, "{:?} on the {:?} API", op, api);
        Ok(())
    }

    // A fresh key can be named from the moment on that it was drawn.
    fn can_be_named(&self, op: &Op) -> bool {
        match op {
            Op::Create { key: Some(key), .. }
            | Op::Get(key)
            | Op::GetFenced(_, key)
            | Op::Update { key, .. }
            | Op::Remove { key, .. }
            | Op::Park { key, .. }
            | Op::SetTimeout { key, .. }
            | Op::Claim {
                start: Some(Some(key)),
                ..
            } => *key < self.model.keys(),
            _ => true,
        }
    }

    fn advance(&mut self, ticks: Tick) {
        self.harness
            .advance(self.tick * u32::try_from(ticks).unwrap());
        self.model.advance(ticks);
    }

    /// Compares everything that is visible.
    fn observe(&mut self) -> TestCaseResult {
        for key in 0..self.model.keys() {
            self.call(Api::Async, &Op::Get(key))?;
            for by in PEOPLE {
                self.call(Api::Async, &Op::GetFenced(by, key))?;
            }
        }
        for ctx in PEOPLE {
            let by = Caller {
                ctx,
                user: ctx.user.unwrap_or("ann"),
            };
            self.call(Api::Async, &Op::Waits(by))?;
            self.call(Api::Async, &Op::Latest(by))?;
            for scope in 0..SCOPES {
                self.call(Api::Async, &Op::Find(by, scope))?;
            }
        }
        Ok(())
    }

    /// C13: once all leases, TTLs and windows are over and the rest is removed, nothing is left.
    fn empty(&mut self) -> TestCaseResult {
        self.advance(self.model.quiet_in());
        if self.model.limits().shortest_stay <= PATIENCE {
            self.advance(PATIENCE);
        }
        // Where a tick is short, records outlast the case by far: waits replace them.
        for (by, scope) in self.model.starts() {
            let key = self.model.keys() - 1;
            let remove = Op::Remove {
                fence: None,
                key,
                if_revision: None,
            };
            self.call(Api::Async, &remove)?;
            let next = Parked {
                of: by.ctx,
                content: 0,
                ttl: None,
                timeout: None,
            };
            let park = Op::Park {
                by,
                scope,
                key,
                next,
                if_absent: false,
                operation: None,
            };
            self.call(Api::Async, &park)?;
        }
        for key in 0..self.model.keys() {
            let remove = Op::Remove {
                fence: None,
                key,
                if_revision: None,
            };
            self.call(Api::Async, &remove)?;
        }
        for key in 0..self.model.keys() {
            let gone = self.driver.call(Api::Async, &Op::Get(key));
            prop_assert_eq!(gone, Answer::Session(None));
        }
        // The entry of an expired session stays in the due index until somebody polls (C13).
        self.call(Api::Async, &Op::ClaimDue { lease: 1, slot: 0 })?;
        prop_assert_eq!(self.harness.leftovers(), 0, "something stayed behind");
        Ok(())
    }
}
