//! C13: nothing is left of removed and expired sessions.

use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{CaseResult, ensure, ensure_eq, ensure_invalid, ensure_refused};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::data_of;
use crate::conformance::time::{LONG, SHORT};
use crate::error::ErrorCode;
use crate::options::{CreateOptions, StoreOptions};

fn empty_store(env: &TestEnv) -> CaseResult<TestEnv> {
    let options = StoreOptions::new().message_window(SHORT);
    let env = env.with_options(options)?;
    ensure_eq(env.leftovers()?, 0)?;
    Ok(env)
}

pub fn c13_nothing_is_left_after_removes(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let anna = env.user("anna");
    let no_user = env.ctx("env-a", "tenant-a");
    let key = env.key("wait");
    anna.register(&scope("chat"), &key)?;
    let without_user = env.store.create(&no_user, data_of(&no_user, "{}"))?;
    let created = [anna.create("first")?, anna.create("second")?, without_user];
    ensure(env.leftovers()? > 0, "the count includes what is stored")?;
    for key in created.iter().chain([&key]) {
        env.store.remove(key)?;
    }
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_clears(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let anna = env.user("anna");
    for (number, scope) in env.scopes(40).iter().enumerate() {
        anna.register(scope, &env.key(&format!("wait-{number}")))?;
    }
    let created = anna.create("{}")?;
    anna.register(&scope("created"), &created)?;
    anna.clear(&scope("created"))?;
    env.scopes(40)
        .iter()
        .try_for_each(|scope| anna.clear(scope))?;
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_expiry(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let mut last = env.key("none");
    for name in ["anna", "ben", "cleo"] {
        let user = env.user(name);
        for (number, scope) in env.scopes(5).iter().enumerate() {
            last = env.key(&format!("{name}-{number}"));
            user.register_for(scope, &last, SHORT)?;
        }
    }
    env.expire(&last, SHORT)?;
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_created_sessions_expire(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let anna = env.user("anna");
    let no_user = env.ctx("env-a", "tenant-a");
    let (named, last) = (env.key("named"), env.key("last"));
    let short = CreateOptions::new().ttl(SHORT);
    let _created = anna.create_with(short.clone().key(named.clone()))?;
    let data = data_of(&no_user, "{}");
    let _created = env
        .store
        .create_with(&no_user, data, short.key(last.clone()))?;
    // On a busy machine the session may expire before it is changed.
    let _in_time = env.store.update(&named, anna.data("changed"));
    env.expire(&last, SHORT)?;
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_displacement_and_moves(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register_for(&two, &first, LONG)?;
    anna.register(&two, &second)?;
    anna.register(&one, &second)?;
    anna.register_for(&two, &first, LONG)?;
    anna.register(&one, &first)?;
    anna.clear(&one)?;
    env.store.remove(&second)?;
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_a_displaced_session_expires(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let anna = env.user("anna");
    let (chat, older, newer) = (scope("chat"), env.key("older"), env.key("newer"));
    anna.register_for(&chat, &older, SHORT)?;
    anna.register_for(&chat, &newer, LONG)?;
    env.expire(&older, SHORT)?;
    anna.clear(&chat)?;
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_of_calls_that_do_nothing(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.ensure_no_wait(&chat)?;
    anna.ensure_waits(&[])?;
    anna.clear(&chat)?;
    ensure_eq(anna.find_by_user()?, None)?;
    ensure_refused(env.store.update(&key, anna.data("{}")), ErrorCode::NotFound)?;
    ensure_refused(env.store.remove(&key), ErrorCode::NotFound)?;
    ensure_invalid(env.store.create(&anna.ctx, ben.data("{}")))?;
    env.ensure_nothing_left()?;
    anna.register(&chat, &key)?;
    ensure_invalid(ben.register(&chat, &key))?;
    anna.clear(&chat)?;
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_of_operations_that_do_nothing(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("wait"));
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    env.ensure_nothing_left()?;
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_invalid(ben.create_with(CreateOptions::new().key(key)))?;
    env.store.release(&claim.token)?;
    anna.clear(&chat)?;
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_a_finish(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    for message in ["first", "second"] {
        let claim = anna.claimed(&chat, message)?;
        let again = Commit::park(chat.clone(), anna.data("again"));
        env.store.commit(&claim.token, again)?;
    }
    let claim = anna.claimed(&chat, "third")?;
    env.store.commit(&claim.token, Commit::Finish)?;
    env.pass(SHORT, || Ok(true))?;
    env.ensure_nothing_left()
}

pub fn c13_nothing_is_left_of_an_abandoned_claim(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, SHORT)?;
    // The worker claimed in time and crashes, or the session expired before. The session stays until
    // the end of the lease, which is later.
    let _claim = anna.claim_for(&chat, "message", 2 * SHORT)?;
    env.expire(&key, 2 * SHORT)?;
    env.ensure_nothing_left()
}

pub fn c13_expired_waits_of_a_busy_owner_do_not_accumulate(env: &TestEnv) -> CaseResult {
    let env = empty_store(env)?;
    let anna = env.user("anna");
    let (home, kept) = (scope("home"), env.key("kept"));
    anna.register(&home, &kept)?;
    let before = env.leftovers()?;
    for (number, scope) in env.scopes(100).iter().enumerate() {
        let key = env.key(&format!("wait-{number}"));
        anna.register_for(scope, &key, SHORT)?;
        if number % 25 == 24 {
            env.expire(&key, SHORT)?;
        }
    }
    env.ensure_left(before)?;
    anna.ensure_waits(&[(&home, &kept)])
}
