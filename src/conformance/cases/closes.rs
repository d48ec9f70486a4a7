//! C32: a wait that closes leaves its scope.

use std::slice;
use std::time::Duration;

use crate::admin::{ScanFilter, SessionState};
use crate::claim::{ClaimOutcome, Commit, Turn};
use crate::conformance::ensure::{
    CaseResult, ensure, ensure_claimed, ensure_conflict, ensure_eq, ensure_invalid,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::{TestUser, resumed};
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::error::Conflict;
use crate::options::{ParkOptions, StartOptions, StoreOptions, Ttl};
use crate::session::{ClearOutcome, ParkOutcome};
use crate::timeout::{Timeout, TimeoutKind};

/// Parks on the scope `chat`, and closes the wait. The session has the name `closed`.
fn close(env: &TestEnv, anna: &TestUser<'_>) -> CaseResult {
    let (chat, key) = (scope("chat"), env.key("closed"));
    anna.register(&chat, &key)?;
    env.fire(&key, TimeoutKind::Close)?;
    env.pass(TICK, || Ok(anna.find(&chat)?.is_none()))
}

/// Hands out the turn of the closed wait.
fn closed_turn(env: &TestEnv) -> CaseResult<Turn> {
    let turn = env.due_after(Duration::ZERO, LONG)?;
    ensure_eq(turn.token.session_key(), &env.key("closed"))?;
    Ok(turn)
}

/// Requires that nothing finds the wait, and that the session can be read.
fn ensure_left(env: &TestEnv, anna: &TestUser<'_>) -> CaseResult {
    let (chat, key) = (scope("chat"), env.key("closed"));
    anna.ensure_no_wait(&chat)?;
    anna.ensure_waits(&[])?;
    ensure_eq(anna.find_by_user()?, None)?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    ensure_eq(anna.clear_named(&chat)?, ClearOutcome::NoWait)?;
    anna.clear(&chat)?;
    anna.ensure_stored(&key, key.as_str())
}

pub fn c32_a_closed_wait_is_seen_by_its_key_alone(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    close(&env, &anna)?;
    ensure_left(&env, &anna)?;
    let found = env.scan_all(&ScanFilter::new().key(env.key("closed")), 50)?;
    let waits = found
        .iter()
        .all(|info| matches!(info.state, SessionState::Waiting { .. }));
    ensure(found.len() == 1 && waits, "a scan shows it")?;
    for timeout in [None, Some(Timeout::close(LONG))] {
        let refused = ensure_conflict(env.store.set_timeout(&env.key("closed"), timeout))?;
        ensure_eq(refused, Conflict::NotWaiting)?;
    }
    let turn = closed_turn(&env)?;
    ensure_left(&env, &anna)?;
    ensure_eq(resumed(&turn)?.key.clone(), env.key("closed"))?;
    // After a release too.
    env.store.release(&turn.token)?;
    ensure_left(&env, &anna)?;
    let turn = closed_turn(&env)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    anna.ensure_gone(&env.key("closed"))
}

pub fn c32_a_closed_wait_parks_on_its_free_scope(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("closed"));
    close(&env, &anna)?;
    let turn = closed_turn(&env)?;
    env.store
        .commit(&turn.token, Commit::park_here(anna.data("again")))?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.ensure_stored(&key, "again")?;
    env.ensure_nothing_due()?;
    let turn = anna.claimed(&chat, "message")?;
    Ok(env.store.commit(&turn.token, Commit::Finish)?)
}

pub fn c32_a_closed_wait_gives_up_its_scope(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), env.key("other"));
    close(&env, &anna)?;
    // It neither displaces the closed wait nor conflicts with it.
    let parked = anna.park(&chat, &other, ParkOptions::new().if_absent())?;
    ensure_eq(parked, ParkOutcome::Registered { revision: 1 })?;
    anna.ensure_waits(&[(&chat, &other)])?;
    let turn = closed_turn(&env)?;
    // The commit displaces nothing, wherever it parks.
    anna.register(&scope("second"), &env.key("second"))?;
    for park in [
        Commit::park_here(anna.data("again")),
        Commit::park(scope("second"), anna.data("again")),
    ] {
        let taken = ensure_conflict(env.store.commit(&turn.token, park))?;
        ensure_eq(taken, Conflict::ScopeTaken)?;
    }
    let claim = anna.claimed(&chat, "message")?;
    let here = || Commit::park_here(anna.data("again"));
    ensure_claimed(env.store.commit(&turn.token, here()))?;
    env.store.commit(&claim.token, Commit::Finish)?;
    env.store.commit(&turn.token, here())?;
    anna.ensure_waits(&[
        (&scope("second"), &env.key("second")),
        (&chat, &env.key("closed")),
    ])
}

pub fn c32_a_flow_starts_beside_a_closed_wait(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, flow) = (scope("chat"), env.key("flow"));
    close(&env, &anna)?;
    let start = anna.started_with(&chat, "message", LONG, &flow)?;
    let turn = closed_turn(&env)?;
    let here = || Commit::park_here(anna.data("again"));
    ensure_claimed(env.store.commit(&turn.token, here()))?;
    env.store
        .commit(&start.token, Commit::park_here(anna.data("flow")))?;
    anna.ensure_waits(&[(&chat, &flow)])?;
    let taken = ensure_conflict(env.store.commit(&turn.token, here()))?;
    ensure_eq(taken, Conflict::ScopeTaken)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    anna.ensure_waits(&[(&chat, &flow)])
}

