//! C14 and C15: repeated, concurrent and conditional calls.

use super::race::{WORKERS, count, race};
use crate::conformance::ensure::{CaseResult, ensure, ensure_conflict, ensure_eq, ensure_invalid};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::error::{Conflict, ErrorCode};
use crate::options::{CreateOptions, OperationId, ParkOptions, RemoveOptions, UpdateOptions};
use crate::session::{ClearOutcome, CreateOutcome, ParkOutcome};

pub fn c14_a_repeated_create_is_recognised(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = env.key("created");
    let operation = OperationId::random();
    let options = CreateOptions::new().key(key.clone()).operation(operation);
    for _ in 0..3 {
        let created = anna.create_with(options.clone())?;
        ensure_eq(created, CreateOutcome::Created(key.clone()))?;
        ensure_eq(anna.session(&key)?.revision, 1)?;
    }
    let other = options.operation(OperationId::random());
    ensure_eq(anna.create_with(other)?, CreateOutcome::Exists)?;
    let unnamed = CreateOptions::new().key(key);
    ensure_eq(anna.create_with(unnamed)?, CreateOutcome::Exists)
}

pub fn c14_a_repeated_update_is_recognised(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = anna.create("first")?;
    let operation = OperationId::random();
    let options = UpdateOptions::new().if_revision(1).operation(operation);
    for _ in 0..3 {
        let revision = env
            .store
            .update_with(&key, anna.data("second"), options.clone())?;
        ensure_eq(revision, 2)?;
        anna.ensure_stored(&key, "second")?;
    }
    let third = UpdateOptions::new().operation(OperationId::random());
    ensure_eq(env.store.update_with(&key, anna.data("third"), third)?, 3)?;
    let late = env.store.update_with(&key, anna.data("second"), options);
    ensure_eq(
        ensure_conflict(late)?,
        Conflict::RevisionMismatch {
            expected: 1,
            current: 3,
        },
    )?;
    anna.ensure_stored(&key, "third")
}

pub fn c14_a_repeated_park_is_recognised(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    let options = ParkOptions::new()
        .if_absent()
        .operation(OperationId::random());
    let registered = ParkOutcome::Registered { revision: 1 };
    ensure_eq(anna.park(&one, &first, options)?, registered.clone())?;
    anna.register(&two, &second)?;
    ensure_eq(anna.park(&one, &first, options)?, registered)?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    let unnamed = ParkOptions::new().if_absent();
    ensure_eq(
        anna.park(&one, &first, unnamed)?,
        ParkOutcome::Exists(first.clone()),
    )?;
    ensure_eq(anna.session(&first)?.revision, 1)
}

pub fn c14_a_repeated_park_does_not_undo_a_commit(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let options = ParkOptions::new().operation(OperationId::random());
    let registered = |revision| ParkOutcome::Registered { revision };
    ensure_eq(anna.park(&chat, &key, options)?, registered(1))?;
    let claim = anna.claimed(&chat, "message")?;
    anna.commit_park(&claim, &chat, "the next step")?;
    ensure_eq(anna.park(&chat, &key, options)?, registered(2))?;
    anna.ensure_stored(&key, "the next step")
}

pub fn c14_repeated_calls_end_in_the_same_state(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    for _ in 0..3 {
        anna.register(&chat, &key)?;
        anna.ensure_waits(&[(&chat, &key)])?;
    }
    for _ in 0..3 {
        env.store.update(&key, anna.data("changed"))?;
        anna.ensure_stored(&key, "changed")?;
    }
    for _ in 0..3 {
        anna.clear(&chat)?;
        anna.ensure_waits(&[])?;
        anna.ensure_gone(&key)?;
    }
    Ok(())
}

