//! The calls of the tests, and how they are generated.

use proptest::prelude::*;

use super::answer::{Key, Tick};
use crate::world::{KEYS, MESSAGES, PEOPLE, SCOPES, WITH_USER, Who};

/// Names a claim: the last one that was won under this number.
pub type Slot = usize;

/// The API that a call is made with, if both have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Async,
    Sync,
}

/// The caller, and the user that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    pub ctx: Who,
    pub user: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    Create {
        by: Who,
        of: Who,
        /// None draws a fresh key, which later calls can name by the next number.
        key: Option<Key>,
        content: u32,
        ttl: Option<Tick>,
        operation: Option<u64>,
    },
    Get(Key),
    GetFenced(Who, Key),
    Update {
        /// The context of the fenced form.
        fence: Option<Who>,
        key: Key,
        of: Who,
        content: u32,
        if_revision: Option<u64>,
        claim: Option<Slot>,
        operation: Option<u64>,
    },
    Remove {
        /// The context of the fenced form.
        fence: Option<Who>,
        key: Key,
        if_revision: Option<u64>,
    },
    Park {
        by: Caller,
        scope: usize,
        key: Key,
        next: Parked,
        if_absent: bool,
        operation: Option<u64>,
    },
    Find(Caller, usize),
    Waits(Caller),
    Latest(Caller),
    Clear(Caller, usize),
    Claim {
        by: Caller,
        /// In the order in which they are tried.
        scopes: Vec<usize>,
        message: &'static str,
        lease: Tick,
        slot: Slot,
        start: Option<StartKey>,
    },
    Renew(Slot, Tick),
    Release(Slot),
    Finish(Slot),
    /// Commits by parking on this scope, or where the session waits or the start began. Without a TTL
    /// the session keeps its own.
    ParkAgain(Slot, Option<usize>, Parked),
    /// Takes all turns that are due, and names the one of the lowest key.
    ClaimDue {
        lease: Tick,
        slot: Slot,
    },
    SetTimeout {
        /// The context of the fenced form.
        fence: Option<Who>,
        key: Key,
        timeout: Option<After>,
    },
}

/// A timeout, so many ticks from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct After {
    pub ticks: Tick,
    pub closes: bool,
}

/// The key of a session to be; none draws a fresh one, as for [`Op::Create`].
pub type StartKey = Option<Key>;

/// The data that is parked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parked {
    pub of: Who,
    pub content: u32,
    pub ttl: Option<Tick>,
    pub timeout: Option<After>,
}

impl Parked {
    /// What a commit that parks this keeps as its reply, if it keeps one.
    pub fn reply(&self) -> Option<u32> {
        Some(self.content).filter(|content| content.is_multiple_of(2))
    }
}

/// How far the calls spread.
#[derive(Clone, Debug)]
pub struct Spread {
    /// How many people call; most calls are the first one's.
    pub people: usize,
    pub keys: usize,
    pub scopes: usize,
    pub slots: std::ops::Range<Slot>,
    /// A claim that all callers hold.
    pub shared: Option<Slot>,
}

impl Spread {
    pub const fn wide() -> Self {
        Self {
            people: PEOPLE.len(),
            keys: KEYS + 2,
            scopes: SCOPES,
            slots: 0..3,
            shared: None,
        }
    }

    /// One owner, and so few keys that calls collide all the time.
    pub const fn narrow() -> Self {
        Self {
            people: 1,
            keys: 2,
            scopes: 2,
            slots: 0..2,
            shared: None,
        }
    }

    fn person(&self) -> BoxedStrategy<Who> {
        let others = (0..self.people).prop_map(|index| PEOPLE[index]);
        prop_oneof![3 => Just(PEOPLE[0]), 1 => others].boxed()
    }

    fn caller(&self) -> BoxedStrategy<Caller> {
        let consistent = (0..self.people.min(WITH_USER)).prop_map(|index| PEOPLE[index]);
        let consistent = prop_oneof![3 => Just(PEOPLE[0]), 1 => consistent];
        let consistent = consistent.prop_map(|ctx| Caller {
            ctx,
            user: ctx.user.unwrap_or_default(),
        });
        if self.people == 1 {
            return consistent.boxed();
        }
        let any = self.person().prop_map(|ctx| Caller { ctx, user: "ann" });
        prop_oneof![6 => consistent, 1 => any].boxed()
    }

    fn parked(&self) -> BoxedStrategy<Parked> {
        let timeout = prop::option::weighted(0.4, after());
        (self.person(), any::<u16>(), ttl(), timeout)
            .prop_map(|(of, content, ttl, timeout)| Parked {
                of,
                content: u32::from(content),
                ttl,
                timeout,
            })
            .boxed()
    }

    /// A caller with data that is mostly the caller's own.
    fn parking(&self) -> BoxedStrategy<(Caller, Parked)> {
        (self.caller(), self.parked(), prop::bool::weighted(0.9))
            .prop_map(|(by, parked, own)| {
                let of = if own { by.ctx } else { parked.of };
                (by, Parked { of, ..parked })
            })
            .boxed()
    }

    fn create(&self) -> BoxedStrategy<Op> {
        let of = (self.person(), self.person(), 0..8_u8);
        let key = prop::option::weighted(0.8, 0..self.keys);
        (of, key, any::<u16>(), ttl(), operation())
            .prop_map(|((by, other, own), key, content, ttl, operation)| {
                let of = match own {
                    0 => other,
                    1 | 2 => Who { user: None, ..by },
                    _ => by,
                };
                let content = u32::from(content);
                Op::Create {
                    by,
                    of,
                    key,
                    content,
                    ttl,
                    operation,
                }
            })
            .boxed()
    }

