//! C9 and C26: the limit on the live waits of an owner.

use crate::admin::{ImportMode, ImportOutcome};
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::SHORT;
use crate::error::{ErrorCode, Quota, SessionErrorExt, SessionResult};
use crate::options::{ParkOptions, StoreOptions};
use crate::session::ParkOutcome;

use super::exported::exported;

fn ensure_refused_at<T>(limit: usize, result: SessionResult<T>) -> CaseResult {
    let Err(error) = result else {
        return Err(Failure::new("the limit must refuse the wait"));
    };
    ensure_eq(error.code, ErrorCode::RateLimited)?;
    ensure_eq(error.quota().copied(), Some(Quota::Waits { limit }))?;
    ensure(!error.message.contains("memory"), "the reason is the limit")
}

pub fn c09_one_wait_more_than_the_limit_is_refused(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new().max_waits(3))?;
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let scopes = env.scopes(5);
    let keys: Vec<_> = (0..5)
        .map(|number| env.key(&format!("wait-{number}")))
        .collect();
    for number in 0..3 {
        anna.register(&scopes[number], &keys[number])?;
    }
    ensure_refused_at(3, anna.register(&scopes[3], &keys[3]))?;
    anna.ensure_gone(&keys[3])?;
    anna.ensure_no_wait(&scopes[3])?;
    ben.register(&scopes[0], &env.key("ben"))?;
    // The number of waits stays: again, on another scope, and in the place of another session.
    anna.register(&scopes[0], &keys[0])?;
    anna.register(&scopes[4], &keys[1])?;
    anna.register(&scopes[2], &keys[3])?;
    ensure_refused_at(3, anna.register(&scopes[1], &keys[4]))?;
    anna.clear(&scopes[0])?;
    anna.register(&scopes[1], &keys[4])?;
    anna.ensure_waits(&[
        (&scopes[4], &keys[1]),
        (&scopes[2], &keys[3]),
        (&scopes[1], &keys[4]),
    ])
}

pub fn c09_a_refused_wait_is_counted(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new().max_waits(1))?;
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    let existing = anna.park(&one, &second, ParkOptions::new().if_absent())?;
    ensure_eq(existing, ParkOutcome::Exists(first))?;
    ensure_eq(env.store.health()?.refused_waits, 0)?;
    ensure_refused_at(1, anna.register(&two, &second))?;
    ensure_refused_at(1, anna.park(&two, &second, ParkOptions::new()))?;
    ensure_eq(env.store.health()?.refused_waits, 2)
}

pub fn c09_waits_that_are_over_do_not_count(env: &TestEnv) -> CaseResult {
    let limit = 40;
    let env = &env.with_options(StoreOptions::new().max_waits(limit))?;
    let anna = env.user("anna");
    let scopes = env.scopes(limit + 1);
    let (last, others) = scopes
        .split_last()
        .ok_or_else(|| Failure::new("no scope"))?;
    for (number, chat) in others.iter().enumerate() {
        anna.register_for(chat, &env.key(&format!("over-{number}")), SHORT)?;
    }
    env.expire(&env.key(&format!("over-{}", limit - 1)), SHORT)?;
    for (number, chat) in others.iter().enumerate() {
        anna.register(chat, &env.key(&format!("wait-{number}")))?;
    }
    ensure_refused_at(limit, anna.register(last, &env.key("last")))
}

pub fn c09_a_turn_that_was_granted_is_not_refused(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new().max_waits(1))?;
    let anna = env.user("anna");
    let (one, two, key) = (scope("one"), scope("two"), env.key("wait"));
    anna.register(&one, &key)?;
    let claim = anna.claimed(&one, "message")?;
    anna.commit_park(&claim, &two, "parked elsewhere")?;
    anna.ensure_waits(&[(&two, &key)])
}

pub fn c09_a_limit_of_zero_is_none(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new().max_waits(0))?;
    let anna = env.user("anna");
    for (number, chat) in env.scopes(3).iter().enumerate() {
        anna.register(chat, &env.key(&format!("wait-{number}")))?;
    }
    ensure_eq(anna.list()?.len(), 3)
}

pub fn c26_an_import_is_exempt_from_the_limit(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(4);
    for (number, chat) in scopes.iter().take(3).enumerate() {
        anna.register(chat, &env.key(&format!("wait-{number}")))?;
    }
    let target = env.elsewhere(StoreOptions::new().max_waits(2))?;
    for record in exported(env)? {
        let imported = target.store.import(record, ImportMode::IfAbsent)?;
        ensure_eq(imported, ImportOutcome::Imported)?;
    }
    let anna = target.same_user(&anna);
    ensure_eq(anna.list()?.len(), 3)?;
    // What the user has stays, and can be parked again.
    anna.register(&scopes[0], &env.key("wait-0"))?;
    ensure_refused_at(2, anna.register(&scopes[3], &env.key("another")))
}
