//! Random interleavings of calls on the in-memory store, run by shuttle:
//! `RUSTFLAGS="--cfg shuttle" CARGO_TARGET_DIR=target/shuttle cargo test --test shuttle`.
//!
//! Which owners and keys share a shard is random in each run, so a failing schedule may need some
//! repeats to fail again.
#![cfg(shuttle)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/world.rs"]
mod world;

use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::ManualClock;
use greentic_session::inmemory::InMemorySessionStore;
use greentic_session::{
    Blocking, ClaimOptions, ClaimOutcome, ClearOutcome, Commit, CommitOptions, CreateOptions,
    ErrorCode, MessageId, ParkOptions, ParkOutcome, RemoveOptions, SessionKey, SessionResult,
    StartOptions, StoreOptions, UpdateOptions,
};
use shuttle::thread;

use world::{PEOPLE, Who, content, ctx, data, scope, user};

const ANN: Who = PEOPLE[0];
const BOB: Who = PEOPLE[2];
const TTL: Duration = Duration::from_secs(60);

/// A store that threads share, its blocking API and its clock.
#[derive(Clone)]
struct World {
    store: Arc<InMemorySessionStore>,
    calls: Blocking<InMemorySessionStore>,
    clock: Arc<ManualClock>,
}

fn key() -> SessionKey {
    SessionKey::new("key")
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let store = InMemorySessionStore::with_clock(StoreOptions::new(), Arc::clone(&clock));
        let store = Arc::new(store);
        Self {
            calls: Blocking::from(Arc::clone(&store)),
            store,
            clock,
        }
    }

    fn park(
        &self,
        who: Who,
        on: usize,
        key: &SessionKey,
        number: u32,
    ) -> SessionResult<ParkOutcome> {
        let options = ParkOptions::new().ttl(TTL);
        let (ctx, user) = (ctx(who), user(who.user.unwrap()));
        let data = data(who, number);
        self.calls.park(&ctx, &user, &scope(on), key, data, options)
    }

    fn find(&self, who: Who, on: usize) -> Option<SessionKey> {
        let user = user(who.user.unwrap());
        self.calls.find(&ctx(who), &user, &scope(on)).unwrap()
    }

    fn waits(&self, who: Who) -> Vec<SessionKey> {
        self.calls
            .waits(&ctx(who), &user(who.user.unwrap()))
            .unwrap()
    }

    fn clear(&self, who: Who, on: usize) -> SessionResult<ClearOutcome> {
        let user = user(who.user.unwrap());
        self.calls.clear(&ctx(who), &user, &scope(on))
    }

    fn claim(&self, who: Who, on: usize, message: &str) -> SessionResult<ClaimOutcome> {
        self.claim_with(who, on, message, ClaimOptions::new(TTL))
    }

    fn start(&self, who: Who, on: usize, message: &str) -> SessionResult<ClaimOutcome> {
        let options = ClaimOptions::new(TTL).start(StartOptions::new());
        self.claim_with(who, on, message, options)
    }

    fn claim_with(
        &self,
        who: Who,
        on: usize,
        message: &str,
        options: ClaimOptions,
    ) -> SessionResult<ClaimOutcome> {
        let user = user(who.user.unwrap());
        self.calls.claim(
            &ctx(who),
            &user,
            &[scope(on)],
            &MessageId::new(message),
            options,
        )
    }

    /// C10: the listed waits are exactly those that their scopes route to.
    fn assert_consistent(&self, who: Who) {
        let mut listed = self.waits(who);
        let mut routed: Vec<_> = (0..2).filter_map(|on| self.find(who, on)).collect();
        listed.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        routed.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        assert_eq!(listed, routed);
        for key in listed {
            assert!(self.calls.get(&key).unwrap().is_some());
        }
    }

    /// C13: after everything has expired, nothing is left.
    fn assert_leaves_nothing(&self) {
        self.clock.advance(Duration::from_secs(3 * 24 * 3600));
        self.store.sweep().unwrap();
        assert_eq!(self.store.held(), (0, 0));
    }
}

fn explore(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(scenario, 3_000);
    shuttle::check_pct(scenario, 2_000, 3);
}

fn together<A: Send + 'static, B: Send + 'static>(
    world: &World,
    one: impl FnOnce(World) -> A + Send + 'static,
    other: impl FnOnce(World) -> B + Send + 'static,
) -> (A, B) {
    let (first, second) = (world.clone(), world.clone());
    let one = thread::spawn(move || one(first));
    let other = thread::spawn(move || other(second));
    (one.join().unwrap(), other.join().unwrap())
}

#[test]
fn c4_one_owner_gets_a_key_and_the_other_leaves_nothing() {
    explore(|| {
        let world = World::new();
        let (ann, bob) = together(
            &world,
            |world| world.park(ANN, 0, &key(), 1),
            |world| world.park(BOB, 0, &key(), 2),
        );
        let (winner, loser, refused) = match (ann, bob) {
            (Ok(_), Err(refused)) => (ANN, BOB, refused),
            (Err(refused), Ok(_)) => (BOB, ANN, refused),
            both => panic!("exactly one may win: {both:?}"),
        };
        assert_eq!(refused.code, ErrorCode::InvalidInput);
        assert_eq!(world.find(winner, 0), Some(key()));
        assert_eq!(world.find(loser, 0), None);
        assert_eq!(world.store.held(), (1, 1));
        let _ = world.clear(winner, 0).unwrap();
        assert_eq!(world.store.held(), (0, 0));
    });
}

