//! C27: who gets a start, and what a live start claim keeps others from.

use std::slice;
use std::sync::Mutex;

use super::exported::one_session;
use super::race::{count, race};
use crate::admin::{ExportRecord, ImportMode, ScanFilter};
use crate::claim::{ClaimOutcome, Commit, Turn};
use crate::conformance::ensure::{
    CaseResult, Failure, ensure, ensure_claimed, ensure_conflict, ensure_eq, ensure_invalid,
    ensure_refused,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::{LONG, TICK};
use crate::error::{Conflict, ErrorCode, SessionErrorExt};
use crate::ids::MAX_SESSION_KEY_BYTES;
use crate::options::{CreateOptions, ParkOptions, StartOptions, StoreOptions, Ttl};
use crate::session::ClearOutcome;

pub fn c27_a_start_hands_out_no_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("flow"));
    let turn = anna.started_with(&chat, "message", LONG, &key)?;
    ensure_eq(turn.data(), None)?;
    ensure_eq(turn.attempt, 1)?;
    ensure_eq(turn.token.session_key(), &key)?;
    ensure_eq(turn.owner().user, Some(anna.user.clone()))?;
    let number = turn.token.fencing_number();
    ensure(number > 0, "a fencing number is greater than 0")?;
    // Without a key of the caller's choice each start has a fresh one.
    let (one, two) = (
        anna.started(&scope("one"), "first")?,
        anna.started(&scope("two"), "second")?,
    );
    let (one, two) = (one.token.session_key(), two.token.session_key());
    ensure(
        one != two && one.as_str().len() >= 32,
        "keys are long and differ",
    )
}

pub fn c27_no_read_shows_a_start(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("flow"));
    let turn = anna.started_with(&chat, "message", LONG, &key)?;
    anna.ensure_gone(&key)?;
    anna.ensure_no_wait(&chat)?;
    anna.ensure_waits(&[])?;
    ensure_eq(anna.find_by_user()?, None)?;
    ensure_eq(env.scan_all(&env.tenant_filter(), 50)?, Vec::new())?;
    ensure_eq(
        env.scan_all(&ScanFilter::new().key(key.clone()), 50)?,
        Vec::new(),
    )?;
    ensure_eq(anna.clear_named(&chat)?, ClearOutcome::NoWait)?;
    anna.clear(&chat)?;
    ensure_refused(env.store.revoke(&key), ErrorCode::NotFound)?;
    ensure_refused(env.store.extend(&key, Ttl::Never), ErrorCode::NotFound)?;
    ensure_refused(env.store.remove(&key), ErrorCode::NotFound)?;
    // None of these calls ended the start.
    let busy = ClaimOutcome::busy(turn.lease_until, true);
    ensure_eq(anna.claim(&chat, "message")?, busy)?;
    Ok(anna.commit_park(&turn, &chat, "flow")?)
}

pub fn c27_one_of_many_starts_wins(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    for attempt in 1..9 {
        let answers = race(|worker| Ok(anna.start(&chat, &format!("message-{}", worker % 2))?))?;
        let turns: Vec<&Turn> = answers.iter().filter_map(granted).collect();
        let [turn] = turns[..] else {
            return Err(Failure::new(format!("{} workers start", turns.len())));
        };
        ensure_eq(turn.attempt, attempt)?;
        let busy = |same| ClaimOutcome::busy(turn.lease_until, same);
        let half = answers.len() / 2;
        ensure_eq(count(&answers, |answer| *answer == busy(true)), half - 1)?;
        ensure_eq(count(&answers, |answer| *answer == busy(false)), half)?;
        env.store.release(&turn.token)?;
    }
    Ok(())
}

pub fn c27_a_caller_without_the_option_sees_a_start(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    ensure_eq(anna.claim(&chat, "first")?, ClaimOutcome::NoWait)?;
    let turn = anna.started(&chat, "first")?;
    for message in ["first", "second"] {
        let busy = ClaimOutcome::busy(turn.lease_until, message == "first");
        ensure_eq(anna.claim(&chat, message)?, busy.clone())?;
        ensure_eq(anna.start(&chat, message)?, busy)?;
    }
    Ok(())
}

