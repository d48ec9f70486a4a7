//! Many workers, every message delivered several times in any order, workers that stall and crash:
//! each message must count once, and none may be lost (C16), also if it starts its flow (C27). Timeouts
//! that race with the messages count once too (C32).
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use greentic_session::admin::ScanFilter;
use greentic_session::{
    AsyncSessionStore, ClaimOptions, ClaimOutcome, Commit, CommitOptions, Conflict, DueOptions,
    GreenticError, MessageId, ParkOptions, Reason, ReplyScope, SessionData, SessionErrorExt,
    SessionKey, StartOptions, Timeout, Turn,
};
use greentic_types::{EnvId, FlowId, SessionCursor, TenantCtx, TenantId, UserId};

/// Of a hundred deliveries, at how many the worker stalls until its lease has run out, goes away
/// before its commit, and goes away after it.
const STALLS: u64 = 5;
const CRASHES: u64 = 2;
const CRASHES_AFTER: u64 = 2;

/// Of a hundred deliveries, before how many a worker looks for timeouts, and how many it takes.
const POLLS: u64 = 20;
const DUE_AT_ONCE: usize = 4;

/// How many deliveries of flows that start are shuffled together.
const NEAR: usize = 24;

/// Between two disturbances.
const PAUSE: Duration = Duration::from_millis(2);

pub struct Torture<'a> {
    pub messages: usize,
    /// How often each message is delivered.
    pub times: usize,
    pub workers: usize,
    /// How many flows there are, each of a user of its own; the messages are spread over them.
    pub flows: usize,
    /// Whether the first message of a flow starts it; else it waits already.
    pub starts: bool,
    /// Whether each wait has a timeout, of half a lease. The timeouts of every other flow close.
    pub timeouts: bool,
    pub lease: Duration,
    /// The store that a worker uses: the same, or another on the same sessions.
    pub open: &'a (dyn Fn() -> Arc<dyn AsyncSessionStore> + Sync),
    /// Lets time pass for the store: sleeps, or moves its clock.
    pub pass: &'a (dyn Fn(Duration) + Sync),
    /// Called over and over beside the workers, with the number of commits so far.
    pub disturb: &'a (dyn Fn(usize) + Sync),
}

/// What was counted. A commit is counted by its Ok, an effect by what the sessions hold in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub messages: usize,
    pub deliveries: usize,
    /// Deliveries that were repeated because no worker had answered them.
    pub redeliveries: usize,
    /// Claims on a wait after another worker's lease had ended.
    pub takeovers: usize,
    /// Commits that were refused because the claim was taken over.
    pub refused: usize,
    pub duplicates: usize,
    pub commits: usize,
    /// Calls with an unknown outcome, which were repeated.
    pub unanswered: usize,
    pub crashes_after_commit: usize,
    /// Turns that started a flow, and were taken over or not.
    pub starts: usize,
    /// Commits of turns that came because nobody had answered in time.
    pub timeouts: usize,
    pub lost: usize,
    pub doubled: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} messages, {} deliveries, {} redeliveries, {} takeovers, {} late commits refused, {} \
             duplicates refused, {} unanswered calls, {} starts, {} timeouts, lost = {}, doubled = {}",
            self.messages,
            self.deliveries,
            self.redeliveries,
            self.takeovers,
            self.refused,
            self.duplicates,
            self.unanswered,
            self.starts,
            self.timeouts,
            self.lost,
            self.doubled
        )
    }
}

impl Tally {
    /// Each message was counted once, and every further delivery was reported as a duplicate.
    pub fn assert_exact(&self) {
        assert_eq!((self.lost, self.doubled), (0, 0), "{self}");
        assert_eq!(self.commits, self.messages, "{self}");
        let further = self.deliveries - self.messages + self.crashes_after_commit;
        assert_eq!(self.duplicates, further, "{self}");
        // The late commit of a start counts, unless it was taken over.
        let is_refused = self.refused > 0 || self.starts > 0;
        assert!(
            self.takeovers > 0 && is_refused,
            "nothing was tortured: {self}"
        );
    }
}

/// A message: its flow, and its place among the flow's messages.
#[derive(Clone, Copy)]
struct Message {
    flow: usize,
    number: usize,
}

struct Run<'a> {
    torture: &'a Torture<'a>,
    queue: Mutex<VecDeque<Message>>,
    /// Deliveries that no worker has answered yet.
    open: AtomicUsize,
    tally: Mutex<Tally>,
    ended: AtomicBool,
}

