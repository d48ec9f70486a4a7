//! C16: the outcomes of claims.

use std::slice;
use std::sync::Mutex;
use std::time::Duration;

use greentic_types::ReplyScope;

use super::race::{count, race};
use crate::claim::{ClaimOutcome, Commit, Turn};
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_eq, ensure_invalid};
use crate::conformance::samples::{ODD_PAYLOADS, scope};
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::resumed;
use crate::conformance::time::LONG;
use crate::message_id::{MAX_MESSAGE_ID_BYTES, MessageId};
use crate::options::{ClaimOptions, MAX_LEASE, ParkOptions};

pub fn c16_a_claim_hands_over_the_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let parked = ParkOptions::new().ttl(LONG * 2);
    let _parked = anna.park(&chat, &key, parked)?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_eq(resumed(&claim)?, &*anna.session(&key)?)?;
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
    anna.register_for(&one, &first, LONG * 2)?;
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
        let busy = ClaimOutcome::busy(claim.lease_until, message == "message");
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
        ensure_eq(anna.claim(&chat, message)?, ClaimOutcome::duplicate())?;
    }
    Ok(())
}

pub fn c16_ids_of_a_conversation_are_its_own(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    anna.register(&one, &env.key("first"))?;
    anna.register(&two, &env.key("second"))?;
    let id = |chat: &ReplyScope| MessageId::in_conversation(&chat.conversation, "17");
    for chat in [&one, &two] {
        let outcome = anna.claim_on(slice::from_ref(chat), &id(chat), LONG)?;
        let claim = granted(&outcome).ok_or_else(|| Failure::new("the message is lost"))?;
        env.store.commit(&claim.token, Commit::Finish)?;
    }
    let again = anna.claim_on(&[one, two.clone()], &id(&two), LONG)?;
    ensure_eq(again, ClaimOutcome::duplicate())
}

pub fn c16_the_first_scope_with_a_wait_takes_the_message(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(4);
    let [first, second, third, fourth] = &scopes[..] else {
        return Err(Failure::new("there are not four scopes"));
    };
    let claim = |name: &str| anna.claim_on(&scopes, &MessageId::new(name), LONG);
    ensure_eq(claim("message")?, ClaimOutcome::NoWait)?;
    let keys: Vec<_> = (0..3).map(|number| env.key(&number.to_string())).collect();
    anna.register(fourth, &keys[0])?;
    anna.register(second, &keys[1])?;
    let outcome = claim("message")?;
    let turn = granted(&outcome).ok_or_else(|| Failure::new("no wait is found"))?;
    ensure_eq(turn.token.session_key(), &keys[1])?;
    // A live claim takes the message too.
    let busy = ClaimOutcome::busy(turn.lease_until, false);
    ensure_eq(claim("another")?, busy)?;
    anna.register(first, &keys[2])?;
    let outcome = claim("another")?;
    let earlier = granted(&outcome).ok_or_else(|| Failure::new("no wait is found"))?;
    ensure_eq(earlier.token.session_key(), &keys[2])?;
    env.store.commit(&earlier.token, Commit::Finish)?;
    let moved = Commit::park(third.clone(), anna.data("moved"));
    env.store.commit(&turn.token, moved)?;
    let outcome = claim("last")?;
    let last = granted(&outcome).ok_or_else(|| Failure::new("no wait is found"))?;
    ensure_eq(last.token.session_key(), &keys[1])
}

pub fn c16_busy_tells_a_redelivery(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let first = anna.claimed(&chat, "first")?;
    let busy = |same| ClaimOutcome::busy(first.lease_until, same);
    ensure_eq(anna.claim(&chat, "first")?, busy(true))?;
    ensure_eq(anna.claim(&chat, "other")?, busy(false))?;
    let until = env.store.renew(&first.token, LONG * 2)?;
    let renewed = ClaimOutcome::busy(until, true);
    ensure_eq(anna.claim(&chat, "first")?, renewed)?;
    env.store.release(&first.token)?;
    let other = anna.claimed(&chat, "other")?;
    let busy = ClaimOutcome::busy(other.lease_until, false);
    ensure_eq(anna.claim(&chat, "first")?, busy)
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
    let message = MessageId::new("message");
    for (ctx, user) in [(&anna.ctx, &ben.user), (&ben.ctx, &anna.user)] {
        let (scopes, options) = (slice::from_ref(&chat), ClaimOptions::new(LONG));
        ensure_invalid(store.claim(ctx, user, scopes, &message, options))?;
    }
    for count in [0, 5] {
        ensure_invalid(anna.claim_on(&env.scopes(count), &message, LONG))?;
    }
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
        let claims: Vec<&Turn> = answers.iter().filter_map(granted).collect();
        let [claim] = claims[..] else {
            return Err(Failure::new(format!(
                "{} workers hold the claim",
                claims.len()
            )));
        };
        let busy = ClaimOutcome::busy(claim.lease_until, false);
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
                    ClaimOutcome::Duplicate { .. } => return Ok(()),
                    _ => return Err(Failure::new("the wait is lost")),
                }
            }
        })?;
        ensure_eq(resumed.into_inner().unwrap_or_default(), 1)?;
        anna.ensure_stored(&key, message)?;
    }
    ensure_eq(anna.session(&key)?.revision, 4)
}

fn granted(outcome: &ClaimOutcome) -> Option<&Turn> {
    match outcome {
        ClaimOutcome::Claimed(claim) => Some(claim),
        _ => None,
    }
}
