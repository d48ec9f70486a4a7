//! A model of the pointers of a Cluster: one session key, two owners, every order of steps.
//!
//! A call is in flight until it takes its next step, and may take it at any time or never: that is a
//! slow network, a process that was suspended, and a crash. A request may be executed twice. Times
//! are in ticks. docs/cluster-protocol.md describes the protocol; the constants here keep the order
//! of those in the code.

use stateright::{Checker, HasDiscoveries, Model, Property};

/// The TTL of a session, and a longer one.
const TTL: u16 = 2;
const LONG: u16 = 9;
/// A claim that much later than the last confirmation confirms the pointer.
const CONFIRM: u16 = 2;
/// The slack between a deadline and the end of its pointer; clocks differ by no more.
const MARGIN: u16 = 1;
/// How long the reservation of a new pointer may be used.
const WINDOW: u16 = 1;
/// The lifetime of a fence.
const FENCE: u16 = 3;
/// How far the clocks of the first owner's node are ahead at most.
const AHEAD: u16 = 2;
/// How long a failover that loses a fence takes at least: longer than a write that it interrupts.
const FAILOVER: u16 = WINDOW + AHEAD + 1;
/// No instant, and no time.
const NEVER: u16 = 1000;
/// Stamps are finer than ticks.
const STAMPS: u16 = 16;
/// The clock of the pointer's node, and of the second owner's node. A tick makes all other instants
/// earlier instead, so that a state does not tell how long the world has been running.
const NOW: u16 = 12;
/// The ages of older instants make no difference.
const OLDEST: u16 = NOW - MARGIN - CONFIRM;

/// How many actions of two owners are explored. Without a limit it takes minutes.
const DEPTH: usize = 14;

type Owner = usize;

/// The rules of the protocol, each of which a test removes.
#[derive(Clone, Copy, Debug)]
struct Rules {
    margin: bool,
    fence: bool,
    confirm: bool,
    window: bool,
    stamp: bool,
}

const ALL: Rules = Rules {
    margin: true,
    fence: true,
    confirm: true,
    window: true,
    stamp: true,
};