pub fn c27_the_first_scope_with_a_wait_or_a_start_takes_the_message(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(4);
    let [first, second, third, fourth] = &scopes[..] else {
        return Err(Failure::new("there are not four scopes"));
    };
    let claim = |name: &str| anna.start_on(&scopes, name, LONG, StartOptions::new());
    // Nothing takes it: the flow starts on the last scope.
    let on_fourth = claim("message")?;
    let on_fourth = granted(&on_fourth).ok_or_else(|| Failure::new("no flow is started"))?;
    let busy = ClaimOutcome::busy(on_fourth.lease_until, true);
    ensure_eq(anna.claim(fourth, "message")?, busy)?;
    for free in [first, second, third] {
        ensure_eq(anna.claim(free, "message")?, ClaimOutcome::NoWait)?;
    }
    let on_third = anna.started(third, "another")?;
    let busy = ClaimOutcome::busy(on_third.lease_until, false);
    ensure_eq(claim("message")?, busy.clone())?;
    // A start that is over takes no message.
    env.store.release(&on_third.token)?;
    let busy = ClaimOutcome::busy(on_fourth.lease_until, true);
    ensure_eq(claim("message")?, busy)?;
    anna.register(second, &env.key("wait"))?;
    let on_second = claim("message")?;
    let on_second = granted(&on_second).ok_or_else(|| Failure::new("no wait is found"))?;
    ensure_eq(on_second.token.session_key(), &env.key("wait"))?;
    let on_first = anna.started(first, "last")?;
    let busy = ClaimOutcome::busy(on_first.lease_until, true);
    ensure_eq(claim("last")?, busy)
}

pub fn c27_starts_of_other_owners_and_scopes_are_free(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (one, two) = (scope("one"), scope("two"));
    let turns = [
        anna.started(&one, "first")?,
        anna.started(&two, "second")?,
        ben.started(&one, "first")?,
    ];
    for turn in &turns[..2] {
        env.store
            .commit(&turn.token, Commit::park_here(anna.data("anna")))?;
    }
    env.store
        .commit(&turns[2].token, Commit::park_here(ben.data("ben")))?;
    let started = [&turns[0], &turns[1]].map(|turn| turn.token.session_key());
    anna.ensure_waits(&[(&one, started[0]), (&two, started[1])])?;
    ben.ensure_waits(&[(&one, turns[2].token.session_key())])
}

pub fn c27_a_live_start_keeps_its_scope(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, rival) = (env.key("flow"), env.key("rival"));
    // A record of a session that waits on the scope.
    anna.register(&chat, &rival)?;
    let record = one_session(env)?;
    env.store.remove(&rival)?;
    anna.register(&other, &rival)?;
    let claim = anna.claimed(&other, "rival")?;
    let turn = anna.started_with(&chat, "message", LONG, &key)?;
    let third = env.key("third");
    ensure_claimed(anna.register(&chat, &third))?;
    ensure_claimed(anna.park(&chat, &third, ParkOptions::new()))?;
    ensure_claimed(anna.park(&chat, &third, ParkOptions::new().if_absent()))?;
    anna.ensure_gone(&third)?;
    for mode in [ImportMode::IfAbsent, ImportMode::Replace] {
        let mut record = record.clone();
        record.key = third.clone();
        let imported = env
            .store
            .import(ExportRecord::Session(Box::new(record)), mode);
        ensure_claimed(imported)?;
        anna.ensure_gone(&third)?;
    }
    let refused = anna.commit_park(&claim, &chat, "moved");
    let until = turn.lease_until;
    ensure_eq(ensure_conflict(refused)?, Conflict::Claimed { until })?;
    anna.ensure_stored(&rival, rival.as_str())?;
    anna.ensure_waits(&[(&other, &rival)])?;
    // The refused commit remembered nothing and kept its claim.
    let busy = ClaimOutcome::busy(claim.lease_until, true);
    ensure_eq(anna.claim(&other, "rival")?, busy)?;
    anna.commit_park(&turn, &chat, "flow")?;
    anna.ensure_waits(&[(&other, &rival), (&chat, &key)])?;
    // Now a session waits there, which can be displaced.
    anna.commit_park(&claim, &chat, "moved")?;
    anna.ensure_waits(&[(&chat, &rival)])
}

pub fn c27_a_key_in_use_is_refused_before_the_flow_runs(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let chat = scope("chat");
    let (own, foreign) = (env.key("own"), env.key("foreign"));
    let _created = anna.create_with(CreateOptions::new().key(own.clone()))?;
    ben.register(&chat, &foreign)?;
    let start = |key: &str| {
        let key = greentic_types::SessionKey::new(key);
        let start = StartOptions::new().key(key);
        anna.start_on(slice::from_ref(&chat), "message", LONG, start)
    };
    ensure_invalid(start(foreign.as_str()))?;
    let taken = ensure_conflict(start(own.as_str()))?;
    ensure_eq(taken, Conflict::KeyTaken)?;
    ensure_invalid(start(""))?;
    ensure_invalid(start(&"x".repeat(MAX_SESSION_KEY_BYTES + 1)))?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    // What waits takes the message, whatever the key.
    anna.register(&chat, &own)?;
    let outcome = start(foreign.as_str())?;
    let turn = granted(&outcome).ok_or_else(|| Failure::new("no wait is found"))?;
    ensure_eq(turn.token.session_key(), &own)
}

