//! C27: leases of starts, and how long the record of a start stays.

use std::slice;
use std::time::Duration;

use super::exported::{exported, one_session};
use crate::admin::{EraseMode, ExportRecord, ImportMode, OwnerSelection, ScanCursor};
use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{
    CaseResult, Failure, ensure, ensure_claim_lost, ensure_eq, ensure_invalid, ensure_refused,
};
use crate::conformance::samples::{VERIFY_MODES, scope};
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::error::ErrorCode;
use crate::options::{StartOptions, StoreOptions, UpdateOptions};

const MINUTE: Duration = Duration::from_secs(60);

pub fn c27_a_retry_keeps_the_key(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("flow"));
    let mut lost = anna.started_with(&chat, "message", SHORT, &key)?;
    for attempt in 2..5 {
        anna.end_start(SHORT, &chat)?;
        // Also for another message, and though the caller gives another key.
        let name = format!("message-{attempt}");
        let turn = anna.started_with(&chat, &name, SHORT, &env.key(&name))?;
        ensure_eq(turn.attempt, attempt)?;
        ensure_eq(turn.token.session_key(), &key)?;
        ensure(
            turn.token.fencing_number() > lost.token.fencing_number(),
            "the fencing number increases",
        )?;
        ensure_claim_lost(env.store.renew(&lost.token, LONG))?;
        ensure_claim_lost(env.store.release(&lost.token))?;
        ensure_claim_lost(env.store.commit(&lost.token, Commit::Finish))?;
        ensure_claim_lost(anna.commit_park(&lost, &chat, "late"))?;
        lost = turn;
    }
    anna.ensure_gone(&key)
}

pub fn c27_a_retry_sees_who_has_its_key(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("flow"));
    let first = anna.started_with(&chat, "message", LONG, &key)?;
    env.store.release(&first.token)?;
    ben.register_for(&chat, &key, SHORT)?;
    let retry = || {
        let start = StartOptions::new().key(key.clone());
        anna.start_on(slice::from_ref(&chat), "message", LONG, start)
    };
    ensure_invalid(retry())?;
    env.pass(SHORT, || Ok(ben.find(&chat)?.is_none()))?;
    let turn = anna.started_with(&chat, "message", LONG, &key)?;
    ensure_eq(turn.attempt, 2)?;
    ensure_eq(turn.token.session_key(), &key)?;
    anna.commit_park(&turn, &chat, "started")?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c27_a_late_commit_counts(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("flow"));
    let turn = anna.started_with(&chat, "message", SHORT, &key)?;
    anna.end_start(SHORT, &chat)?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    anna.commit_park(&turn, &chat, "late")?;
    anna.ensure_waits(&[(&chat, &key)])?;
    ensure_eq(anna.start(&chat, "message")?, ClaimOutcome::duplicate())
}

pub fn c27_a_later_write_voids_the_token(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let rival = env.key("rival");
    for write in ["start", "park", "import", "erase"] {
        let chat = scope(write);
        anna.register(&chat, &rival)?;
        let record = one_session(env)?;
        env.store.remove(&rival)?;
        let turn = anna.started_with(&chat, write, SHORT, &env.key(write))?;
        anna.end_start(SHORT, &chat)?;
        match write {
            "start" => {
                let other = anna.started(&chat, "other")?;
                env.store.release(&other.token)?;
            }
            "park" => anna.register(&chat, &rival)?,
            "import" => {
                let record = ExportRecord::Session(Box::new(record));
                let _imported = env.store.import(record, ImportMode::Replace)?;
            }
            _ => erase(env, EraseMode::Erase).map(drop)?,
        }
        ensure_claim_lost(anna.commit_park(&turn, &chat, "late"))?;
        if matches!(write, "park" | "import") {
            anna.ensure_waits(&[(&chat, &rival)])?;
            env.store.remove(&rival)?;
            // The record is gone, so a new start is the first attempt.
            let next = anna.started(&chat, &format!("after {write}"))?;
            ensure_eq(next.attempt, 1)?;
            env.store.commit(&next.token, Commit::Finish)?;
        }
        ensure_claim_lost(env.store.commit(&turn.token, Commit::Finish))?;
        ensure_claim_lost(env.store.renew(&turn.token, LONG))?;
        ensure_claim_lost(env.store.release(&turn.token))?;
        anna.ensure_gone(&env.key(write))?;
    }
    Ok(())
}

pub fn c27_the_record_stays_for_one_more_lease(env: &TestEnv) -> CaseResult {
    ensure_kept(env, LONG, LONG)
}

pub fn c27_the_record_stays_for_a_minute_at_least(env: &TestEnv) -> CaseResult {
    ensure_kept(env, SHORT, MINUTE)
}