struct Pointers {
    rules: Rules,
    /// Whether sessions have a TTL. Otherwise each ends at any time.
    is_timed: bool,
    /// Whether a commit may give a longer TTL. A failover then loses nothing.
    has_long: bool,
    owners: Owner,
    /// How many calls are in flight at most.
    calls: usize,
    /// How far the clock of the first owner's node may be ahead of that of the pointer's node.
    skews: &'static [i16],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    skew: i16,
    pointer: Option<Pointer>,
    slots: [Slot; 2],
    /// Sorted.
    calls: Vec<Call>,
    /// A failover loses something once.
    has_failed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pointer {
    owner: Owner,
    stamp: u16,
    ends: u16,
    /// The end before the extension that a failover can still lose.
    before: Option<u16>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Slot {
    session: Option<Session>,
    fence: Option<Fence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Session {
    known: Known,
    deadline: u16,
}

/// What a record knows of its pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Known {
    stamp: u16,
    ends: u16,
    confirmed: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Fence {
    stamp: u16,
    ends: u16,
}

/// A call, by its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Call {
    /// Reserves the key for a session. A call that creates one, such as the commit of a start, never
    /// overwrites the owner's session.
    Reserve {
        owner: Owner,
        is_create: bool,
        replaced: Option<u16>,
        above: u16,
    },
    /// Fences the owner from whom the key is taken.
    Fence {
        owner: Owner,
        is_create: bool,
        other: Owner,
        stamp: u16,
    },
    Write {
        owner: Owner,
        is_create: bool,
        is_created: bool,
        known: Known,
    },
    /// A commit whose deadline the pointer does not cover extends it.
    Extend {
        owner: Owner,
        stamp: u16,
        from: u16,
        ttl: u16,
    },
    Commit {
        owner: Owner,
        stamp: u16,
        known: Known,
        ttl: u16,
    },
    /// Removes the pointer of a session that is gone.
    Delete { owner: Owner, stamp: u16 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Tick,
    Begin(Owner, bool),
    Step(usize),
    /// The request of the step is executed, and arrives once more later.
    Repeat(usize),
    Turn(Owner, u16),
    Expire(Owner),
    Remove(Owner),
    Sweep,
    LoseExtension,
    LoseFence(Owner),
}

impl State {
    /// The clock of an owner's node.
    fn clock(&self, owner: Owner) -> u16 {
        let skew = if owner == 0 { self.skew } else { 0 };
        NOW.saturating_add_signed(skew)
    }

    /// The session of an owner before its deadline.
    fn live(&self, owner: Owner) -> Option<Session> {
        let session = self.slots[owner].session;
        session.filter(|session| self.clock(owner) < session.deadline)
    }

    fn push(&mut self, call: Call) {
        self.calls.push(call);
        self.calls.sort_unstable();
    }

    /// Lets a tick pass.
    fn tick(&mut self) {
        self.each_instant(|instant| {
            if *instant < NEVER {
                *instant = (*instant - 1).max(OLDEST);
            }
        });
        self.each_stamp(|stamp| {
            *stamp = match *stamp / STAMPS {
                ..=OLDEST => *stamp,
                // Behind those that are there.
                tick if tick == OLDEST + 1 => *stamp - STAMPS / 2,
                _ => *stamp - STAMPS,
            }
        });
        self.pointer = self.pointer.take().filter(|found| NOW < found.ends);
        if let Some(pointer) = &mut self.pointer {
            pointer.before = None; // the replicas have the extension
        }
        for owner in 0..2 {
            let clock = self.clock(owner);
            self.slots[owner].session = self.live(owner);
            let fence = self.slots[owner].fence;
            self.slots[owner].fence = fence.filter(|fence| clock < fence.ends);
        }
        self.normalize();
    }

    /// Gives equal states one form: of the stamps of a tick only the order counts.
    fn normalize(&mut self) {
        let mut stamps = self.stamps();
        stamps.sort_unstable();
        stamps.dedup();
        self.each_stamp(|stamp| {
            let first = *stamp / STAMPS * STAMPS;
            let earlier = stamps
                .iter()
                .filter(|other| (first..*stamp).contains(*other));
            *stamp = first + earlier.count() as u16;
        });
        self.calls.sort_unstable();
    }

    fn each_instant(&mut self, mut change: impl FnMut(&mut u16)) {
        if let Some(pointer) = &mut self.pointer {
            change(&mut pointer.ends);
        }
        for slot in &mut self.slots {
            if let Some(session) = &mut slot.session {
                change(&mut session.deadline);
                change(&mut session.known.ends);
                change(&mut session.known.confirmed);
            }
            if let Some(fence) = &mut slot.fence {
                change(&mut fence.ends);
            }
        }
        for call in &mut self.calls {
            match call {
                Call::Write { known, .. } | Call::Commit { known, .. } => {
                    change(&mut known.ends);
                    change(&mut known.confirmed);
                }
                Call::Extend { from, .. } => change(from),
                Call::Reserve { .. } | Call::Fence { .. } | Call::Delete { .. } => {}
            }
        }
    }

    fn each_stamp(&mut self, mut change: impl FnMut(&mut u16)) {
        if let Some(pointer) = &mut self.pointer {
            change(&mut pointer.stamp);
        }
        for slot in &mut self.slots {
            if let Some(session) = &mut slot.session {
                change(&mut session.known.stamp);
            }
            if let Some(fence) = &mut slot.fence {
                change(&mut fence.stamp);
            }
        }
        for call in &mut self.calls {
            match call {
                Call::Reserve {
                    replaced, above, ..
                } => {
                    if let Some(stamp) = replaced {
                        change(stamp);
                    }
                    change(above);
                }
                Call::Fence { stamp, .. }
                | Call::Extend { stamp, .. }
                | Call::Delete { stamp, .. } => change(stamp),
                Call::Write { known, .. } => change(&mut known.stamp),
                Call::Commit { stamp, known, .. } => {
                    change(stamp);
                    change(&mut known.stamp);
                }
            }
        }
    }

    fn stamps(&mut self) -> Vec<u16> {
        let mut stamps = Vec::new();
        self.each_stamp(|stamp| stamps.push(*stamp));
        stamps
    }

    /// A stamp that is greater than all others, as they are instants.
    fn new_stamp(&mut self, above: u16) -> u16 {
        let newest = self.stamps().into_iter().max().unwrap_or(0);
        (NOW * STAMPS).max(newest + 1).max(above + 1)
    }

    /// Gives the owner's pointer a later end, on its node. None if it is another owner's.
    fn extend(&mut self, owner: Owner, from: u16, life: u16) -> Option<Known> {
        let asked = (NOW.max(from) + life).min(NEVER);
        let stamp = self.new_stamp(0);
        let found = self.pointer.get_or_insert(Pointer {
            owner,
            stamp,
            ends: asked,
            before: None,
        });
        if found.owner != owner {
            return None;
        }
        if asked > found.ends {
            found.before = found.before.or(Some(found.ends));
            found.ends = asked;
        }
        Some(Known {
            stamp: found.stamp,
            ends: found.ends,
            confirmed: if life == NEVER { OLDEST } else { from },
        })
    }

    /// Excludes writes of an owner for pointers up to a stamp. False if it has the session.
    fn fence(&mut self, owner: Owner, stamp: u16, rules: Rules) -> bool {
        if self.live(owner).is_some() {
            return false;
        }
        self.set_fence(owner, stamp, rules);
        true
    }

    fn set_fence(&mut self, owner: Owner, stamp: u16, rules: Rules) {
        let clock = self.clock(owner);
        let slot = &mut self.slots[owner];
        let stamp = slot.fence.map_or(stamp, |fence| fence.stamp.max(stamp));
        let ends = clock.max(stamp / STAMPS) + FENCE;
        if rules.fence {
            slot.fence = Some(Fence { stamp, ends });
        }
    }
}

impl Pointers {
    /// The lifetime of a pointer from the step that asks for it.
    const fn life(&self, ttl: u16) -> u16 {
        if self.is_timed {
            2 * (ttl + CONFIRM) + MARGIN
        } else {
            NEVER
        }
    }

    const fn deadline(&self, clock: u16, ttl: u16) -> u16 {
        if self.is_timed { clock + ttl } else { NEVER }
    }

    fn is_covered(&self, deadline: u16, ends: u16) -> bool {
        deadline == NEVER || deadline + if self.rules.margin { MARGIN } else { 0 } <= ends
    }

    /// Takes the next step of a call.
    fn step(&self, state: &mut State, call: Call) {
        match call {
            Call::Reserve {
                owner,
                is_create,
                replaced,
                above,
            } => self.reserve(state, owner, is_create, replaced, above),
            Call::Fence {
                owner,
                is_create,
                other,
                stamp,
            } => {
                if state.fence(other, stamp, self.rules) {
                    state.push(Call::Reserve {
                        owner,
                        is_create,
                        replaced: Some(stamp),
                        above: stamp,
                    });
                }
            }
            Call::Write {
                owner,
                is_create,
                is_created,
                known,
            } => self.write(state, owner, is_create, is_created, known),
            Call::Extend {
                owner,
                stamp,
                from,
                ttl,
            } => {
                if let Some(known) = state.extend(owner, from, self.life(ttl)) {
                    state.push(Call::Commit {
                        owner,
                        stamp,
                        known,
                        ttl,
                    });
                }
            }
            Call::Commit {
                owner,
                stamp,
                known,
                ttl,
            } => {
                let session = state.live(owner);
                if let Some(session) = session.filter(|session| session.known.stamp == stamp) {
                    self.commit(state, owner, Session { known, ..session }, ttl);
                }
            }
            Call::Delete { owner, stamp } => {
                let is_same = |found: &Pointer| (found.owner, found.stamp) == (owner, stamp);
                state.pointer = state.pointer.take().filter(|found| !is_same(found));
            }
        }
    }

    fn reserve(
        &self,
        state: &mut State,
        owner: Owner,
        is_create: bool,
        replaced: Option<u16>,
        above: u16,
    ) {
        let from = NOW.max(above / STAMPS);
        let found = state.pointer.clone();
        let kept = found.as_ref().filter(|found| replaced != Some(found.stamp));
        if let Some(other) = kept.filter(|found| found.owner != owner) {
            state.push(Call::Fence {
                owner,
                is_create,
                other: other.owner,
                stamp: other.stamp,
            });
            return;
        }
        let is_created = kept.is_none();
        if is_created {
            let above = found.as_ref().map_or(0, |found| found.stamp).max(above);
            let own = found.filter(|found| found.owner == owner);
            state.pointer = Some(Pointer {
                owner,
                stamp: state.new_stamp(above),
                ends: own
                    .map_or(0, |own| own.ends)
                    .max((from + self.life(TTL)).min(NEVER)),
                before: None,
            });
        }
        if let Some(known) = state.extend(owner, from, self.life(TTL)) {
            state.push(Call::Write {
                owner,
                is_create,
                is_created,
                known,
            });
        }
    }

    fn write(
        &self,
        state: &mut State,
        owner: Owner,
        is_create: bool,
        is_created: bool,
        known: Known,
    ) {
        let (clock, stored) = (state.clock(owner), state.live(owner));
        let stamp = known.stamp;
        let is_late = self.rules.window && clock > stamp / STAMPS + WINDOW;
        let fence = state.slots[owner]
            .fence
            .filter(|fence| stamp <= fence.stamp);
        let is_other = stored.is_none_or(|stored| stored.known.stamp != stamp);
        let deadline = self.deadline(clock, TTL);
        let again = match fence {
            _ if is_created && is_late => Some((Some(stamp), clock * STAMPS)),
            Some(fence) if is_created => Some((Some(stamp), fence.stamp)),
            _ if !is_created && is_other && self.rules.stamp => {
                Some((Some(stamp), OLDEST * STAMPS))
            }
            _ if !self.is_covered(deadline, known.ends) => Some((None, clock * STAMPS)),
            _ => None,
        };
        if let Some((replaced, above)) = again {
            state.push(Call::Reserve {
                owner,
                is_create,
                replaced,
                above,
            });
        } else if stored.is_none() || !is_create {
            state.slots[owner].session = Some(Session { known, deadline });
        }
    }

    fn commit(&self, state: &mut State, owner: Owner, session: Session, ttl: u16) {
        let (known, clock) = (session.known, state.clock(owner));
        let deadline = self.deadline(clock, ttl);
        if self.is_covered(deadline, known.ends) {
            state.slots[owner].session = Some(Session { known, deadline });
        } else {
            state.push(Call::Extend {
                owner,
                stamp: known.stamp,
                from: clock,
                ttl,
            });
        }
    }

    /// A claim, which may confirm the pointer, and the commit of the turn.
    fn turn(&self, state: &mut State, owner: Owner, ttl: u16) {
        let Some(mut session) = state.live(owner) else {
            return;
        };
        let (known, clock) = (session.known, state.clock(owner));
        if self.rules.confirm && clock >= known.confirmed + CONFIRM {
            session.known = state.extend(owner, clock, self.life(TTL)).unwrap_or(known);
            state.slots[owner].session = Some(session);
        }
        self.commit(state, owner, session, ttl);
    }

    /// Explores all states that this many actions lead to.
    fn explore(self, depth: usize) -> impl Checker<Self> {
        let checker = self.checker().threads(2).target_max_depth(depth);
        checker.finish_when(HasDiscoveries::Any).spawn_bfs().join()
    }

    fn check(self, depth: usize, least: usize) {
        let checker = self.explore(depth);
        checker.assert_properties();
        let states = checker.unique_state_count();
        assert!(states >= least, "{states} states");
    }

    /// Whether an invariant does not hold.
    fn breaks(self) -> bool {
        !self.explore(usize::MAX).discoveries().is_empty()
    }
}

impl Model for Pointers {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let start = |skew: &i16| State {
            skew: *skew,
            pointer: None,
            slots: Default::default(),
            calls: Vec::new(),
            has_failed: self.has_long,
        };
        self.skews.iter().map(start).collect()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        let is_free = state.calls.len() < self.calls;
        actions.push(Action::Tick);
        for owner in 0..self.owners {
            if is_free {
                actions.push(Action::Begin(owner, false));
                actions.push(Action::Begin(owner, true));
            }
            if state.live(owner).is_some() && is_free {
                actions.push(Action::Remove(owner));
                if self.is_timed {
                    actions.push(Action::Turn(owner, TTL));
                }
                if !self.is_timed {
                    actions.push(Action::Expire(owner));
                }
                if self.has_long {
                    actions.push(Action::Turn(owner, LONG));
                }
            }
            if !state.has_failed && state.slots[owner].fence.is_some() {
                actions.push(Action::LoseFence(owner));
            }
        }
        for index in 0..state.calls.len() {
            actions.push(Action::Step(index));
            if is_free && matches!(state.calls[index], Call::Write { .. } | Call::Delete { .. }) {
                actions.push(Action::Repeat(index));
            }
        }
        if is_free && state.pointer.is_some() {
            actions.push(Action::Sweep);
        }
        let newest = state.pointer.as_ref().and_then(|pointer| pointer.before);
        if !state.has_failed && newest.is_some() {
            actions.push(Action::LoseExtension);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tick => state.tick(),
            Action::Begin(owner, is_create) => {
                state.push(Call::Reserve {
                    owner,
                    is_create,
                    replaced: None,
                    above: OLDEST * STAMPS,
                });
            }
            Action::Step(index) => {
                let call = state.calls.remove(index);
                self.step(&mut state, call);
            }
            Action::Repeat(index) => {
                let call = state.calls[index];
                self.step(&mut state, call);
            }
            Action::Turn(owner, ttl) => self.turn(&mut state, owner, ttl),
            Action::Expire(owner) => state.slots[owner].session = None,
            Action::Remove(owner) => {
                let removed = state.slots[owner].session.take()?;
                let stamp = removed.known.stamp;
                state.set_fence(owner, stamp, self.rules);
                state.push(Call::Delete { owner, stamp });
            }
            Action::Sweep => {
                let Pointer { owner, stamp, .. } = state.pointer.clone()?;
                if state.fence(owner, stamp, self.rules) {
                    state.push(Call::Delete { owner, stamp });
                }
            }
            Action::LoseExtension => {
                state.has_failed = true;
                let pointer = state.pointer.as_mut()?;
                pointer.ends = pointer.before.take()?;
            }
            Action::LoseFence(owner) => {
                state.has_failed = true;
                state.slots[owner].fence = None;
                (0..FAILOVER).for_each(|_| state.tick());
            }
        }
        state.normalize();
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("two owners never hold one key", |_, state: &State| {
                state.live(0).is_none() || state.live(1).is_none()
            }),
            Property::always(
                "no live session is without a pointer",
                |_, state: &State| {
                    (0..2).all(|owner| {
                        let leads_to = |pointer: &Pointer| pointer.owner == owner;
                        state.live(owner).is_none() || state.pointer.as_ref().is_some_and(leads_to)
                    })
                },
            ),
        ]
    }
}

/// The calls of two owners in every order. Any session may end at any time.
const fn races(rules: Rules) -> Pointers {
    Pointers {
        rules,
        is_timed: false,
        has_long: false,
        owners: 2,
        calls: 2,
        skews: &[-1, 0, 2],
    }
}

/// The turns of one session, without an end.
const fn conversation(rules: Rules, has_long: bool) -> Pointers {
    Pointers {
        rules,
        is_timed: true,
        has_long,
        owners: 1,
        calls: 1,
        skews: &[-1, 0, 1, 2],
    }
}

#[test]
fn c4_two_owners_never_hold_one_key_in_any_order_of_steps() {
    races(ALL).check(DEPTH, 100_000);
}

#[test]
fn c4_no_session_of_a_long_conversation_is_without_a_pointer() {
    conversation(ALL, false).check(usize::MAX, 10_000);
    conversation(ALL, true).check(usize::MAX, 10_000);
}

#[test]
fn c4_each_rule_of_the_pointers_is_needed() {
    let margin = Rules {
        margin: false,
        ..ALL
    };
    let confirm = Rules {
        confirm: false,
        ..ALL
    };
    let fence = Rules {
        fence: false,
        ..ALL
    };
    let window = Rules {
        window: false,
        ..ALL
    };
    let stamp = Rules {
        stamp: false,
        ..ALL
    };
    assert!(conversation(margin, true).breaks());
    assert!(conversation(confirm, false).breaks());
    for rules in [fence, window, stamp] {
        assert!(races(rules).breaks(), "{rules:?}");
    }
}