    fn fence(&self) -> BoxedStrategy<Option<Who>> {
        prop::option::weighted(0.3, self.person()).boxed()
    }

    fn update(&self) -> BoxedStrategy<Op> {
        let claim = prop::option::weighted(0.4, self.held());
        let target = (0..self.keys, self.person(), prop::bool::weighted(0.1));
        let target = (self.fence(), target);
        (target, any::<u16>(), revision(), claim, operation())
            .prop_map(
                |((fence, (key, of, bare)), content, if_revision, claim, operation)| {
                    let user = if bare { None } else { of.user };
                    Op::Update {
                        fence,
                        key,
                        of: Who { user, ..of },
                        content: u32::from(content),
                        if_revision,
                        claim,
                        operation,
                    }
                },
            )
            .boxed()
    }

    fn park(&self) -> BoxedStrategy<Op> {
        let place = (0..self.scopes, 0..self.keys);
        (
            self.parking(),
            place,
            prop::bool::weighted(0.25),
            operation(),
        )
            .prop_map(
                |((by, next), (scope, key), if_absent, operation)| Op::Park {
                    by,
                    scope,
                    key,
                    next,
                    if_absent,
                    operation,
                },
            )
            .boxed()
    }

    fn claim(&self) -> BoxedStrategy<Op> {
        let message = prop::sample::select(&MESSAGES[..]);
        (
            self.caller(),
            prop::collection::vec(0..self.scopes, 1..3),
            message,
            1..4_u64,
            self.slots.clone(),
            prop::option::of(prop::option::weighted(0.7, 0..self.keys)),
        )
            .prop_map(|(by, scopes, message, lease, slot, start)| Op::Claim {
                by,
                scopes,
                message,
                lease,
                slot,
                start,
            })
            .boxed()
    }

    /// A claim to use.
    fn held(&self) -> BoxedStrategy<Slot> {
        let own = self.slots.clone();
        match self.shared {
            Some(shared) => prop_oneof![1 => own, 1 => Just(shared)].boxed(),
            None => own.boxed(),
        }
    }

    /// A call that uses a claim.
    fn with_claim(&self) -> BoxedStrategy<Op> {
        let scope = prop::option::weighted(0.8, 0..self.scopes);
        let again = (self.held(), scope, self.parked());
        prop_oneof![
            2 => (self.held(), 1..4_u64).prop_map(|(slot, lease)| Op::Renew(slot, lease)),
            2 => self.held().prop_map(Op::Release),
            2 => self.held().prop_map(Op::Finish),
            3 => again.prop_map(|(slot, scope, next)| Op::ParkAgain(slot, scope, next)),
        ]
        .boxed()
    }

    /// A call that takes what is due.
    pub fn due(&self) -> BoxedStrategy<Op> {
        (1..4_u64, self.slots.clone())
            .prop_map(|(lease, slot)| Op::ClaimDue { lease, slot })
            .boxed()
    }

    fn set_timeout(&self) -> BoxedStrategy<Op> {
        let timeout = prop::option::weighted(0.8, after());
        (self.fence(), 0..self.keys, timeout)
            .prop_map(|(fence, key, timeout)| Op::SetTimeout {
                fence,
                key,
                timeout,
            })
            .boxed()
    }

    /// A call of those that fight for a wait: claims, and the writes that claims keep off.
    pub fn contest(&self) -> BoxedStrategy<Op> {
        prop_oneof![
            5 => self.claim(),
            6 => self.with_claim(),
            2 => self.due(),
            1 => self.set_timeout(),
            2 => self.park(),
            2 => self.update(),
            1 => (self.caller(), 0..self.scopes).prop_map(|(by, scope)| Op::Clear(by, scope)),
            1 => (0..self.keys).prop_map(Op::Get),
        ]
        .boxed()
    }

    /// Any call.
    pub fn op(&self) -> BoxedStrategy<Op> {
        prop_oneof![
            4 => self.create(),
            1 => (0..self.keys).prop_map(Op::Get),
            1 => (self.person(), 0..self.keys).prop_map(|(by, key)| Op::GetFenced(by, key)),
            3 => self.update(),
            2 => (self.fence(), 0..self.keys, revision())
                .prop_map(|(fence, key, if_revision)| Op::Remove { fence, key, if_revision }),
            8 => self.park(),
            2 => (self.caller(), 0..self.scopes).prop_map(|(by, scope)| Op::Find(by, scope)),
            1 => self.caller().prop_map(Op::Waits),
            1 => self.caller().prop_map(Op::Latest),
            2 => (self.caller(), 0..self.scopes).prop_map(|(by, scope)| Op::Clear(by, scope)),
            6 => self.claim(),
            9 => self.with_claim(),
            4 => self.due(),
            2 => self.set_timeout(),
        ]
        .boxed()
    }
}

fn ttl() -> impl Strategy<Value = Option<Tick>> {
    prop::option::of(1..6_u64)
}

fn after() -> impl Strategy<Value = After> {
    (1..5_u64, any::<bool>()).prop_map(|(ticks, closes)| After { ticks, closes })
}

fn revision() -> impl Strategy<Value = Option<u64>> {
    prop::option::weighted(0.3, 1..4_u64)
}

// Ids are never equal by chance: the only repeats are those that a case makes on purpose.
fn operation() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(any::<u64>())
}