pub fn c27_many_records_end_at_once(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(40);
    let lost: Vec<_> = scopes
        .iter()
        .map(|chat| anna.started(chat, &chat.conversation))
        .collect::<CaseResult<_>>()?;
    env.advance(LONG * 2)?;
    for (chat, lost) in scopes.iter().zip(&lost) {
        ensure_claim_lost(env.store.renew(&lost.token, LONG))?;
        let turn = anna.started(chat, &chat.conversation)?;
        ensure_eq(turn.attempt, 1)?;
        ensure(
            turn.token.session_key() != lost.token.session_key(),
            "the key is fresh",
        )?;
    }
    Ok(())
}

/// Requires that the record of a start with this lease stays for so long after it.
fn ensure_kept(env: &TestEnv, lease: Duration, stay: Duration) -> CaseResult {
    let anna = env.user("anna");
    let (one, two, three) = (scope("one"), scope("two"), scope("three"));
    let retried = anna.started_with(&one, "one", lease, &env.key("one"))?;
    let late = anna.started_with(&two, "two", lease, &env.key("two"))?;
    let gone = anna.started_with(&three, "three", lease, &env.key("three"))?;
    env.advance(lease - TICK)?;
    let busy = ClaimOutcome::busy(retried.lease_until, true);
    ensure_eq(anna.start(&one, "one")?, busy)?;
    env.advance(stay)?;
    let retry = anna.started_with(&one, "one", lease, &env.key("other"))?;
    ensure_eq(retry.attempt, 2)?;
    ensure_eq(retry.token.session_key(), &env.key("one"))?;
    anna.commit_park(&late, &two, "late")?;
    env.advance(TICK)?;
    ensure_claim_lost(env.store.renew(&gone.token, lease))?;
    ensure_claim_lost(env.store.release(&gone.token))?;
    ensure_claim_lost(anna.commit_park(&gone, &three, "too late"))?;
    anna.ensure_waits(&[(&two, &env.key("two"))])?;
    let fresh = anna.started_with(&three, "three", lease, &env.key("fresh"))?;
    ensure_eq(fresh.attempt, 1)?;
    ensure_eq(fresh.token.session_key(), &env.key("fresh"))?;
    // A release ends the lease, and not the stay.
    env.store.release(&fresh.token)?;
    env.advance(lease + stay - TICK)?;
    ensure_eq(anna.started(&three, "three")?.attempt, 2)
}

pub fn c27_fencing_numbers_go_on(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    let mut numbers = Vec::new();
    for round in 0..3 {
        let first = anna.started(&chat, &format!("first-{round}"))?;
        env.store.release(&first.token)?;
        let retry = anna.started(&chat, &format!("retry-{round}"))?;
        anna.commit_park(&retry, &chat, "started")?;
        let last = anna.claimed(&chat, &format!("last-{round}"))?;
        env.store.commit(&last.token, Commit::Finish)?;
        let turns = [first, retry, last];
        numbers.extend(turns.map(|turn| turn.token.fencing_number()));
    }
    ensure(
        numbers.is_sorted_by(|one, other| one < other),
        "the fencing number increases",
    )
}

pub fn c27_renew_moves_the_end_of_the_lease(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    let turn = anna.started(&chat, "message")?;
    for hours in 2..5 {
        let until = env.store.renew(&turn.token, LONG * hours)?;
        ensure(until > turn.lease_until, "the renewed lease is longer")?;
        let busy = ClaimOutcome::busy(until, true);
        ensure_eq(anna.start(&chat, "message")?, busy)?;
    }
    let _until = env.store.renew(&turn.token, SHORT)?;
    anna.end_start(SHORT, &chat)?;
    // Nobody has taken it, so it can be renewed.
    let until = env.store.renew(&turn.token, LONG)?;
    let busy = ClaimOutcome::busy(until, false);
    ensure_eq(anna.start(&chat, "another")?, busy)?;
    Ok(env.store.commit(&turn.token, Commit::Finish)?)
}

pub fn c27_a_released_start_is_free_at_once(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    let first = anna.started(&chat, "message")?;
    env.store.release(&first.token)?;
    env.store.release(&first.token)?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    ensure_claim_lost(env.store.renew(&first.token, LONG))?;
    ensure_claim_lost(env.store.commit(&first.token, Commit::Finish))?;
    ensure_claim_lost(anna.commit_park(&first, &chat, "late"))?;
    let second = anna.started(&chat, "message")?;
    ensure_eq(second.attempt, 2)?;
    ensure_eq(second.token.session_key(), first.token.session_key())?;
    ensure_claim_lost(env.store.release(&first.token))?;
    let busy = ClaimOutcome::busy(second.lease_until, true);
    ensure_eq(anna.start(&chat, "message")?, busy)?;
    Ok(anna.commit_park(&second, &chat, "started")?)
}

pub fn c27_a_token_updates_no_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    let turn = anna.started(&chat, "message")?;
    let key = turn.token.session_key();
    let options = UpdateOptions::new().claim(turn.token.clone());
    let updated = env.store.update_with(key, anna.data("early"), options);
    ensure_refused(updated, ErrorCode::NotFound)?;
    Ok(anna.commit_park(&turn, &chat, "started")?)
}

