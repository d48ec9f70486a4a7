//! C6 to C8: sessions.

use std::collections::HashSet;

use super::super::ensure::{Verdict, ensure, ensure_eq, ensure_invalid, ensure_refused};
use super::super::samples::scope;
use super::super::stage::{LONG, Stage};
use crate::error::ErrorCode;
use crate::options::{CreateOptions, ParkOptions, UpdateOptions};
use crate::session::{CreateOutcome, ParkOutcome};

pub fn c06_fresh_keys_are_long_and_differ(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let mut keys = HashSet::new();
    for _ in 0..64 {
        let key = anna.create("{}")?;
        ensure(key.as_str().len() >= 32, "a short key can be guessed")?;
        ensure(keys.insert(key), "the same key twice")?;
    }
    Ok(())
}

pub fn c06_a_created_session_is_found(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    ensure_eq(anna.find_by_user()?, None)?;
    let key = anna.create("{\"a\":1}")?;
    let found = stage.store.find_by_user(&anna.ctx, &anna.user)?;
    ensure_eq(found, Some((key, anna.data("{\"a\":1}"))))?;
    anna.ensure_waits(&[])
}

pub fn c06_the_latest_created_session_is_found(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let first = anna.create("first")?;
    let second = anna.create("second")?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&second))?;
    stage.store.update(&first, anna.data("changed"))?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&second))?;
    stage.store.remove(&first)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&second))
}

pub fn c06_one_wait_wins(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (chat, waiting) = (scope("chat"), stage.key("waiting"));
    let created = anna.create("{}")?;
    anna.register(&chat, &waiting)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&waiting))?;
    let later = anna.create("{}")?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&waiting))?;
    anna.clear(&chat)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&later))?;
    anna.ensure_stored(&created, "{}")
}

pub fn c06_several_waits_are_ambiguous(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (first, second) = (stage.key("first"), stage.key("second"));
    anna.register(&scope("one"), &first)?;
    anna.register(&scope("two"), &second)?;
    let error = ensure_invalid(anna.find_by_user())?;
    ensure(
        error.message.contains("multiple waits"),
        "the published message",
    )?;
    anna.clear(&scope("one"))?;
    ensure_eq(anna.find_by_user()?, Some(second))
}

pub fn c06_remove_clears_the_look_up(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let first = anna.create("first")?;
    let second = anna.create("second")?;
    stage.store.remove(&second)?;
    ensure_eq(anna.find_by_user()?, None)?;
    anna.ensure_stored(&first, "first")?;
    let third = anna.create("third")?;
    ensure_eq(anna.find_by_user()?, Some(third))
}

pub fn c06_a_registered_session_is_not_a_created_one(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (chat, older, newer) = (scope("chat"), stage.key("older"), stage.key("newer"));
    anna.register(&chat, &older)?;
    anna.register(&chat, &newer)?;
    anna.clear(&chat)?;
    anna.ensure_stored(&older, older.as_str())?;
    ensure_eq(anna.find_by_user()?, None)
}

pub fn c06_clearing_a_created_session_clears_the_look_up(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let key = anna.create("{}")?;
    anna.register(&scope("chat"), &key)?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&key))?;
    anna.clear(&scope("chat"))?;
    anna.ensure_gone(&key)?;
    ensure_eq(anna.find_by_user()?, None)
}

pub fn c06_a_chosen_key_is_found(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let key = stage.key("chosen");
    let options = CreateOptions::new().key(key.clone());
    ensure_eq(
        anna.create_with(options.clone())?,
        CreateOutcome::Created(key.clone()),
    )?;
    ensure_eq(anna.find_by_user()?.as_ref(), Some(&key))?;
    let later = anna.create("{}")?;
    ensure_eq(anna.create_with(options)?, CreateOutcome::Exists)?;
    ensure_eq(anna.find_by_user()?, Some(later))?;
    ensure_eq(anna.session(&key)?.revision, 1)
}

pub fn c07_update_replaces_the_data(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let key = anna.create("first")?;
    let mut data = anna.data("second");
    data.cursor.node_pointer = "node.next".to_owned();
    stage.store.update(&key, data.clone())?;
    ensure_eq(stage.store.get(&key)?, Some(data))?;
    stage.store.update(&key, anna.data("third"))?;
    anna.ensure_stored(&key, "third")
}

pub fn c07_update_counts_and_keeps_the_deadline(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let key = stage.key("wait");
    anna.register_for(&scope("chat"), &key, LONG)?;
    let first = anna.session(&key)?;
    ensure_eq((first.revision, first.deadline.is_some()), (1, true))?;
    for revision in 2..5 {
        let options = UpdateOptions::new();
        let counted = stage
            .store
            .update_with(&key, anna.data("changed"), options)?;
        ensure_eq(counted, revision)?;
        let session = anna.session(&key)?;
        ensure_eq(session.revision, revision)?;
        ensure_eq(session.deadline, first.deadline)?;
        ensure_eq(&session.key, &key)?;
    }
    Ok(())
}

pub fn c07_update_keeps_wait_and_look_ups(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (stage.key("first"), stage.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    stage.store.update(&first, anna.data("changed"))?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    anna.clear(&two)?;
    ensure_eq(anna.find_by_user()?, Some(first))
}

pub fn c07_a_missing_session_is_not_found(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let key = stage.key("missing");
    ensure_refused(
        stage.store.update(&key, anna.data("{}")),
        ErrorCode::NotFound,
    )?;
    ensure_refused(stage.store.remove(&key), ErrorCode::NotFound)?;
    anna.ensure_gone(&key)?;
    let created = anna.create("{}")?;
    stage.store.remove(&created)?;
    ensure_refused(stage.store.remove(&created), ErrorCode::NotFound)?;
    ensure_refused(
        stage.store.update(&created, anna.data("{}")),
        ErrorCode::NotFound,
    )?;
    anna.ensure_gone(&created)
}

pub fn c07_remove_takes_the_wait(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (stage.key("first"), stage.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    stage.store.remove(&first)?;
    anna.ensure_gone(&first)?;
    anna.ensure_no_wait(&one)?;
    anna.ensure_waits(&[(&two, &second)])?;
    anna.register(&one, &first)?;
    anna.ensure_waits(&[(&two, &second), (&one, &first)])
}

pub fn c07_a_removed_key_is_free(stage: &Stage) -> Verdict {
    let (anna, ben) = (stage.user("anna"), stage.user("ben"));
    let (chat, key) = (scope("chat"), stage.key("reused"));
    anna.register(&chat, &key)?;
    stage.store.update(&key, anna.data("changed"))?;
    stage.store.remove(&key)?;
    let parked = ben.park(&chat, &key, ParkOptions::new())?;
    ensure_eq(parked, ParkOutcome::Registered { revision: 1 })?;
    anna.ensure_waits(&[])?;
    ben.ensure_waits(&[(&chat, &key)])
}
