//! C9 to C11: waits.

use greentic_types::ReplyScope;

use crate::conformance::ensure::{CaseResult, ensure, ensure_eq};
use crate::conformance::samples::{full_scope, scope};
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::LONG;
use crate::options::ParkOptions;
use crate::session::{ClearOutcome, ParkOutcome};

pub fn c09_register_stores_data_and_route(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.ensure_no_wait(&chat)?;
    anna.register(&chat, &key)?;
    ensure_eq(env.store.get(&key)?, Some(anna.data(key.as_str())))?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c09_register_moves_the_same_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (old, new, key) = (scope("old"), scope("new"), env.key("wait"));
    anna.register(&old, &key)?;
    anna.register(&new, &key)?;
    anna.ensure_no_wait(&old)?;
    anna.ensure_waits(&[(&new, &key)])?;
    anna.register(&old, &key)?;
    anna.ensure_no_wait(&new)?;
    anna.ensure_waits(&[(&old, &key)])
}

pub fn c09_register_displaces_another_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, older, newer) = (scope("chat"), env.key("older"), env.key("newer"));
    anna.register(&chat, &older)?;
    anna.register(&chat, &newer)?;
    anna.ensure_waits(&[(&chat, &newer)])?;
    anna.ensure_stored(&older, older.as_str())?;
    env.store.update(&older, anna.data("changed"))?;
    anna.ensure_stored(&older, "changed")?;
    env.store.remove(&older)?;
    anna.ensure_waits(&[(&chat, &newer)])
}

pub fn c09_a_displaced_session_keeps_its_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, older, newer) = (scope("chat"), env.key("older"), env.key("newer"));
    anna.register_for(&chat, &older, LONG)?;
    let before = anna.session(&older)?;
    ensure(before.deadline.is_some(), "the TTL sets a deadline")?;
    anna.register(&chat, &newer)?;
    let after = anna.session(&older)?;
    ensure_eq(after.deadline, before.deadline)?;
    ensure_eq(after.revision, before.revision)?;
    ensure_eq(anna.session(&newer)?.deadline, None)
}

pub fn c09_a_displaced_session_parks_again(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (older, newer) = (env.key("older"), env.key("newer"));
    anna.register(&chat, &older)?;
    anna.register(&chat, &newer)?;
    anna.register(&other, &older)?;
    anna.ensure_waits(&[(&chat, &newer), (&other, &older)])?;
    anna.register(&chat, &older)?;
    anna.ensure_no_wait(&other)?;
    anna.ensure_waits(&[(&chat, &older)])?;
    anna.ensure_stored(&newer, newer.as_str())
}

pub fn c09_a_move_displaces_too(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    anna.register(&two, &first)?;
    anna.ensure_no_wait(&one)?;
    anna.ensure_waits(&[(&two, &first)])?;
    anna.ensure_stored(&second, second.as_str())
}

pub fn c09_registering_again_replaces_the_data(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let data = anna.data("again");
    env.store
        .register(&anna.ctx, &anna.user, &chat, &key, data.clone(), None)?;
    ensure_eq(env.store.get(&key)?, Some(data))?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c09_a_created_session_can_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    let key = anna.create("created")?;
    anna.register(&chat, &key)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.ensure_stored(&key, key.as_str())?;
    ensure_eq(anna.find_by_user()?, Some(key))
}

pub fn c09_each_registration_increases_the_revision(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = anna.create("created")?;
    for (revision, scope) in (2..).zip(env.scopes(4)) {
        let parked = anna.park(&scope, &key, ParkOptions::new())?;
        ensure_eq(parked, ParkOutcome::Registered { revision })?;
        ensure_eq(anna.session(&key)?.revision, revision)?;
    }
    Ok(())
}

pub fn c10_find_list_and_clear_agree(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two, three) = (scope("one"), scope("two"), scope("three"));
    let (a, b, c) = (env.key("a"), env.key("b"), env.key("c"));
    anna.register(&one, &a)?;
    anna.register(&two, &b)?;
    anna.register(&three, &c)?;
    anna.ensure_waits(&[(&one, &a), (&two, &b), (&three, &c)])?;
    anna.register(&two, &c)?;
    anna.ensure_no_wait(&three)?;
    anna.ensure_waits(&[(&one, &a), (&two, &c)])?;
    anna.clear(&three)?;
    anna.ensure_waits(&[(&one, &a), (&two, &c)])?;
    anna.register(&three, &b)?;
    anna.ensure_waits(&[(&one, &a), (&two, &c), (&three, &b)])?;
    env.store.remove(&a)?;
    anna.ensure_no_wait(&one)?;
    anna.clear(&two)?;
    anna.ensure_no_wait(&two)?;
    anna.ensure_waits(&[(&three, &b)])?;
    anna.clear(&three)?;
    anna.ensure_no_wait(&three)?;
    anna.ensure_waits(&[])
}