pub fn c14_one_of_many_creates_wins(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for round in 0..8 {
        let key = env.key(&format!("created-{round}"));
        let answers = race(|worker| {
            let data = anna.data(&worker.to_string());
            let options = CreateOptions::new().key(key.clone());
            Ok(env.store.create_with(&anna.ctx, data, options)?)
        })?;
        let is_winner = |answer: &CreateOutcome| *answer == CreateOutcome::Created(key.clone());
        ensure_eq(count(&answers, is_winner), 1)?;
        let winner = answers.iter().position(is_winner).unwrap_or_default();
        anna.ensure_stored(&key, &winner.to_string())?;
        anna.ensure_latest(&key)?;
    }
    Ok(())
}

pub fn c14_one_of_many_registers_waits(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    let keys: Vec<_> = (0..WORKERS)
        .map(|worker| env.key(&format!("wait-{worker}")))
        .collect();
    for _ in 0..8 {
        race(|worker| Ok(anna.register(&chat, &keys[worker])?))?;
        let found = anna.find(&chat)?;
        ensure(
            found.as_ref().is_some_and(|key| keys.contains(key)),
            "the winner is one of the sessions",
        )?;
        ensure_eq(anna.list()?, found.into_iter().collect::<Vec<_>>())?;
        for key in &keys {
            anna.ensure_stored(key, key.as_str())?;
        }
    }
    Ok(())
}

pub fn c14_a_session_that_is_registered_concurrently_waits_once(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (scopes, key) = (env.scopes(WORKERS), env.key("wait"));
    for _ in 0..8 {
        race(|worker| Ok(anna.register(&scopes[worker], &key)?))?;
        let mut found = Vec::new();
        for scope in &scopes {
            found.extend(anna.find(scope)?);
        }
        ensure_eq(&found, &vec![key.clone()])?;
        ensure_eq(anna.list()?, found)?;
    }
    Ok(())
}

pub fn c14_a_moving_wait_is_listed_at_every_instant(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (scopes, key) = (env.scopes(2), env.key("wait"));
    anna.register(&scopes[0], &key)?;
    race(|worker| {
        for step in 0..40 {
            if worker == 0 {
                anna.register(&scopes[step % 2], &key)?;
            } else {
                ensure_eq(anna.list()?, vec![key.clone()])?;
                ensure_eq(anna.find_by_user()?.as_ref(), Some(&key))?;
                anna.ensure_stored(&key, key.as_str())?;
            }
        }
        Ok(())
    })?;
    anna.ensure_waits(&[(&scopes[1], &key)])
}

pub fn c14_a_key_that_two_owners_race_for_goes_to_one(env: &TestEnv) -> CaseResult {
    let chat = scope("chat");
    for round in 0..8 {
        let key = env.key(&format!("raced-{round}"));
        let users: Vec<_> = (0..WORKERS)
            .map(|worker| env.user(&format!("user-{worker}")))
            .collect();
        let answers = race(|worker| match users[worker].register(&chat, &key) {
            Ok(()) => Ok(true),
            refused => ensure_invalid(refused).map(|_error| false),
        })?;
        ensure_eq(count(&answers, |won| *won), 1)?;
        for (user, won) in users.iter().zip(&answers) {
            let expected = won.then(|| key.clone());
            ensure_eq(user.find(&chat)?, expected.clone())?;
            ensure_eq(user.list()?, expected.into_iter().collect::<Vec<_>>())?;
            user.clear(&chat)?;
        }
        users[0].ensure_gone(&key)?;
    }
    Ok(())
}

pub fn c14_one_of_many_removes_wins(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for _ in 0..8 {
        let key = anna.create("{}")?;
        let answers = race(|_worker| match env.store.remove(&key) {
            Err(error) if error.code == ErrorCode::NotFound => Ok(false),
            answer => Ok(answer.map(|()| true)?),
        })?;
        ensure_eq(count(&answers, |won| *won), 1)?;
    }
    Ok(())
}

pub fn c14_one_of_many_clears_wins(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    for _ in 0..8 {
        anna.register(&chat, &key)?;
        let answers = race(|_worker| Ok(anna.clear_named(&chat)?))?;
        let cleared = ClearOutcome::Cleared(key.clone());
        ensure_eq(count(&answers, |answer| *answer == cleared), 1)?;
    }
    Ok(())
}