pub fn c27_a_first_message_starts_one_flow(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for chat in env.scopes(3) {
        let started = Mutex::new(Vec::new());
        race(|worker| {
            loop {
                match anna.start(&chat, &chat.conversation)? {
                    ClaimOutcome::Claimed(turn) if worker % 3 == 0 => {
                        // This worker gives up.
                        env.store.release(&turn.token)?;
                        return Ok(());
                    }
                    ClaimOutcome::Claimed(turn) => {
                        anna.commit_park(&turn, &chat, "started")?;
                        let mut started = started.lock().map_err(|_| Failure::new("poisoned"))?;
                        started.push(turn.token.session_key().clone());
                    }
                    ClaimOutcome::Busy { .. } => std::thread::yield_now(),
                    ClaimOutcome::Duplicate { .. } => return Ok(()),
                    _ => return Err(Failure::new("nobody may start")),
                }
            }
        })?;
        let started = started.into_inner().unwrap_or_default();
        ensure_eq(started.len(), 1)?;
        ensure_eq(anna.find(&chat)?, started.first().cloned())?;
    }
    ensure_eq(anna.list()?.len(), 3)
}

pub fn c27_a_start_counts_as_a_wait(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new().max_waits(2))?;
    let anna = env.user("anna");
    let scopes = env.scopes(4);
    let [one, two, three, four] = &scopes[..] else {
        return Err(Failure::new("there are not four scopes"));
    };
    anna.register(one, &env.key("wait"))?;
    let first = anna.started(two, "first")?;
    let full = |error: greentic_types::GreenticError| {
        ensure_eq(error.code, ErrorCode::RateLimited)?;
        ensure(error.quota().is_some(), "the reason is the limit")
    };
    full(ensure_refused(
        anna.register(three, &env.key("another")),
        ErrorCode::RateLimited,
    )?)?;
    full(ensure_refused(
        anna.start(three, "another"),
        ErrorCode::RateLimited,
    )?)?;
    ensure_eq(anna.claim(three, "another")?, ClaimOutcome::NoWait)?;
    ensure_eq(env.store.health()?.refused_waits, 2)?;
    // A record that stays counts; it is the same one for a retry.
    env.store.release(&first.token)?;
    ensure_refused(anna.start(three, "another"), ErrorCode::RateLimited)?;
    let retry = anna.started(two, "first")?;
    // A turn that was granted is not refused.
    anna.commit_park(&retry, four, "started")?;
    ensure_eq(anna.list()?.len(), 2)?;
    ensure_refused(anna.start(two, "another"), ErrorCode::RateLimited)?;
    // A wait in the place of a record leaves the count as it is.
    anna.clear(one)?;
    let second = anna.started(one, "second")?;
    env.store.release(&second.token)?;
    anna.register(one, &env.key("another"))?;
    ensure_refused(anna.start(two, "another"), ErrorCode::RateLimited)?;
    anna.clear(four)?;
    let last = anna.started(two, "last")?;
    env.store.commit(&last.token, Commit::Finish)?;
    anna.register(two, &env.key("last"))?;
    ensure_eq(anna.list()?.len(), 2)
}

pub fn c27_a_start_whose_record_is_gone_does_not_count(env: &TestEnv) -> CaseResult {
    let limit = 40;
    let env = &env.with_options(StoreOptions::new().max_waits(limit))?;
    let anna = env.user("anna");
    let scopes = env.scopes(limit + 1);
    for chat in &scopes[..limit] {
        let _abandoned = anna.started(chat, &chat.conversation)?;
    }
    env.advance(LONG * 2 - TICK)?;
    ensure_refused(
        anna.start(&scopes[limit], "another"),
        ErrorCode::RateLimited,
    )?;
    env.advance(TICK)?;
    for chat in &scopes[1..] {
        let _started = anna.started(chat, &chat.conversation)?;
    }
    let refused = anna.register(&scopes[0], &env.key("wait"));
    ensure_refused(refused, ErrorCode::RateLimited).map(|_refusal| ())
}

fn granted(outcome: &ClaimOutcome) -> Option<&Turn> {
    match outcome {
        ClaimOutcome::Claimed(turn) => Some(turn),
        _ => None,
    }
}