#[test]
fn c4_create_and_park_race_for_a_key() {
    explore(|| {
        let world = World::new();
        let (ann, bob) = together(
            &world,
            |world| {
                let options = CreateOptions::new().key(key()).ttl(TTL);
                world.calls.create(&ctx(ANN), data(ANN, 1), options).is_ok()
            },
            |world| world.park(BOB, 0, &key(), 2).is_ok(),
        );
        assert!(ann ^ bob);
        assert_eq!(world.store.held(), (1, 1));
        world.assert_leaves_nothing();
    });
}

#[test]
fn c10_park_clear_and_find_agree() {
    explore(|| {
        let world = World::new();
        let _ = world.park(ANN, 0, &key(), 1).unwrap();
        let reader = {
            let world = world.clone();
            thread::spawn(move || world.assert_readable_if_found())
        };
        let (_, cleared) = together(
            &world,
            |world| world.park(ANN, 1, &key(), 2).unwrap(),
            |world| world.clear(ANN, 0).unwrap(),
        );
        reader.join().unwrap();
        world.assert_consistent(ANN);
        // Either the wait moved first and the clear found none, or the session was created again.
        assert_eq!(world.find(ANN, 1), Some(key()));
        let revision = world.calls.get(&key()).unwrap().unwrap().revision;
        let moved = cleared == ClearOutcome::NoWait;
        assert_eq!(revision, if moved { 2 } else { 1 });
        world.assert_leaves_nothing();
    });
}

impl World {
    // A reader that found the wait may find it removed or changed afterwards, but never half changed.
    fn assert_readable_if_found(&self) {
        if self.find(ANN, 0).is_none() {
            return;
        }
        if let Some(session) = self.calls.get(&key()).unwrap() {
            assert!(matches!(
                (session.revision, content(&session.data)),
                (1, 1 | 2) | (2, 2)
            ));
        }
    }
}

#[test]
fn c7_update_and_remove_by_key_race() {
    explore(|| {
        let world = World::new();
        let _ = world.park(ANN, 0, &key(), 1).unwrap();
        let (updated, removed) = together(
            &world,
            |world| {
                world
                    .calls
                    .update(&key(), data(ANN, 2), UpdateOptions::new())
            },
            |world| {
                let removed = world
                    .calls
                    .remove(&key(), RemoveOptions::new().if_revision(1));
                removed.map_err(|error| error.code)
            },
        );
        match removed {
            Ok(()) => {
                assert_eq!(updated.unwrap_err().code, ErrorCode::NotFound);
                assert_eq!(world.store.held(), (0, 0));
            }
            Err(code) => {
                assert_eq!((code, updated.unwrap()), (ErrorCode::Conflict, 2));
                world.assert_consistent(ANN);
            }
        }
        world.assert_leaves_nothing();
    });
}

#[test]
fn c4_an_update_never_reaches_the_next_owner_of_a_key() {
    explore(|| {
        let world = World::new();
        let _ = world.park(ANN, 0, &key(), 1).unwrap();
        let (updated, _) = together(
            &world,
            |world| {
                world
                    .calls
                    .update(&key(), data(ANN, 2), UpdateOptions::new())
            },
            |world| {
                world.calls.remove(&key(), RemoveOptions::new()).unwrap();
                let _ = world.park(BOB, 0, &key(), 3).unwrap();
            },
        );
        if let Err(error) = updated {
            assert!(matches!(
                error.code,
                ErrorCode::NotFound | ErrorCode::InvalidInput
            ));
        }
        let stored = world.calls.get(&key()).unwrap().unwrap();
        assert_eq!((content(&stored.data), stored.revision), (3, 1));
        assert_eq!(world.store.held(), (1, 1));
    });
}

#[test]
fn c7_a_remove_that_meets_the_next_owner_of_a_key_leaves_nothing() {
    explore(|| {
        let world = World::new();
        let _ = world.park(ANN, 0, &key(), 1).unwrap();
        let remove = |world: &World| world.calls.remove(&key(), RemoveOptions::new());
        let (removed, _) = together(
            &world,
            move |world| remove(&world),
            move |world| {
                let _ = remove(&world);
                world.park(BOB, 0, &key(), 3).is_ok()
            },
        );
        if removed.is_ok() && world.find(BOB, 0).is_none() {
            assert_eq!(world.store.held(), (0, 0));
        }
        assert_eq!(world.find(ANN, 0), None);
        world.assert_consistent(BOB);
        world.assert_leaves_nothing();
    });
}