pub fn c15_update_needs_the_revision(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = anna.create("first")?;
    let at = |revision| UpdateOptions::new().if_revision(revision);
    for wrong in [0, 2, u64::MAX] {
        let refused = env.store.update_with(&key, anna.data("wrong"), at(wrong));
        let expected = Conflict::RevisionMismatch {
            expected: wrong,
            current: 1,
        };
        ensure_eq(ensure_conflict(refused)?, expected)?;
        anna.ensure_stored(&key, "first")?;
    }
    ensure_eq(env.store.update_with(&key, anna.data("second"), at(1))?, 2)?;
    ensure_conflict(env.store.update_with(&key, anna.data("again"), at(1)))?;
    anna.ensure_stored(&key, "second")
}

pub fn c15_remove_needs_the_revision(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    env.store.update(&key, anna.data("changed"))?;
    let at = |revision| RemoveOptions::new().if_revision(revision);
    ensure_conflict(env.store.remove_with(&key, at(1)))?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.store.remove_with(&key, at(2))?;
    anna.ensure_gone(&key)
}

pub fn c15_no_conditional_update_is_lost(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = anna.create("0")?;
    let each = 10;
    race(|_worker| {
        for _ in 0..each {
            while !counted_up(env, &key)? {}
        }
        Ok(())
    })?;
    anna.ensure_stored(&key, &(WORKERS * each).to_string())?;
    ensure_eq(anna.session(&key)?.revision, (WORKERS * each) as u64 + 1)
}

/// Adds one, unless another caller changes the session first.
fn counted_up(env: &TestEnv, key: &crate::SessionKey) -> CaseResult<bool> {
    let anna = env.user("anna");
    let session = anna.session(key)?;
    let number: u64 = session.data.context_json.parse().unwrap_or_default();
    let data = anna.data(&(number + 1).to_string());
    let options = UpdateOptions::new().if_revision(session.revision);
    match env.store.update_with(key, data, options) {
        Ok(_revision) => Ok(true),
        refused => ensure_conflict(refused).map(|_conflict| false),
    }
}

pub fn c15_if_absent_returns_the_waiting_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (first, second) = (env.key("first"), env.key("second"));
    let if_absent = ParkOptions::new().if_absent();
    let registered = ParkOutcome::Registered { revision: 1 };
    let exists = ParkOutcome::Exists(first.clone());
    ensure_eq(anna.park(&chat, &first, if_absent)?, registered.clone())?;
    ensure_eq(anna.park(&chat, &second, if_absent)?, exists.clone())?;
    anna.ensure_gone(&second)?;
    ensure_eq(anna.park(&other, &second, if_absent)?, registered)?;
    ensure_eq(anna.park(&chat, &second, if_absent)?, exists)?;
    anna.ensure_waits(&[(&chat, &first), (&other, &second)])?;
    ensure_eq(anna.session(&first)?.revision, 1)?;
    env.store.remove(&first)?;
    let moved = anna.park(&chat, &second, if_absent)?;
    ensure_eq(moved, ParkOutcome::Registered { revision: 2 })?;
    anna.ensure_no_wait(&other)?;
    anna.ensure_waits(&[(&chat, &second)])
}

pub fn c15_one_of_many_if_absent_registers(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let keys: Vec<_> = (0..WORKERS)
        .map(|worker| env.key(&format!("wait-{worker}")))
        .collect();
    let chat = scope("chat");
    for _ in 0..8 {
        let options = ParkOptions::new().if_absent();
        let answers = race(|worker| Ok(anna.park(&chat, &keys[worker], options)?))?;
        let is_winner = |answer: &ParkOutcome| matches!(answer, ParkOutcome::Registered { .. });
        ensure_eq(count(&answers, is_winner), 1)?;
        let winner = answers.iter().position(is_winner).unwrap_or_default();
        let exists = ParkOutcome::Exists(keys[winner].clone());
        ensure_eq(count(&answers, |answer| *answer == exists), WORKERS - 1)?;
        anna.ensure_waits(&[(&chat, &keys[winner])])?;
        anna.clear(&chat)?;
    }
    Ok(())
}
