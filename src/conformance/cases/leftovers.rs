//! C13: nothing stays behind.

use super::super::actor::data_of;
use super::super::ensure::{Verdict, ensure, ensure_eq, ensure_invalid, ensure_refused};
use super::super::samples::scope;
use super::super::stage::{LONG, SHORT, Stage};
use crate::claim::{ClaimOutcome, Commit};
use crate::error::ErrorCode;
use crate::options::{CreateOptions, StoreOptions};

fn empty_store(stage: &Stage) -> Verdict<Stage> {
    let options = StoreOptions::new().message_window(SHORT);
    let stage = stage.with_options(options)?;
    ensure_eq(stage.leftovers()?, 0)?;
    Ok(stage)
}

pub fn c13_nothing_is_left_after_removes(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let anna = stage.user("anna");
    let nobody = stage.ctx("env-a", "tenant-a");
    let key = stage.key("wait");
    anna.register(&scope("chat"), &key)?;
    let without_user = stage.store.create(&nobody, data_of(&nobody, "{}"))?;
    let created = [anna.create("first")?, anna.create("second")?, without_user];
    ensure(
        stage.leftovers()? > 0,
        "the count sees nothing of what is stored",
    )?;
    for key in created.iter().chain([&key]) {
        stage.store.remove(key)?;
    }
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_clears(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let anna = stage.user("anna");
    for (number, scope) in stage.scopes(40).iter().enumerate() {
        anna.register(scope, &stage.key(&format!("wait-{number}")))?;
    }
    let created = anna.create("{}")?;
    anna.register(&scope("created"), &created)?;
    anna.clear(&scope("created"))?;
    stage
        .scopes(40)
        .iter()
        .try_for_each(|scope| anna.clear(scope))?;
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_expiry(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let mut last = stage.key("none");
    for name in ["anna", "ben", "cleo"] {
        let user = stage.user(name);
        for (number, scope) in stage.scopes(5).iter().enumerate() {
            last = stage.key(&format!("{name}-{number}"));
            user.register_for(scope, &last, SHORT)?;
        }
    }
    stage.expire(&last, SHORT)?;
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_created_sessions_expire(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let anna = stage.user("anna");
    let nobody = stage.ctx("env-a", "tenant-a");
    let (named, last) = (stage.key("named"), stage.key("last"));
    let short = CreateOptions::new().ttl(SHORT);
    let _created = anna.create_with(short.clone().key(named.clone()))?;
    let data = data_of(&nobody, "{}");
    let _created = stage
        .store
        .create_with(&nobody, data, short.key(last.clone()))?;
    // On a busy machine the session is gone before it can be changed.
    let _in_time = stage.store.update(&named, anna.data("changed"));
    stage.expire(&last, SHORT)?;
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_displacement_and_moves(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let anna = stage.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (stage.key("first"), stage.key("second"));
    anna.register(&one, &first)?;
    anna.register_for(&two, &first, LONG)?;
    anna.register(&two, &second)?;
    anna.register(&one, &second)?;
    anna.register_for(&two, &first, LONG)?;
    anna.register(&one, &first)?;
    anna.clear(&one)?;
    stage.store.remove(&second)?;
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_a_displaced_session_expires(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let anna = stage.user("anna");
    let (chat, older, newer) = (scope("chat"), stage.key("older"), stage.key("newer"));
    anna.register_for(&chat, &older, SHORT)?;
    anna.register_for(&chat, &newer, LONG)?;
    stage.expire(&older, SHORT)?;
    anna.clear(&chat)?;
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_of_calls_that_do_nothing(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let (anna, ben) = (stage.user("anna"), stage.user("ben"));
    let (chat, key) = (scope("chat"), stage.key("wait"));
    anna.ensure_no_wait(&chat)?;
    anna.ensure_waits(&[])?;
    anna.clear(&chat)?;
    ensure_eq(anna.find_by_user()?, None)?;
    ensure_refused(
        stage.store.update(&key, anna.data("{}")),
        ErrorCode::NotFound,
    )?;
    ensure_refused(stage.store.remove(&key), ErrorCode::NotFound)?;
    ensure_invalid(stage.store.create(&anna.ctx, ben.data("{}")))?;
    stage.ensure_nothing_left()?;
    anna.register(&chat, &key)?;
    ensure_invalid(ben.register(&chat, &key))?;
    anna.clear(&chat)?;
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_of_verbs_that_do_nothing(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let (anna, ben) = (stage.user("anna"), stage.user("ben"));
    let (chat, key) = (scope("chat"), stage.key("wait"));
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    stage.ensure_nothing_left()?;
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_invalid(ben.create_with(CreateOptions::new().key(key)))?;
    stage.store.release(&claim.token)?;
    anna.clear(&chat)?;
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_after_a_finish(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let anna = stage.user("anna");
    let (chat, key) = (scope("chat"), stage.key("wait"));
    anna.register(&chat, &key)?;
    for message in ["first", "second"] {
        let claim = anna.claimed(&chat, message)?;
        let again = Commit::park(chat.clone(), anna.data("again"), None);
        stage.store.commit(&claim.token, again)?;
    }
    let claim = anna.claimed(&chat, "third")?;
    stage.store.commit(&claim.token, Commit::Finish)?;
    stage.pass(SHORT, || Ok(true))?;
    stage.ensure_nothing_left()
}

pub fn c13_nothing_is_left_of_an_abandoned_claim(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let anna = stage.user("anna");
    let (chat, key) = (scope("chat"), stage.key("wait"));
    anna.register_for(&chat, &key, SHORT)?;
    // Either the worker claimed in time and is lost, or the session went first.
    // What leads to it may stay while the lease runs, which ends last.
    let _claim = anna.claim_for(&chat, "message", 2 * SHORT)?;
    stage.expire(&key, SHORT)?;
    stage.ensure_nothing_left()
}

pub fn c13_dead_waits_of_a_busy_owner_do_not_pile_up(stage: &Stage) -> Verdict {
    let stage = empty_store(stage)?;
    let anna = stage.user("anna");
    let (home, kept) = (scope("home"), stage.key("kept"));
    anna.register(&home, &kept)?;
    let before = stage.leftovers()?;
    for (number, scope) in stage.scopes(100).iter().enumerate() {
        let key = stage.key(&format!("wait-{number}"));
        anna.register_for(scope, &key, SHORT)?;
        if number % 25 == 24 {
            stage.expire(&key, SHORT)?;
        }
    }
    stage.ensure_left(before)?;
    anna.ensure_waits(&[(&home, &kept)])
}
