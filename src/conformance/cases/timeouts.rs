//! C32: timeouts are set, moved and taken away with their waits.

use std::time::Duration;

use super::erasure;
use crate::admin::{EraseMode, ScanFilter};
use crate::claim::{Commit, Turn};
use crate::clock::Timestamp;
use crate::conformance::ensure::{
    CaseResult, Failure, ensure, ensure_claimed, ensure_conflict, ensure_eq, ensure_invalid,
    ensure_refused,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::TestUser;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::error::{Conflict, ErrorCode};
use crate::options::{ParkOptions, StoreOptions, Ttl, UpdateOptions};
use crate::timeout::{Timeout, TimeoutKind, WaitTimeout};

const NONE: ParkOptions = ParkOptions::new();
const LATER: ParkOptions = NONE.timeout(Timeout::remind(LONG));

/// The timeout that a scan reports.
fn timeout_of(env: &TestEnv, name: &str) -> CaseResult<Option<WaitTimeout>> {
    let key = env.key(name);
    let found = env.scan_all(&ScanFilter::new().key(key), 50)?;
    let found = found.first().map(|info| info.timeout);
    found.ok_or_else(|| Failure::new("the session is gone"))
}

fn has(env: &TestEnv, name: &str, kind: TimeoutKind) -> CaseResult<bool> {
    Ok(timeout_of(env, name)?.is_some_and(|timeout| timeout.kind == kind))
}

pub fn c32_a_park_sets_the_timeout(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let _parked = anna.park(&chat, &key, LATER)?;
    ensure(has(&env, "wait", TimeoutKind::Remind)?, "it has a timeout")?;
    let _parked = anna.park(&chat, &key, NONE.timeout(Timeout::close(LONG)))?;
    ensure(has(&env, "wait", TimeoutKind::Close)?, "it has the new one")?;
    env.ensure_nothing_due()?;
    anna.ensure_waits(&[(&chat, &key)])?;
    // Parked again without one, it has none.
    let _parked = anna.park(&chat, &key, NONE)?;
    ensure_eq(timeout_of(&env, "wait")?, None)
}

pub fn c32_a_commit_sets_or_takes_away_the_timeout(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let turn = anna.claimed(&chat, "first")?;
    let again = || Commit::park_here(anna.data("again"));
    env.store
        .commit(&turn.token, again().timeout(Timeout::remind(LONG)))?;
    ensure(has(&env, "wait", TimeoutKind::Remind)?, "it has a timeout")?;
    env.ensure_nothing_due()?;
    let turn = anna.claimed(&chat, "second")?;
    env.store.commit(&turn.token, again())?;
    ensure_eq(timeout_of(&env, "wait")?, None)
}

pub fn c32_a_start_can_have_a_timeout(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("flow"));
    let start = anna.started_with(&chat, "message", LONG, &key)?;
    let park = Commit::park_here(anna.data("flow")).timeout(Timeout::remind(Duration::ZERO));
    env.store.commit(&start.token, park)?;
    let turn = env.due_after(TICK, LONG)?;
    ensure_eq(turn.token.session_key(), &key)
}

pub fn c32_an_update_leaves_the_timeout(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let _parked = anna.park(&chat, &key, LATER)?;
    let before = timeout_of(&env, "wait")?;
    env.store.update(&key, anna.data("changed"))?;
    env.store.extend(&key, Ttl::After(2 * LONG))?;
    let turn = anna.claimed(&chat, "message")?;
    let options = UpdateOptions::new().claim(turn.token.clone());
    env.store
        .update_with(&key, anna.data("by token"), options)?;
    env.store.release(&turn.token)?;
    ensure_eq(timeout_of(&env, "wait")?, before)
}

pub fn c32_a_timeout_comes_before_the_deadline(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let remind = |after| Timeout::remind(after);
    let ttl = NONE.ttl(LONG);
    for after in [LONG, 2 * LONG, Duration::from_secs(1 << 50), Duration::MAX] {
        let refused = ensure_invalid(anna.park(&chat, &key, ttl.timeout(remind(after))))?;
        ensure(
            after != LONG || refused.message.matches("3600000").count() == 2,
            "the message names both times",
        )?;
        anna.ensure_gone(&key)?;
    }
    for after in [Duration::MAX, Duration::from_millis(1 << 53)] {
        ensure_invalid(anna.park(&chat, &key, NONE.timeout(remind(after))))?;
    }
    let before = remind(LONG - TICK);
    let _parked = anna.park(&chat, &key, ttl.timeout(before))?;
    // A kept TTL counts too.
    let keep = NONE.ttl(Ttl::Keep);
    ensure_invalid(anna.park(&chat, &key, keep.timeout(remind(LONG))))?;
    let _parked = anna.park(&chat, &key, keep.timeout(before))?;
    let turn = anna.claimed(&chat, "message")?;
    let again = || Commit::park_here(anna.data("again"));
    ensure_invalid(env.store.commit(&turn.token, again().timeout(remind(LONG))))?;
    ensure_eq(anna.session(&key)?.revision, 2)?;
    env.store.commit(&turn.token, again().timeout(before))?;
    ensure_invalid(env.store.set_timeout(&key, Some(remind(LONG))))?;
    ensure(has(&env, "wait", TimeoutKind::Remind)?, "it is unchanged")?;
    Ok(())
}

pub fn c32_the_default_ttl_is_a_limit_too(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().default_ttl(LONG))?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    for ttl in [Ttl::Default, Ttl::Keep] {
        ensure_invalid(anna.park(&chat, &key, LATER.ttl(ttl)))?;
        anna.ensure_gone(&key)?;
    }
    let start = anna.started_with(&chat, "message", LONG, &key)?;
    let park = Commit::park_here(anna.data("flow"));
    ensure_invalid(
        env.store
            .commit(&start.token, park.clone().timeout(Timeout::close(LONG))),
    )?;
    let short = park.timeout(Timeout::close(SHORT));
    Ok(env.store.commit(&start.token, short)?)
}