pub fn c32_a_claim_in_time_keeps_the_wait_open(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("closed"));
    let close = ParkOptions::new().timeout(Timeout::close(LONG));
    let _parked = anna.park(&chat, &key, close)?;
    let turn = anna.claimed_for(&chat, "first", 2 * LONG)?;
    env.advance(LONG)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    let busy = ClaimOutcome::busy(turn.lease_until, false);
    ensure_eq(anna.claim(&chat, "second")?, busy)?;
    ensure_claimed(anna.register(&chat, &env.key("other")))?;
    env.ensure_nothing_due()?;
    env.store
        .commit(&turn.token, Commit::park_here(anna.data("answered")))?;
    env.ensure_nothing_due()?;
    anna.ensure_waits(&[(&chat, &key)])?;
    // After a release the wait closes.
    let _parked = anna.park(&chat, &key, close)?;
    let turn = anna.claimed_for(&chat, "third", 2 * LONG)?;
    env.advance(LONG)?;
    env.store.release(&turn.token)?;
    ensure_left(&env, &anna)?;
    closed_turn(&env).map(|_turn| ())
}

pub fn c32_a_late_commit_displaces_nothing(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key, other) = (scope("chat"), env.key("closed"), env.key("other"));
    let close = ParkOptions::new().timeout(Timeout::close(SHORT));
    let _parked = anna.park(&chat, &key, close)?;
    let late = anna.claimed_for(&chat, "message", SHORT)?;
    env.advance(SHORT)?;
    anna.ensure_waits(&[])?;
    // No other worker has the turn yet: its lease goes on, and the wait is open again.
    env.store.renew(&late.token, SHORT)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.advance(SHORT)?;
    anna.register(&chat, &other)?;
    anna.ensure_waits(&[(&chat, &other)])?;
    env.store.renew(&late.token, LONG)?;
    anna.ensure_waits(&[(&chat, &other)])?;
    env.ensure_nothing_due()?;
    let again = Commit::park_here(anna.data("again"));
    let taken = ensure_conflict(env.store.commit(&late.token, again))?;
    ensure_eq(taken, Conflict::ScopeTaken)?;
    let elsewhere = Commit::park(scope("elsewhere"), anna.data("again"));
    env.store.commit(&late.token, elsewhere)?;
    anna.ensure_waits(&[(&chat, &other), (&scope("elsewhere"), &key)])
}

pub fn c32_a_start_takes_the_scope_for_good(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key, flow) = (scope("chat"), env.key("closed"), env.key("flow"));
    let close = ParkOptions::new().timeout(Timeout::close(SHORT));
    let _parked = anna.park(&chat, &key, close)?;
    let late = anna.claimed_for(&chat, "message", SHORT)?;
    env.advance(SHORT)?;
    let start = anna.started_with(&chat, "first", LONG, &flow)?;
    env.store.renew(&late.token, LONG)?;
    anna.ensure_waits(&[])?;
    let busy = ClaimOutcome::busy(start.lease_until, true);
    ensure_eq(anna.claim(&chat, "first")?, busy)?;
    env.store
        .commit(&start.token, Commit::park_here(anna.data("flow")))?;
    anna.ensure_waits(&[(&chat, &flow)])
}

pub fn c32_a_closed_wait_can_be_parked_anew(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key, other) = (scope("chat"), env.key("closed"), env.key("other"));
    close(&env, &anna)?;
    // Its own closed wait is none that exists.
    let parked = anna.park(&chat, &key, ParkOptions::new().if_absent())?;
    ensure_eq(parked, ParkOutcome::Registered { revision: 2 })?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.ensure_nothing_due()?;
    env.fire(&key, TimeoutKind::Close)?;
    let turn = env.due_after(TICK, LONG)?;
    anna.register(&chat, &other)?;
    ensure_claimed(anna.register(&chat, &key))?;
    env.store.release(&turn.token)?;
    // A park displaces, as always.
    anna.register(&chat, &key)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.ensure_stored(&other, other.as_str())?;
    env.ensure_nothing_due()
}

pub fn c32_a_closed_wait_stays_until_its_deadline(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("closed"));
    let close = ParkOptions::new().ttl(LONG);
    let _parked = anna.park(&chat, &key, close.timeout(Timeout::close(SHORT)))?;
    env.advance(LONG - TICK)?;
    anna.ensure_stored(&key, key.as_str())?;
    // The claim holds the deadline off.
    let turn = closed_turn(&env)?;
    env.advance(LONG - TICK)?;
    anna.ensure_stored(&key, key.as_str())?;
    env.advance(TICK)?;
    anna.ensure_gone(&key)?;
    let lost = ensure_conflict(env.store.commit(&turn.token, Commit::Finish))?;
    ensure_eq(lost, Conflict::ClaimLost)?;
    env.ensure_nothing_due()?;
    anna.register(&chat, &key)?;
    ensure_invalid(anna.park(&chat, &key, close.timeout(Timeout::close(LONG))))?;
    env.store.extend(&key, Ttl::Never).map(|_none| Ok(()))?
}

pub fn c32_a_closed_wait_that_was_handed_out_is_no_wait(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().max_waits(1))?;
    let anna = env.user("anna");
    close(&env, &anna)?;
    let turn = closed_turn(&env)?;
    anna.register(&scope("second"), &env.key("second"))?;
    // A commit is never refused for the limit.
    env.store
        .commit(&turn.token, Commit::park_here(anna.data("again")))?;
    // Nor is a call that takes the scope of a closed wait.
    let env = env.with_options(StoreOptions::new().max_waits(1))?;
    let ben = env.user("ben");
    close(&env, &ben)?;
    let (chat, flow) = (scope("chat"), StartOptions::new());
    let started = ben.start_on(slice::from_ref(&chat), "message", LONG, flow)?;
    ensure(matches!(started, ClaimOutcome::Claimed(_)), "it is granted")
}
