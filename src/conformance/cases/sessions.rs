//! C6 and C7: create, update, remove, and the look-up by user.

use std::collections::HashSet;

use crate::conformance::ensure::{CaseResult, ensure, ensure_eq, ensure_invalid, ensure_refused};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::LONG;
use crate::error::ErrorCode;
use crate::options::{CreateOptions, FindByUser, ParkOptions, StoreOptions, UpdateOptions};
use crate::session::{CreateOutcome, ParkOutcome};

pub fn c06_fresh_keys_are_long_and_differ(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let mut keys = HashSet::new();
    for _ in 0..64 {
        let key = anna.create("{}")?;
        ensure(key.as_str().len() >= 32, "a key is at least 32 bytes long")?;
        ensure(keys.insert(key), "a key is drawn once")?;
    }
    Ok(())
}

pub fn c06_a_created_session_is_found(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    ensure_eq(anna.find_by_user()?, None)?;
    let key = anna.create("{\"a\":1}")?;
    let found = env.store.find_by_user(&anna.ctx, &anna.user)?;
    let expected = Some((key, anna.data("{\"a\":1}")));
    ensure_eq(found, expected.filter(|_| env.sees_created()))?;
    anna.ensure_waits(&[])
}

pub fn c06_the_latest_created_session_is_found(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let first = anna.create("first")?;
    let second = anna.create("second")?;
    anna.ensure_latest(&second)?;
    env.store.update(&first, anna.data("changed"))?;
    anna.ensure_latest(&second)?;
    env.store.remove(&first)?;
    anna.ensure_latest(&second)
}

pub fn c06_one_wait_wins(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, waiting) = (scope("chat"), env.key("waiting"));
    let created = anna.create("{}")?;
    anna.register(&chat, &waiting)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&waiting))?;
    let later = anna.create("{}")?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&waiting))?;
    anna.clear(&chat)?;
    anna.ensure_latest(&later)?;
    anna.ensure_stored(&created, "{}")
}

pub fn c06_several_waits_are_ambiguous(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&scope("one"), &first)?;
    anna.register(&scope("two"), &second)?;
    let error = ensure_invalid(anna.find_by_user())?;
    ensure(
        error.message.contains("multiple waits"),
        "the message is that of 1.2",
    )?;
    anna.clear(&scope("one"))?;
    ensure_eq(anna.find_by_user()?, Some(second))
}

pub fn c06_remove_clears_the_look_up(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let first = anna.create("first")?;
    let second = anna.create("second")?;
    env.store.remove(&second)?;
    ensure_eq(anna.find_by_user()?, None)?;
    anna.ensure_stored(&first, "first")?;
    let third = anna.create("third")?;
    anna.ensure_latest(&third)
}

pub fn c06_a_store_may_see_waits_only(env: &TestEnv) -> CaseResult {
    let options = StoreOptions::new().find_by_user(FindByUser::WaitsOnly);
    let env = env.with_options(options)?;
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let created = anna.create("{}")?;
    ensure_eq(anna.find_by_user()?, None)?;
    let waiting = env.key("waiting");
    anna.register(&one, &waiting)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&waiting))?;
    anna.register(&two, &created)?;
    ensure_invalid(anna.find_by_user())?;
    anna.clear(&one)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&created))?;
    anna.clear(&two)?;
    let _later = anna.create("{}")?;
    ensure_eq(anna.find_by_user()?, None)
}

pub fn c06_a_store_may_see_created_sessions_too(env: &TestEnv) -> CaseResult {
    let options = StoreOptions::new().find_by_user(FindByUser::WaitsAndCreated);
    let env = env.with_options(options)?;
    let anna = env.user("anna");
    let (chat, waiting) = (scope("chat"), env.key("waiting"));
    let created = anna.create("{}")?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&created))?;
    anna.register(&chat, &waiting)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&waiting))?;
    anna.clear(&chat)?;
    ensure_eq(anna.find_by_user()?, Some(created))
}