pub fn c32_set_timeout_moves_and_takes_away(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let before = anna.session(&key)?;
    let set = |timeout| env.store.set_timeout(&key, timeout);
    let first = set(Some(Timeout::remind(LONG)))?;
    ensure_eq(timeout_of(&env, "wait")?.map(|timeout| timeout.at), first)?;
    let second = set(Some(Timeout::close(2 * LONG)))?;
    ensure(second > first, "it is later")?;
    ensure(has(&env, "wait", TimeoutKind::Close)?, "it closes")?;
    ensure_eq(set(None)?, None)?;
    ensure_eq(timeout_of(&env, "wait")?, None)?;
    ensure_eq(set(None)?, None)?;
    ensure_eq(anna.session(&key)?, before)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.ensure_nothing_due()?;
    let at = set(Some(Timeout::remind(Duration::ZERO)))?;
    let turn = env.due_after(TICK, LONG)?;
    ensure_eq(turn.token.session_key(), &key)?;
    ensure_not_early(&turn, LONG, at)
}

/// Requires that a turn was not handed out before this instant.
fn ensure_not_early(turn: &Turn, lease: Duration, at: Option<Timestamp>) -> CaseResult {
    let at = at.ok_or_else(|| Failure::new("there is no instant"))?;
    ensure(turn.lease_until.since(at) >= lease, "it was early")
}

pub fn c32_set_timeout_refuses_what_it_cannot_do(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let later = Some(Timeout::remind(LONG));
    ensure_refused(env.store.set_timeout(&key, later), ErrorCode::NotFound)?;
    let idle = anna.create("idle")?;
    for timeout in [later, None] {
        let refused = ensure_conflict(env.store.set_timeout(&idle, timeout))?;
        ensure_eq(refused, Conflict::NotWaiting)?;
    }
    anna.register(&chat, &key)?;
    env.store.set_timeout(&key, later)?;
    let turn = anna.claimed(&chat, "message")?;
    for timeout in [later, None] {
        ensure_claimed(env.store.set_timeout(&key, timeout))?;
    }
    env.store.release(&turn.token)?;
    ensure_invalid(
        env.store
            .set_timeout(&key, Some(Timeout::close(Duration::MAX))),
    )?;
    ensure(has(&env, "wait", TimeoutKind::Remind)?, "it is unchanged")?;
    let empty = greentic_types::SessionKey::new("");
    ensure_invalid(env.store.set_timeout(&empty, None))?;
    Ok(())
}

pub fn c38_a_timeout_is_set_for_its_owner(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let set = |user: &TestUser<'_>| {
        let timeout = Some(Timeout::remind(LONG));
        env.store.set_timeout_fenced(&user.ctx, &key, timeout)
    };
    ensure_refused(set(&ben), ErrorCode::NotFound)?;
    ensure_eq(timeout_of(&env, "wait")?, None)?;
    let at = set(&anna)?;
    ensure_eq(timeout_of(&env, "wait")?.map(|timeout| timeout.at), at)
}

pub fn c32_a_timeout_goes_with_its_wait(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let soon = NONE.timeout(Timeout::remind(SHORT));
    let names = [
        "removed",
        "cleared",
        "displaced",
        "finished",
        "moved",
        "taken",
    ];
    for name in names {
        let _parked = anna.park(&scope(name), &env.key(name), soon)?;
    }
    env.store.remove(&env.key("removed"))?;
    anna.clear(&scope("cleared"))?;
    anna.register(&scope("displaced"), &env.key("other"))?;
    // Nothing of it is due even if the machine was slow.
    let turn = anna.claimed(&scope("finished"), "message")?;
    env.store.commit(&turn.token, Commit::Finish)?;
    anna.register(&scope("elsewhere"), &env.key("moved"))?;
    env.store.set_timeout(&env.key("taken"), None)?;
    anna.ensure_stored(&env.key("displaced"), env.key("displaced").as_str())?;
    // A later one shows that the instant has passed.
    let _parked = anna.park(&scope("last"), &env.key("last"), soon)?;
    let turn = env.due_after(SHORT, LONG)?;
    ensure_eq(turn.token.session_key(), &env.key("last"))?;
    env.ensure_nothing_due()
}

pub fn c32_a_timeout_after_the_deadline_never_fires(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let _parked = anna.park(&chat, &key, NONE.timeout(Timeout::remind(2 * SHORT)))?;
    env.store.extend(&key, Ttl::After(SHORT))?;
    env.advance(SHORT)?;
    anna.ensure_gone(&key)?;
    env.advance(SHORT)?;
    env.ensure_nothing_due()
}

pub fn c32_an_erased_wait_is_not_due(env: &TestEnv) -> CaseResult {
    let env = env.alone()?;
    let anna = env.user("anna");
    for kind in [TimeoutKind::Remind, TimeoutKind::Close] {
        let key = env.key("wait");
        let _parked = anna.park(&scope("chat"), &key, LATER)?;
        let turn = env.fired(&key, kind, LONG)?;
        let selection = erasure::tenant(&anna.ctx);
        erasure::run(&env, &selection, EraseMode::Erase)?;
        anna.ensure_gone(&key)?;
        let lost = ensure_conflict(env.store.commit(&turn.token, Commit::Finish))?;
        ensure_eq(lost, Conflict::ClaimLost)?;
        env.ensure_nothing_due()?;
    }
    Ok(())
}
