//! Deadlines and leases after a wall clock was set between two runs (C12, C16).

use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::{Clock, ManualClock, Timestamp};
use greentic_session::durable::DurableSessionStore;
use greentic_session::{Blocking, ClaimOptions, ClaimOutcome, MessageId, ParkOptions};

use crate::samples::{ctx, key, scope, user};
use crate::scratch::{MINUTE, Scratch, assert_consistent, data};

const HOUR: Duration = Duration::from_secs(3600);

/// One run of a process with the wall clock at `at`.
struct Run {
    store: Arc<DurableSessionStore>,
    api: Blocking<DurableSessionStore>,
    clock: Arc<ManualClock>,
}

impl Run {
    fn start(scratch: &Scratch, at: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::starting_at(at));
        let store = Arc::new(scratch.open_at(&clock));
        Self {
            api: Blocking::from(Arc::clone(&store)),
            store,
            clock,
        }
    }

    fn park(&self, name: &str, ttl: Duration) {
        let (ctx, user, options) = (ctx("u"), user("u"), ParkOptions::new().ttl(ttl));
        let (scope, key, data) = (scope(name), key(name), data("u", name));
        let parked = self.api.park(&ctx, &user, &scope, &key, data, options);
        let _registered = parked.unwrap();
    }

    fn claim(&self, name: &str, message: &str) -> ClaimOutcome {
        let claimed = self.api.claim(
            &ctx("u"),
            &user("u"),
            &[scope(name)],
            &MessageId::new(message),
            ClaimOptions::new(MINUTE),
        );
        claimed.unwrap()
    }

    fn has(&self, name: &str) -> bool {
        self.api.get(&key(name)).unwrap().is_some()
    }

    fn warnings(&self) -> Vec<&'static str> {
        let health = self.api.health().unwrap();
        health.warnings.iter().map(|warning| warning.code).collect()
    }
}

fn at(minutes: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + minutes * 60_000)
}

#[test]
fn c12_time_continues_after_the_wall_clock_was_set_back() {
    let scratch = Scratch::new();
    let run = Run::start(&scratch, at(60));
    run.park("early", 2 * MINUTE);
    run.clock.advance(MINUTE);
    run.park("late", 2 * MINUTE);
    run.clock.advance(MINUTE);
    assert!(!run.has("early"));
    drop(run);

    let run = Run::start(&scratch, at(0));
    assert!(!run.has("early"), "it must not come back");
    assert!(run.has("late"));
    assert_eq!(run.warnings(), ["clock_set_back"]);
    run.clock.advance(MINUTE);
    assert!(!run.has("late"), "time must continue");
    assert_consistent(&run.store);
}

#[test]
fn c16_a_lease_keeps_its_length_after_the_wall_clock_was_set_back() {
    let scratch = Scratch::new();
    let run = Run::start(&scratch, at(60));
    run.park("s", HOUR);
    let ClaimOutcome::Claimed(first) = run.claim("s", "m-1") else {
        panic!("it is claimable");
    };
    drop(run);

    let run = Run::start(&scratch, at(0));
    assert!(matches!(run.claim("s", "m-2"), ClaimOutcome::Busy { .. }));
    run.clock.advance(MINUTE);
    let ClaimOutcome::Claimed(second) = run.claim("s", "m-2") else {
        panic!("the lease must end a minute later");
    };
    assert!(second.token.fencing_number() > first.token.fencing_number());
}

#[test]
fn c12_a_wall_clock_that_was_set_forward_ends_what_expires_by_then() {
    let scratch = Scratch::new();
    let run = Run::start(&scratch, at(0));
    run.park("short", MINUTE);
    run.park("long", 3 * HOUR);
    drop(run);

    let run = Run::start(&scratch, at(120));
    assert!(!run.has("short"));
    assert!(run.has("long"));
    assert!(
        run.warnings().is_empty(),
        "it cannot be distinguished from a long pause"
    );
    run.park("meanwhile", MINUTE);
    drop(run);

    // Corrected: the store stays ahead, and new TTLs have their length.
    let run = Run::start(&scratch, at(1));
    assert_eq!(run.warnings(), ["clock_set_back"]);
    assert!(run.has("meanwhile") && run.has("long"));
    run.clock.advance(MINUTE);
    assert!(!run.has("meanwhile"));
    assert!(run.has("long"));
    run.clock.advance(HOUR);
    assert!(!run.has("long"), "it was due an hour after the jump");
    assert!(run.clock.now() < at(63));
}