pub fn c27_nothing_is_left_of_an_abandoned_start(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    for name in ["anna", "ben"] {
        let user = env.user(name);
        for chat in env.scopes(3) {
            let _abandoned = user.started(&chat, &chat.conversation)?;
        }
        let released = user.started(&scope("released"), "released")?;
        env.store.release(&released.token)?;
        let renewed = user.started(&scope("renewed"), "renewed")?;
        let _until = env.store.renew(&renewed.token, LONG * 2)?;
        let shortened = user.started(&scope("shortened"), "shortened")?;
        let _until = env.store.renew(&shortened.token, SHORT)?;
    }
    env.advance(LONG * 4 - TICK)?;
    ensure(env.leftovers()? > 0, "the count includes start claims")?;
    env.advance(TICK)?;
    env.ensure_nothing_left()
}

pub fn c27_starts_are_there_after_reopening(env: &TestEnv) -> CaseResult {
    let (one, two) = (scope("one"), scope("two"));
    let (open, released) = {
        let before = env.open("store")?;
        let anna = before.user("anna");
        let open = anna.started(&one, "open")?;
        let released = anna.started(&two, "released")?;
        before.store.release(&released.token)?;
        (open, released)
    };
    let after = env.open("store")?;
    let anna = after.user("anna");
    let busy = ClaimOutcome::busy(open.lease_until, true);
    ensure_eq(anna.start(&one, "open")?, busy)?;
    ensure_claim_lost(anna.commit_park(&released, &two, "released"))?;
    let retry = anna.started(&two, "released")?;
    ensure_eq(retry.attempt, 2)?;
    ensure_eq(retry.token.session_key(), released.token.session_key())?;
    anna.commit_park(&open, &one, "started")?;
    anna.ensure_waits(&[(&one, open.token.session_key())])
}

fn selection(env: &TestEnv) -> OwnerSelection {
    let ctx = env.ctx("env-a", "tenant-a");
    OwnerSelection::tenant(ctx.env, ctx.tenant)
}

/// Erases the case's tenant. Returns how many sessions and messages it erases.
fn erase(env: &TestEnv, mode: EraseMode) -> CaseResult<(u64, u64)> {
    let (mut erased, mut after) = ((0, 0), None::<ScanCursor>);
    loop {
        let page = env.store.erase(&selection(env), mode, after.as_ref(), 20)?;
        erased = (erased.0 + page.sessions, erased.1 + page.messages);
        after = page.next;
        if after.is_none() {
            return Ok(erased);
        }
    }
}

pub fn c22_erase_takes_start_claims(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    anna.register(&scope("wait"), &env.key("wait"))?;
    let chats = env.scopes(80);
    let beside: Vec<_> = chats
        .iter()
        .map(|chat| anna.started(chat, &chat.conversation))
        .collect::<CaseResult<_>>()?;
    let alone = ben.started(&scope("chat"), "message")?;
    ensure_eq(erase(env, EraseMode::DryRun)?, (1, 0))?;
    ensure_eq(erase(env, EraseMode::Erase)?, (1, 0))?;
    env.ensure_nothing_left()?;
    for turn in beside.iter().take(3) {
        let here = Commit::park_here(anna.data("late"));
        ensure_claim_lost(env.store.commit(&turn.token, here))?;
    }
    ensure_claim_lost(ben.commit_park(&alone, &scope("chat"), "late"))?;
    env.ensure_nothing_left()
}

pub fn c23_a_start_is_no_finding(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    anna.register(&scope("wait"), &env.key("wait"))?;
    let turn = anna.started(&scope("chat"), "message")?;
    let released = ben.started(&scope("chat"), "message")?;
    env.store.release(&released.token)?;
    let over = ben.started_with(&scope("over"), "over", SHORT, &env.key("over"))?;
    ben.end_start(SHORT, &scope("over"))?;
    for mode in VERIFY_MODES {
        let mut after = None::<ScanCursor>;
        loop {
            let page = env.store.verify(mode, after.as_ref(), 10)?;
            ensure_eq(page.findings, Vec::new())?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    // A repair leaves them as they are.
    anna.commit_park(&turn, &scope("chat"), "started")?;
    ben.commit_park(&over, &scope("over"), "started")?;
    let retry = ben.started(&scope("chat"), "message")?;
    ensure_eq(retry.attempt, 2)
}

pub fn c26_a_start_is_not_exported(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let turn = anna.started(&scope("chat"), "message")?;
    ensure_eq(exported(env)?.len(), 0)?;
    anna.commit_park(&turn, &scope("chat"), "started")?;
    match exported(env)?.as_slice() {
        [ExportRecord::Session(_), ExportRecord::Messages(_)]
        | [ExportRecord::Messages(_), ExportRecord::Session(_)] => Ok(()),
        _ => Err(Failure::new("one session and its message are exported")),
    }
}
