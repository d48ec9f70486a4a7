//! C16: the outcomes of claims.

use std::sync::Mutex;
use std::time::Duration;

use super::race::{count, race};
use crate::claim::{Claim, ClaimOutcome, Commit, MAX_MESSAGE_ID_BYTES};
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_eq, ensure_invalid};
use crate::conformance::samples::{ODD_PAYLOADS, scope};
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::LONG;
use crate::options::{MAX_LEASE, ParkOptions};

pub fn c16_a_claim_hands_over_the_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let parked = ParkOptions::new().ttl(LONG * 2);
    let _parked = anna.park(&chat, &key, parked)?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_eq(&claim.session, &anna.session(&key)?)?;
    ensure_eq(claim.attempt, 1)?;
    ensure_eq(claim.token.session_key(), &key)?;
    ensure(
        claim.token.fencing_number() > 0,
        "a fencing number is greater than 0",
    )
}

pub fn c16_a_claim_changes_nothing_that_is_read(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register_for(&one, &first, LONG)?;
    anna.register(&two, &second)?;
    let before = anna.session(&first)?;
    let _claim = anna.claimed(&one, "message")?;
    ensure_eq(anna.session(&first)?, before.clone())?;
    ensure_eq(env.store.get_fenced(&anna.ctx, &first)?, Some(before))?;
    anna.ensure_stored(&first, first.as_str())?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    ensure_invalid(anna.find_by_user())?;
    anna.clear(&two)?;
    ensure_eq(anna.find_by_user()?, Some(first))
}

pub fn c16_there_is_nothing_to_claim_without_a_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other, key) = (scope("chat"), scope("other"), env.key("wait"));
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    let _created = anna.create("{}")?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    anna.register(&chat, &key)?;
    ensure_eq(anna.claim(&other, "message")?, ClaimOutcome::NoWait)?;
    ensure_eq(
        env.user("ben").claim(&chat, "message")?,
        ClaimOutcome::NoWait,
    )?;
    anna.register(&other, &key)?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    anna.clear(&other)?;
    ensure_eq(anna.claim(&other, "message")?, ClaimOutcome::NoWait)
}

pub fn c16_a_live_claim_makes_other_claims_busy(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    for message in ["message", "another"] {
        let busy = ClaimOutcome::Busy {
            until: claim.lease_until,
        };
        ensure_eq(anna.claim(&chat, message)?, busy)?;
    }
    Ok(())
}

pub fn c16_claims_of_other_waits_are_free(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (one, two) = (scope("one"), scope("two"));
    anna.register(&one, &env.key("first"))?;
    anna.register(&two, &env.key("second"))?;
    ben.register(&one, &env.key("third"))?;
    let first = anna.claimed(&one, "message")?;
    let second = anna.claimed(&two, "another")?;
    let third = ben.claimed(&one, "message")?;
    for claim in [first, second, third] {
        env.store.commit(&claim.token, Commit::Finish)?;
    }
    Ok(())
}

pub fn c16_odd_message_ids_work(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let longest = "x".repeat(MAX_MESSAGE_ID_BYTES);
    let odd = ODD_PAYLOADS.into_iter().filter(|text| !text.is_empty());
    let messages: Vec<&str> = odd.chain([longest.as_str()]).collect();
    for message in &messages {
        let claim = anna.claimed(&chat, message)?;
        anna.commit_park(&claim, &chat, "again")?;
    }
    for message in messages {
        ensure_eq(anna.claim(&chat, message)?, ClaimOutcome::Duplicate)?;
    }
    Ok(())
}

pub fn c16_bad_claims_are_refused(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    ensure_invalid(anna.claim(&chat, ""))?;
    let overlong = "x".repeat(MAX_MESSAGE_ID_BYTES + 1);
    let error = ensure_invalid(anna.claim(&chat, &overlong))?;
    ensure(
        error.message.contains("4096"),
        "the message names the limit",
    )?;
    let over = MAX_LEASE + Duration::from_secs(1);
    for lease in [over, Duration::MAX] {
        ensure_invalid(anna.claim_for(&chat, "message", lease))?;
    }
    let ben = env.user("ben");
    let store = &env.store;
    ensure_invalid(store.claim(&anna.ctx, &ben.user, &chat, "message", LONG))?;
    ensure_invalid(store.claim(&ben.ctx, &anna.user, &chat, "message", LONG))?;
    let claim = anna.claimed_for(&chat, "message", MAX_LEASE)?;
    ensure_eq(claim.attempt, 1)?;
    ensure_invalid(store.renew(&claim.token, over))?;
    ensure_eq(
        store.renew(&claim.token, MAX_LEASE)? >= claim.lease_until,
        true,
    )
}

pub fn c16_one_of_many_claims_wins(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let mut numbers = Vec::new();
    for attempt in 1..9 {
        let answers = race(|worker| Ok(anna.claim(&chat, &format!("message-{worker}"))?))?;
        let claims: Vec<&Claim> = answers.iter().filter_map(granted).collect();
        let [claim] = claims[..] else {
            return Err(Failure::new(format!(
                "{} workers hold the claim",
                claims.len()
            )));
        };
        let busy = ClaimOutcome::Busy {
            until: claim.lease_until,
        };
        ensure_eq(count(&answers, |answer| *answer == busy), answers.len() - 1)?;
        ensure_eq(claim.attempt, attempt)?;
        numbers.push(claim.token.fencing_number());
        env.store.release(&claim.token)?;
    }
    ensure(
        numbers.is_sorted_by(|a, b| a < b),
        "the fencing number increases",
    )
}

pub fn c16_a_message_is_resumed_once(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    for message in ["first", "second", "third"] {
        let resumed = Mutex::new(0);
        race(|_worker| {
            loop {
                match anna.claim(&chat, message)? {
                    ClaimOutcome::Claimed(claim) => {
                        anna.commit_park(&claim, &chat, message)?;
                        let mut resumed = resumed.lock().map_err(|_| Failure::new("poisoned"))?;
                        *resumed += 1;
                    }
                    ClaimOutcome::Busy { .. } => std::thread::yield_now(),
                    ClaimOutcome::Duplicate => return Ok(()),
                    ClaimOutcome::NoWait => return Err(Failure::new("the wait is lost")),
                }
            }
        })?;
        ensure_eq(resumed.into_inner().unwrap_or_default(), 1)?;
        anna.ensure_stored(&key, message)?;
    }
    ensure_eq(anna.session(&key)?.revision, 4)
}

fn granted(outcome: &ClaimOutcome) -> Option<&Claim> {
    match outcome {
        ClaimOutcome::Claimed(claim) => Some(claim),
        _ => None,
    }
}