pub fn c06_a_registered_session_is_not_a_created_one(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, older, newer) = (scope("chat"), env.key("older"), env.key("newer"));
    anna.register(&chat, &older)?;
    anna.register(&chat, &newer)?;
    anna.clear(&chat)?;
    anna.ensure_stored(&older, older.as_str())?;
    ensure_eq(anna.find_by_user()?, None)
}

pub fn c06_clearing_a_created_session_clears_the_look_up(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = anna.create("{}")?;
    anna.register(&scope("chat"), &key)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&key))?;
    anna.clear(&scope("chat"))?;
    anna.ensure_gone(&key)?;
    ensure_eq(anna.find_by_user()?, None)
}

pub fn c06_a_chosen_key_is_found(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = env.key("chosen");
    let options = CreateOptions::new().key(key.clone());
    ensure_eq(
        anna.create_with(options.clone())?,
        CreateOutcome::Created(key.clone()),
    )?;
    anna.ensure_latest(&key)?;
    let later = anna.create("{}")?;
    ensure_eq(anna.create_with(options)?, CreateOutcome::Exists)?;
    anna.ensure_latest(&later)?;
    ensure_eq(anna.session(&key)?.revision, 1)
}

pub fn c07_update_replaces_the_data(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = anna.create("first")?;
    let mut data = anna.data("second");
    data.cursor.node_pointer = "node.next".to_owned();
    env.store.update(&key, data.clone())?;
    ensure_eq(env.store.get(&key)?, Some(data))?;
    env.store.update(&key, anna.data("third"))?;
    anna.ensure_stored(&key, "third")
}

pub fn c07_update_counts_and_keeps_the_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = env.key("wait");
    anna.register_for(&scope("chat"), &key, LONG)?;
    let first = anna.session(&key)?;
    ensure_eq((first.revision, first.deadline.is_some()), (1, true))?;
    for revision in 2..5 {
        let options = UpdateOptions::new();
        let counted = env.store.update_with(&key, anna.data("changed"), options)?;
        ensure_eq(counted, revision)?;
        let session = anna.session(&key)?;
        ensure_eq(session.revision, revision)?;
        ensure_eq(session.deadline, first.deadline)?;
        ensure_eq(&session.key, &key)?;
    }
    Ok(())
}

pub fn c07_update_keeps_wait_and_look_ups(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    env.store.update(&first, anna.data("changed"))?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    anna.clear(&two)?;
    ensure_eq(anna.find_by_user()?, Some(first))
}

pub fn c07_a_missing_session_is_not_found(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = env.key("missing");
    ensure_refused(env.store.update(&key, anna.data("{}")), ErrorCode::NotFound)?;
    ensure_refused(env.store.remove(&key), ErrorCode::NotFound)?;
    anna.ensure_gone(&key)?;
    let created = anna.create("{}")?;
    env.store.remove(&created)?;
    ensure_refused(env.store.remove(&created), ErrorCode::NotFound)?;
    ensure_refused(
        env.store.update(&created, anna.data("{}")),
        ErrorCode::NotFound,
    )?;
    anna.ensure_gone(&created)
}

pub fn c07_remove_takes_the_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    env.store.remove(&first)?;
    anna.ensure_gone(&first)?;
    anna.ensure_no_wait(&one)?;
    anna.ensure_waits(&[(&two, &second)])?;
    anna.register(&one, &first)?;
    anna.ensure_waits(&[(&two, &second), (&one, &first)])
}

pub fn c07_a_removed_key_is_free(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("reused"));
    anna.register(&chat, &key)?;
    env.store.update(&key, anna.data("changed"))?;
    env.store.remove(&key)?;
    let parked = ben.park(&chat, &key, ParkOptions::new())?;
    ensure_eq(parked, ParkOutcome::Registered { revision: 1 })?;
    anna.ensure_waits(&[])?;
    ben.ensure_waits(&[(&chat, &key)])
}