#[test]
fn c12_a_key_that_expires_while_another_owner_parks_under_it() {
    explore(|| {
        let world = World::new();
        let _ = world.park(BOB, 0, &key(), 1).unwrap();
        let (parked, ()) = together(
            &world,
            |world| world.park(ANN, 0, &key(), 2).is_ok(),
            |world| {
                thread::yield_now();
                world.clock.advance(TTL);
            },
        );
        assert_eq!(world.find(BOB, 0), None);
        assert_eq!(world.find(ANN, 0).is_some(), parked);
        world.assert_leaves_nothing();
    });
}

#[test]
fn c12_an_expired_key_goes_to_a_new_owner_or_back_to_the_old() {
    explore(|| {
        let world = World::new();
        let _ = world.park(ANN, 0, &key(), 1).unwrap();
        world.clock.advance(TTL);
        let (ann, bob) = together(
            &world,
            |world| world.park(ANN, 0, &key(), 2).is_ok(),
            |world| world.park(BOB, 0, &key(), 3).is_ok(),
        );
        assert!(ann ^ bob);
        let winner = if ann { ANN } else { BOB };
        assert_eq!(world.find(winner, 0), Some(key()));
        assert_eq!(world.calls.get(&key()).unwrap().unwrap().revision, 1);
        assert_eq!(world.store.held(), (1, 1));
        world.assert_leaves_nothing();
    });
}

#[test]
fn c16_a_claim_and_a_displacement_exclude_each_other() {
    explore(|| {
        let world = World::new();
        let _ = world.park(ANN, 0, &key(), 1).unwrap();
        let other = SessionKey::new("other");
        let (claimed, parked) = together(
            &world,
            |world| world.claim(ANN, 0, "m").unwrap(),
            |world| world.park(ANN, 0, &SessionKey::new("other"), 2),
        );
        let ClaimOutcome::Claimed(claim) = claimed else {
            panic!("one of the two sessions always waits: {claimed:?}");
        };
        match parked {
            Err(refused) => {
                assert_eq!(refused.code, ErrorCode::Conflict);
                assert_eq!(*claim.token.session_key(), key());
            }
            Ok(_) => assert_eq!(*claim.token.session_key(), other),
        }
        world
            .calls
            .commit(&claim.token, Commit::Finish, CommitOptions::new())
            .unwrap();
        assert_eq!(world.find(ANN, 0), None);
        world.assert_consistent(ANN);
        world.assert_leaves_nothing();
    });
}

#[test]
fn c27_one_of_many_workers_starts_a_flow() {
    explore(|| {
        let world = World::new();
        let start = |world: World| match world.start(ANN, 0, "m").unwrap() {
            ClaimOutcome::Claimed(turn) => {
                assert_eq!(turn.session, None);
                let here = Commit::park_here(data(ANN, 1)).ttl(TTL);
                world
                    .calls
                    .commit(&turn.token, here, CommitOptions::new())
                    .unwrap();
                1
            }
            ClaimOutcome::Busy { .. } | ClaimOutcome::Duplicate { .. } => 0,
            other => panic!("{other:?}: the message is remembered in the step that parks"),
        };
        let third = {
            let world = world.clone();
            thread::spawn(move || start(world))
        };
        let (one, other) = together(&world, start, start);
        assert_eq!(one + other + third.join().unwrap(), 1);
        assert_eq!(world.waits(ANN).len(), 1);
        world.assert_consistent(ANN);
        world.assert_leaves_nothing();
    });
}

#[test]
fn c27_a_start_and_a_park_exclude_each_other() {
    explore(|| {
        let world = World::new();
        let (started, parked) = together(
            &world,
            |world| world.start(ANN, 0, "m").unwrap(),
            |world| world.park(ANN, 0, &key(), 1),
        );
        let ClaimOutcome::Claimed(turn) = started else {
            panic!("the scope is free, or the session waits: {started:?}");
        };
        assert_eq!(turn.session.is_some(), parked.is_ok());
        let here = Commit::park_here(data(ANN, 2)).ttl(TTL);
        world
            .calls
            .commit(&turn.token, here, CommitOptions::new())
            .unwrap();
        assert_eq!(world.waits(ANN), [turn.token.session_key().clone()]);
        world.assert_consistent(ANN);
        world.assert_leaves_nothing();
    });
}

#[test]
fn c16_one_of_many_workers_claims_a_wait() {
    explore(|| {
        let world = World::new();
        let _ = world.park(ANN, 0, &key(), 1).unwrap();
        let resume = |world: World| match world.claim(ANN, 0, "m").unwrap() {
            ClaimOutcome::Claimed(claim) => {
                world
                    .calls
                    .commit(&claim.token, Commit::Finish, CommitOptions::new())
                    .unwrap();
                1
            }
            ClaimOutcome::Busy { .. } | ClaimOutcome::Duplicate { .. } => 0,
            other => panic!("{other:?}: the message is remembered in the step that finishes"),
        };
        let third = {
            let world = world.clone();
            thread::spawn(move || resume(world))
        };
        let (one, other) = together(&world, resume, resume);
        assert_eq!(one + other + third.join().unwrap(), 1);
        world.assert_leaves_nothing();
    });
}