/// A worker that fails ends all.
struct EndOnPanic<'a>(&'a AtomicBool);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Torture<'_> {
    /// # Panics
    /// If a call fails for a reason that no disturbance explains.
    pub fn run(&self) -> Tally {
        let store = (self.open)();
        let waiting = if self.starts { 0 } else { self.flows };
        for flow in 0..waiting {
            let state = State::new(self.messages_of(flow));
            let (ctx, user, scope) = (ctx(flow), user(flow), scope());
            let (key, data) = (key(flow), data(flow, &state));
            let mut options = ParkOptions::new();
            options.timeout = self.timeout(flow);
            let park = store.park(&ctx, &user, &scope, &key, data, options);
            let _parked = pollster::block_on(park).unwrap();
        }
        let run = Run {
            torture: self,
            queue: Mutex::new(self.deliveries()),
            open: AtomicUsize::new(self.messages * self.times),
            tally: Mutex::default(),
            ended: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            scope.spawn(|| run.disturb());
            let run = &run;
            for worker in 0..self.workers {
                scope.spawn(move || {
                    let _end = EndOnPanic(&run.ended);
                    run.work(worker);
                    run.ended.store(true, Ordering::Relaxed);
                });
            }
        });
        let mut tally = run.tally.into_inner().unwrap();
        tally.messages = self.messages;
        tally.deliveries = self.messages * self.times;
        let mut timeouts = 0;
        for flow in 0..self.flows {
            let key = match self.starts {
                true => {
                    let (ctx, user, scope) = (ctx(flow), user(flow), scope());
                    pollster::block_on(store.find(&ctx, &user, &scope)).unwrap()
                }
                false => Some(key(flow)),
            };
            let session = pollster::block_on(store.get(&key.unwrap())).unwrap();
            let state = State::of(&session.unwrap().data);
            tally.lost += state.messages.iter().filter(|count| **count == 0).count();
            tally.doubled += state.messages.iter().filter(|count| **count > 1).count();
            timeouts += state.timeouts;
        }
        assert_eq!(
            timeouts, tally.timeouts,
            "timeouts lost or doubled: {tally}"
        );
        // A flow that was started twice left a session that no longer waits.
        let stats = pollster::block_on(store.stats(&ScanFilter::new())).unwrap();
        tally.doubled += usize::try_from(stats.total.sessions()).unwrap() - self.flows;
        tally
    }

    fn timeout(&self, flow: usize) -> Option<Timeout> {
        let after = self.lease / 2;
        self.timeouts.then(|| match flow % 2 {
            0 => Timeout::remind(after),
            _ => Timeout::close(after),
        })
    }

    fn messages_of(&self, flow: usize) -> usize {
        (flow..self.messages).step_by(self.flows).count()
    }

    /// All deliveries, in any order; those of a flow that starts are not far from each other.
    fn deliveries(&self) -> VecDeque<Message> {
        let message = |index: usize| Message {
            flow: index % self.flows,
            number: index / self.flows,
        };
        let all = (0..self.messages).map(message);
        let (mut all, near): (Vec<_>, _) = match self.starts {
            false => {
                let all = all.cycle().take(self.messages * self.times);
                (all.collect(), self.messages * self.times)
            }
            true => {
                let all = all.flat_map(|message| [message].repeat(self.times));
                (all.collect(), NEAR)
            }
        };
        let mut dice = Dice(1);
        for near in all.chunks_mut(near) {
            for last in (1..near.len()).rev() {
                near.swap(last, dice.below(last as u64 + 1) as usize);
            }
        }
        all.into()
    }
}

