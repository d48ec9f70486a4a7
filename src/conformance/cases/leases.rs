//! C16: leases, releases and renewals.

use std::time::Duration;

use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_claim_lost, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::resumed;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::options::{MAX_LEASE, Ttl};

pub fn c16_the_lease_is_exact(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let first = anna.claimed(&chat, "first")?;
    env.advance(LONG - TICK)?;
    let busy = ClaimOutcome::busy(first.lease_until, false);
    ensure_eq(anna.claim(&chat, "second")?, busy)?;
    env.advance(TICK)?;
    let second = anna.claimed(&chat, "second")?;
    ensure_eq(second.attempt, 2)?;
    ensure_eq(second.lease_until.since(first.lease_until), LONG)
}

pub fn c16_a_tiny_lease_acts_as_one_millisecond(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    for lease in [Duration::ZERO, Duration::from_nanos(1), TICK] {
        let claim = anna.claimed_for(&chat, "message", lease)?;
        let busy = ClaimOutcome::busy(claim.lease_until, true);
        ensure_eq(anna.claim(&chat, "message")?, busy)?;
        env.advance(TICK)?;
    }
    ensure_eq(anna.claimed(&chat, "message")?.attempt, 4)
}

pub fn c16_an_ended_lease_frees_the_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let mut lost = anna.claimed_for(&chat, "message", SHORT)?;
    for attempt in 2..5 {
        let claim = anna.claimed_after(SHORT, &chat, "message")?;
        ensure_eq(claim.attempt, attempt)?;
        ensure(
            claim.token.fencing_number() > lost.token.fencing_number(),
            "the fencing number increases",
        )?;
        ensure_eq(resumed(&claim)?.revision, 1)?;
        let renewed = env.store.renew(&claim.token, SHORT)?;
        ensure(
            renewed < claim.lease_until,
            "a renewed lease can be shorter",
        )?;
        lost = claim;
    }
    Ok(())
}

pub fn c16_a_released_wait_is_free_at_once(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let first = anna.claimed(&chat, "message")?;
    env.store.release(&first.token)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    let second = anna.claimed(&chat, "message")?;
    ensure_eq(second.attempt, 2)?;
    ensure(
        second.token.fencing_number() > first.token.fencing_number(),
        "the fencing number increases",
    )?;
    ensure_claim_lost(env.store.renew(&first.token, LONG))?;
    ensure_claim_lost(env.store.commit(&first.token, Commit::Finish))?;
    env.store
        .commit(&second.token, Commit::Finish)
        .map_err(Failure::from)
}

pub fn c16_a_repeated_release_frees_nothing_else(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let first = anna.claimed(&chat, "message")?;
    env.store.release(&first.token)?;
    env.store.release(&first.token)?;
    let second = anna.claimed(&chat, "message")?;
    // Whether accepted or refused, the second worker keeps its claim.
    let _repeat = env.store.release(&first.token);
    let busy = ClaimOutcome::busy(second.lease_until, true);
    ensure_eq(anna.claim(&chat, "message")?, busy)?;
    Ok(env.store.commit(&second.token, Commit::Finish)?)
}

pub fn c16_renew_moves_the_end_of_the_lease(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    env.advance(LONG - TICK)?;
    let until = env.store.renew(&claim.token, LONG)?;
    ensure_eq(until.since(claim.lease_until), LONG - TICK)?;
    env.advance(LONG - TICK)?;
    ensure_eq(
        anna.claim(&chat, "other")?,
        ClaimOutcome::busy(until, false),
    )?;
    env.advance(TICK)?;
    let next = anna.claimed(&chat, "other")?;
    ensure_eq(next.attempt, 2)?;
    ensure_claim_lost(env.store.renew(&claim.token, LONG))
}

pub fn c16_renew_returns_the_new_end(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    for hours in 2..5 {
        let until = env.store.renew(&claim.token, LONG * hours)?;
        ensure(until > claim.lease_until, "the renewed lease is longer")?;
        ensure_eq(
            anna.claim(&chat, "message")?,
            ClaimOutcome::busy(until, true),
        )?;
    }
    ensure_eq(&*anna.session(&key)?, resumed(&claim)?)?;
    Ok(env.store.commit(&claim.token, Commit::Finish)?)
}

/// A commit that comes before the end of the lease is in time, also after the deadline.
pub fn c12_a_claim_holds_off_the_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    env.advance(LONG - TICK)?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_eq(resumed(&claim)?.deadline, Some(claim.lease_until))?;
    env.advance(LONG - TICK)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    ensure_eq(anna.session(&key)?.deadline, Some(claim.lease_until))?;
    let until = env.store.renew(&claim.token, LONG)?;
    ensure_eq(anna.session(&key)?.deadline, Some(until))?;
    env.advance(LONG - TICK)?;
    anna.commit_park(&claim, &chat, "in time")?;
    anna.ensure_stored(&key, "in time")?;
    env.advance(LONG - TICK)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.advance(TICK)?;
    anna.ensure_gone(&key)
}

pub fn c12_the_deadline_returns_when_the_claim_ends(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    for (number, ended) in ["released", "revoked", "released late", "revoked late"]
        .into_iter()
        .enumerate()
    {
        let key = env.key(ended);
        anna.register_for(&chat, &key, LONG)?;
        let deadline = anna.session(&key)?.deadline;
        let claim = anna.claimed_for(&chat, ended, LONG * 2)?;
        ensure_eq(anna.session(&key)?.deadline, Some(claim.lease_until))?;
        let is_late = number > 1;
        if is_late {
            env.advance(LONG)?;
        }
        match number % 2 {
            0 => env.store.release(&claim.token)?,
            _ => env.store.revoke(&key).map(|_revoked| ())?,
        }
        if !is_late {
            ensure_eq(anna.session(&key)?.deadline, deadline)?;
            env.advance(LONG)?;
        }
        anna.ensure_gone(&key)?;
        anna.ensure_waits(&[])?;
    }
    Ok(())
}

pub fn c12_a_claim_holds_off_the_deadline_for_a_day(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let day = MAX_LEASE;
    anna.register_for(&chat, &key, LONG)?;
    let deadline = anna.session(&key)?.deadline;
    let claim = anna.claimed_for(&chat, "message", LONG)?;
    ensure_eq(anna.session(&key)?.deadline, deadline)?;
    env.advance(LONG / 2)?;
    let _until = env.store.renew(&claim.token, day)?;
    env.advance(day - LONG)?;
    let _until = env.store.renew(&claim.token, day)?;
    let held = anna.session(&key)?.deadline;
    let longer = held.zip(deadline).map(|(held, own)| held.since(own));
    ensure_eq(longer, Some(day))?;
    let extended = env.store.extend(&key, Ttl::After(LONG))?;
    ensure_eq(anna.session(&key)?.deadline, extended)?;
    env.store.release(&claim.token)?;
    env.advance(LONG - TICK)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.advance(TICK)?;
    anna.ensure_gone(&key)
}

pub fn c16_a_claim_does_not_outlive_the_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    let claim = anna.claimed_for(&chat, "message", LONG * 2)?;
    env.advance(LONG * 2)?;
    ensure_claim_lost(env.store.renew(&claim.token, LONG))?;
    ensure_claim_lost(env.store.release(&claim.token))?;
    ensure_claim_lost(anna.commit_park(&claim, &chat, "late"))?;
    ensure_claim_lost(env.store.commit(&claim.token, Commit::Finish))?;
    anna.ensure_gone(&key)?;
    anna.ensure_waits(&[])?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)
}