pub fn c10_list_is_in_order_of_registration(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    // Neither keys nor scopes are in the order of registration.
    let names = ["m", "z", "a", "q", "b"];
    let keys = names.map(|name| env.key(name));
    let scopes = ["5", "1", "4", "2", "3"].map(scope);
    for (scope, key) in scopes.iter().zip(&keys) {
        anna.register(scope, key)?;
    }
    let mut waits: Vec<_> = scopes.iter().zip(&keys).collect();
    anna.ensure_waits(&waits)?;
    env.store.update(&keys[0], anna.data("changed"))?;
    anna.ensure_waits(&waits)?;
    anna.register(&scopes[1], &keys[1])?;
    let moved = waits.remove(1);
    waits.push(moved);
    anna.ensure_waits(&waits)
}

pub fn c10_many_waits_stay_in_order(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let scopes = env.scopes(70);
    let keys: Vec<_> = (0..scopes.len())
        .map(|number| env.key(&format!("wait-{number}")))
        .collect();
    for (scope, key) in scopes.iter().zip(&keys) {
        anna.register(scope, key)?;
    }
    let mut waits: Vec<_> = scopes.iter().zip(&keys).collect();
    anna.ensure_waits(&waits)?;
    while waits.len() > 2 {
        let (scope, key) = waits.remove(waits.len() / 2);
        anna.clear(scope)?;
        anna.ensure_no_wait(scope)?;
        anna.ensure_gone(key)?;
        let (scope, key) = waits.remove(0);
        anna.register(scope, key)?;
        waits.push((scope, key));
        if waits.len() % 8 == 0 {
            anna.ensure_waits(&waits)?;
        }
    }
    anna.ensure_waits(&waits)
}

pub fn c10_every_field_of_a_scope_counts(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let whole = full_scope("chat", Some("thread"), Some("reply"), Some("correlation"));
    let others: Vec<ReplyScope> = vec![
        full_scope("chat-2", Some("thread"), Some("reply"), Some("correlation")),
        full_scope("chat", Some("thread-2"), Some("reply"), Some("correlation")),
        full_scope("chat", Some("thread"), Some("reply-2"), Some("correlation")),
        full_scope("chat", Some("thread"), Some("reply"), Some("correlation-2")),
        full_scope("chat", None, Some("reply"), Some("correlation")),
        full_scope("chat", Some("thread"), None, Some("correlation")),
        full_scope("chat", Some("thread"), Some("reply"), None),
        full_scope("", Some("thread"), Some("reply"), Some("correlation")),
    ];
    let key = env.key("wait");
    anna.register(&whole, &key)?;
    for other in &others {
        anna.ensure_no_wait(other)?;
        anna.clear(other)?;
    }
    anna.ensure_waits(&[(&whole, &key)])
}

pub fn c11_clear_removes_wait_and_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    anna.clear(&one)?;
    anna.ensure_gone(&first)?;
    anna.ensure_no_wait(&one)?;
    anna.ensure_waits(&[(&two, &second)])?;
    anna.ensure_stored(&second, second.as_str())
}

pub fn c11_clear_of_nothing_does_nothing(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.clear(&chat)?;
    let created = anna.create("created")?;
    anna.clear(&chat)?;
    anna.ensure_stored(&created, "created")?;
    let key = env.key("wait");
    anna.register(&chat, &key)?;
    anna.clear(&chat)?;
    anna.clear(&chat)?;
    anna.ensure_stored(&created, "created")
}

pub fn c11_clear_keeps_a_session_that_moved(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (old, new, key) = (scope("old"), scope("new"), env.key("wait"));
    anna.register(&old, &key)?;
    anna.register(&new, &key)?;
    anna.clear(&old)?;
    anna.ensure_stored(&key, key.as_str())?;
    anna.ensure_waits(&[(&new, &key)])
}

pub fn c11_clear_keeps_a_displaced_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, older, newer) = (scope("chat"), env.key("older"), env.key("newer"));
    anna.register(&chat, &older)?;
    anna.register(&chat, &newer)?;
    anna.clear(&chat)?;
    anna.ensure_gone(&newer)?;
    anna.ensure_stored(&older, older.as_str())?;
    anna.ensure_waits(&[])
}

pub fn c11_clear_names_its_outcome(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    ensure_eq(anna.clear_named(&chat)?, ClearOutcome::NoWait)?;
    anna.register(&chat, &key)?;
    ensure_eq(anna.clear_named(&chat)?, ClearOutcome::Cleared(key))?;
    ensure_eq(anna.clear_named(&chat)?, ClearOutcome::NoWait)
}