impl Run<'_> {
    fn disturb(&self) {
        while !self.has_ended() {
            let commits = self.tally.lock().unwrap().commits;
            (self.torture.disturb)(commits);
            thread::sleep(PAUSE);
        }
    }

    fn work(&self, worker: usize) {
        let store = (self.torture.open)();
        let mut dice = Dice(worker as u64 + 2);
        while self.open.load(Ordering::SeqCst) > 0 && !self.has_ended() {
            let Some(message) = self.queue.lock().unwrap().pop_front() else {
                thread::yield_now();
                continue;
            };
            if self.torture.timeouts && dice.below(100) < POLLS {
                self.poll(store.as_ref(), &mut dice);
            }
            if self.answer(store.as_ref(), message, dice.below(100)) {
                self.open.fetch_sub(1, Ordering::SeqCst);
            } else {
                self.count(|tally| tally.redeliveries += 1);
                self.queue.lock().unwrap().push_back(message);
            }
        }
    }

    /// Handles one delivery; false if the channel must deliver again.
    fn answer(&self, store: &dyn AsyncSessionStore, message: Message, chance: u64) -> bool {
        let Message { flow, number } = message;
        let (ctx, user, scope) = (ctx(flow), user(flow), scope());
        let id = MessageId::new(&format!("message-{number}"));
        let lease = self.torture.lease;
        let (scopes, mut options) = ([scope], ClaimOptions::new(lease));
        options.start = self.torture.starts.then(StartOptions::new);
        let claimed = store.claim(&ctx, &user, &scopes, &id, options);
        let claim = match pollster::block_on(claimed) {
            Ok(ClaimOutcome::Claimed(claim)) => claim,
            Ok(ClaimOutcome::Duplicate { .. }) => {
                self.count(|tally| tally.duplicates += 1);
                return true;
            }
            Ok(ClaimOutcome::Busy { .. }) => {
                (self.torture.pass)(lease / 20);
                return false;
            }
            // Its wait has closed.
            Ok(ClaimOutcome::NoWait) if self.torture.timeout(flow).is_some() => {
                (self.torture.pass)(lease / 20);
                return false;
            }
            Ok(other) => panic!("the flow is lost: {other:?}"),
            Err(error) => {
                self.unanswered(&error);
                return false;
            }
        };
        if claim.session.is_none() {
            self.count(|tally| tally.starts += 1);
        }
        if claim.attempt > 1 {
            self.count(|tally| tally.takeovers += 1);
        }
        if !self.survives(chance) {
            return false;
        }
        let count = |state: &mut State| state.messages[number] += 1;
        let committed = self.commit(store, &claim, flow, count);
        if committed {
            self.count(|tally| tally.commits += 1);
        }
        if committed && chance >= 100 - CRASHES_AFTER {
            self.count(|tally| tally.crashes_after_commit += 1);
            return false;
        }
        committed
    }

    /// Takes turns that are due, and commits those that it survives.
    fn poll(&self, store: &dyn AsyncSessionStore, dice: &mut Dice) {
        let options = DueOptions::new(self.torture.lease).limit(DUE_AT_ONCE);
        let page = match pollster::block_on(store.claim_due(&options)) {
            Ok(page) => page,
            Err(error) => return self.unanswered(&error),
        };
        for turn in page.turns {
            assert_eq!(turn.reason, Reason::Timeout);
            if turn.attempt > 1 {
                self.count(|tally| tally.takeovers += 1);
            }
            if !self.survives(dice.below(100)) {
                continue;
            }
            let user = turn.owner().user.unwrap();
            let flow = user.as_str().trim_start_matches("user-").parse().unwrap();
            if self.commit(store, &turn, flow, |state| state.timeouts += 1) {
                self.count(|tally| tally.timeouts += 1);
            }
        }
    }

    /// Lets a worker stall, or go away: false.
    fn survives(&self, chance: u64) -> bool {
        let lease = self.torture.lease;
        if chance < STALLS {
            (self.torture.pass)(lease + lease / 2);
        }
        !(STALLS..STALLS + CRASHES).contains(&chance)
    }

    /// Counts in the flow's state, and parks the flow again.
    fn commit(
        &self,
        store: &dyn AsyncSessionStore,
        claim: &Turn,
        flow: usize,
        count: impl Fn(&mut State),
    ) -> bool {
        let state = claim.data().map(State::of);
        let mut state = state.unwrap_or_else(|| State::new(self.torture.messages_of(flow)));
        count(&mut state);
        loop {
            let mut next = Commit::park(scope(), data(flow, &state));
            if let Some(timeout) = self.torture.timeout(flow) {
                next = next.timeout(timeout);
            }
            let Err(error) =
                pollster::block_on(store.commit(&claim.token, next, CommitOptions::new()))
            else {
                return true;
            };
            if error.conflict() == Some(&Conflict::ClaimLost) {
                self.count(|tally| tally.refused += 1);
                return false;
            }
            self.unanswered(&error);
        }
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    fn unanswered(&self, error: &GreenticError) {
        assert!(error.is_safe_to_repeat(), "{error:?}");
        self.count(|tally| tally.unanswered += 1);
    }

    fn count(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap());
    }
}

fn ctx(flow: usize) -> TenantCtx {
    let env = EnvId::try_from("dev").unwrap();
    TenantCtx::new(env, TenantId::try_from("acme").unwrap()).with_user(Some(user(flow)))
}

fn user(flow: usize) -> UserId {
    UserId::try_from(format!("user-{flow}").as_str()).unwrap()
}

fn key(flow: usize) -> SessionKey {
    SessionKey::new(format!("flow-{flow}"))
}

fn scope() -> ReplyScope {
    ReplyScope {
        conversation: "chat".into(),
        thread: None,
        reply_to: None,
        correlation: None,
    }
}

/// What a flow has counted.
struct State {
    /// How often each message was.
    messages: Vec<u8>,
    /// How often nobody answered.
    timeouts: usize,
}

impl State {
    fn new(messages: usize) -> Self {
        Self {
            messages: vec![0; messages],
            timeouts: 0,
        }
    }

    fn of(data: &SessionData) -> Self {
        let (messages, timeouts) = data.context_json.split_once(' ').unwrap();
        Self {
            messages: messages.bytes().map(|digit| digit - b'0').collect(),
            timeouts: timeouts.parse().unwrap(),
        }
    }

    fn text(&self) -> String {
        let messages = self.messages.iter().map(|count| char::from(b'0' + count));
        format!("{} {}", messages.collect::<String>(), self.timeouts)
    }
}

fn data(flow: usize, state: &State) -> SessionData {
    SessionData {
        tenant_ctx: ctx(flow),
        flow_id: FlowId::try_from("flow").unwrap(),
        pack_id: None,
        cursor: SessionCursor::new("node"),
        context_json: state.text(),
    }
}

/// Pseudo-random numbers, the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
