//! C12: deadlines.

use std::time::Duration;

use greentic_types::SessionKey;

use super::super::actor::Actor;
use super::super::ensure::{Verdict, ensure_eq, ensure_refused};
use super::super::samples::scope;
use super::super::stage::{LONG, SHORT, Stage, TICK};
use crate::claim::{ClaimOutcome, Commit};
use crate::error::ErrorCode;
use crate::options::{CreateOptions, ParkOptions, RemoveOptions, StoreOptions, UpdateOptions};
use crate::session::{ClearOutcome, CreateOutcome};

pub fn c12_an_expired_session_is_gone_from_every_read(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, kept) = (stage.key("short"), stage.key("kept"));
    anna.register_for(&chat, &key, SHORT)?;
    stage.expire(&key, SHORT)?;
    anna.ensure_waits(&[])?;
    anna.ensure_no_wait(&chat)?;
    ensure_eq(anna.find_by_user()?, None)?;
    ensure_refused(
        stage.store.update(&key, anna.data("{}")),
        ErrorCode::NotFound,
    )?;
    ensure_refused(stage.store.remove(&key), ErrorCode::NotFound)?;
    anna.clear(&chat)?;
    anna.ensure_gone(&key)?;
    anna.register(&other, &kept)?;
    anna.ensure_waits(&[(&other, &kept)])
}

/// Each way to see a wait, with the answer that shows it.
fn seen(anna: &Actor<'_>, key: &SessionKey) -> Vec<(&'static str, Verdict<bool>)> {
    let chat = scope("chat");
    let store = &anna.stage.store;
    vec![
        (
            "get",
            store
                .get(key)
                .map(|found| found.is_some())
                .map_err(Into::into),
        ),
        (
            "find",
            anna.find(&chat)
                .map(|found| found.is_some())
                .map_err(Into::into),
        ),
        (
            "list",
            anna.list()
                .map(|waits| waits.contains(key))
                .map_err(Into::into),
        ),
        (
            "find_by_user",
            anna.find_by_user()
                .map(|found| found.is_some())
                .map_err(Into::into),
        ),
    ]
}

pub fn c12_the_deadline_is_exact(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let key = stage.key("wait");
    anna.register_for(&scope("chat"), &key, LONG)?;
    stage.advance(LONG - TICK)?;
    for (read, sees) in seen(&anna, &key) {
        ensure_eq((read, sees?), (read, true))?;
    }
    stage.advance(TICK)?;
    for (read, sees) in seen(&anna, &key) {
        ensure_eq((read, sees?), (read, false))?;
    }
    Ok(())
}

pub fn c12_writes_count_until_the_deadline(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (stage.key("first"), stage.key("second"));
    anna.register_for(&one, &first, LONG)?;
    anna.register_for(&two, &second, LONG)?;
    stage.advance(LONG - TICK)?;
    stage.store.update(&first, anna.data("last"))?;
    stage.store.remove(&second)?;
    anna.ensure_stored(&first, "last")?;
    stage.advance(TICK)?;
    ensure_refused(
        stage.store.update(&first, anna.data("late")),
        ErrorCode::NotFound,
    )?;
    ensure_refused(stage.store.remove(&first), ErrorCode::NotFound)?;
    anna.ensure_gone(&first)
}

pub fn c12_verbs_see_nothing_at_the_deadline(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (chat, key) = (scope("chat"), stage.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    stage.advance(LONG)?;
    let store = &stage.store;
    ensure_eq(store.session(&key)?, None)?;
    ensure_eq(store.get_fenced(&anna.ctx, &key)?, None)?;
    ensure_eq(store.latest(&anna.ctx, &anna.user)?, None)?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)?;
    ensure_eq(anna.clear_named(&chat)?, ClearOutcome::NoWait)?;
    let update = UpdateOptions::new().if_revision(1);
    ensure_refused(
        store.update_with(&key, anna.data("{}"), update),
        ErrorCode::NotFound,
    )?;
    let remove = RemoveOptions::new().if_revision(1);
    ensure_refused(store.remove_with(&key, remove), ErrorCode::NotFound)?;
    let created = anna.create_with(CreateOptions::new().key(key.clone()))?;
    ensure_eq(created, CreateOutcome::Created(key.clone()))?;
    ensure_eq(anna.session(&key)?.deadline, None)?;
    anna.ensure_no_wait(&chat)
}

pub fn c12_the_deadline_is_told(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let key = stage.key("created");
    let _created = anna.create_with(CreateOptions::new().key(key.clone()).ttl(LONG))?;
    let created = anna.session(&key)?.deadline;
    stage.advance(TICK)?;
    let _parked = anna.park(&scope("chat"), &key, ParkOptions::new().ttl(LONG))?;
    let parked = anna.session(&key)?.deadline;
    let moved = parked
        .zip(created)
        .map(|(parked, created)| parked.since(created));
    ensure_eq(moved, Some(TICK))?;
    stage.advance(LONG - TICK)?;
    anna.ensure_stored(&key, key.as_str())?;
    stage.advance(TICK)?;
    anna.ensure_gone(&key)
}

const TINY: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_micros(999),
    Duration::from_millis(1),
];

pub fn c12_tiny_ttls_expire(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    for (number, ttl) in TINY.into_iter().enumerate() {
        let (chat, key) = (scope("chat"), stage.key(&format!("tiny-{number}")));
        anna.register_for(&chat, &key, ttl)?;
        stage.expire(&key, TICK)?;
        anna.ensure_no_wait(&chat)?;
        anna.ensure_waits(&[])?;
    }
    Ok(())
}

pub fn c12_tiny_ttls_act_as_one_millisecond(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    for (number, ttl) in TINY.into_iter().enumerate() {
        let (chat, key) = (scope("chat"), stage.key(&format!("tiny-{number}")));
        anna.register_for(&chat, &key, ttl)?;
        anna.ensure_waits(&[(&chat, &key)])?;
        stage.advance(TICK)?;
        anna.ensure_gone(&key)?;
    }
    Ok(())
}

const OVERLONG: [Duration; 4] = [
    Duration::MAX,
    Duration::from_secs(u64::MAX),
    Duration::from_millis(u64::MAX),
    Duration::from_millis(1 << 53),
];

pub fn c12_overlong_ttls_do_not_expire(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    for (number, ttl) in OVERLONG.into_iter().enumerate() {
        let (chat, key) = (scope("chat"), stage.key(&format!("long-{number}")));
        anna.register_for(&chat, &key, ttl)?;
        anna.ensure_waits(&[(&chat, &key)])?;
        anna.ensure_stored(&key, key.as_str())?;
    }
    Ok(())
}

pub fn c12_overlong_ttls_mean_no_deadline(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    for (number, ttl) in OVERLONG.into_iter().enumerate() {
        let key = stage.key(&format!("long-{number}"));
        let _created = anna.create_with(CreateOptions::new().key(key.clone()).ttl(ttl))?;
        ensure_eq(anna.session(&key)?.deadline, None)?;
        let _parked = anna.park(&scope("chat"), &key, ParkOptions::new().ttl(ttl))?;
        ensure_eq(anna.session(&key)?.deadline, None)?;
    }
    Ok(())
}

pub fn c12_no_ttl_means_no_deadline(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (chat, key) = (scope("chat"), stage.key("wait"));
    let created = anna.create("created")?;
    anna.register(&chat, &key)?;
    stage.advance(Duration::from_secs(10 * 365 * 24 * 3600))?;
    anna.ensure_stored(&created, "created")?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c12_the_default_ttl_applies(stage: &Stage) -> Verdict {
    let stage = stage.with_options(StoreOptions::new().default_ttl(LONG))?;
    let anna = stage.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (stage.key("default"), stage.key("own"));
    let created = anna.create("created")?;
    anna.register(&one, &first)?;
    anna.register_for(&two, &second, LONG + TICK)?;
    stage.advance(LONG - TICK)?;
    anna.ensure_stored(&created, "created")?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    stage.advance(TICK)?;
    anna.ensure_gone(&created)?;
    anna.ensure_gone(&first)?;
    anna.ensure_waits(&[(&two, &second)])?;
    stage.advance(TICK)?;
    anna.ensure_waits(&[])
}

pub fn c12_the_default_ttl_is_told(stage: &Stage) -> Verdict {
    let stage = stage.with_options(StoreOptions::new().default_ttl(LONG))?;
    let anna = stage.user("anna");
    let (chat, key) = (scope("chat"), stage.key("wait"));
    let created = anna.create("created")?;
    ensure_eq(anna.session(&created)?.deadline.is_some(), true)?;
    anna.register_for(&chat, &key, Duration::MAX)?;
    ensure_eq(anna.session(&key)?.deadline, None)?;
    let claim = anna.claimed(&chat, "message")?;
    let again = Commit::park(chat, anna.data("again"), None);
    stage.store.commit(&claim.token, again)?;
    ensure_eq(anna.session(&key)?.deadline.is_some(), true)
}

pub fn c12_update_keeps_the_deadline(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (chat, key) = (scope("chat"), stage.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    stage.advance(LONG / 2)?;
    stage.store.update(&key, anna.data("changed"))?;
    stage.advance(LONG / 2 - TICK)?;
    anna.ensure_stored(&key, "changed")?;
    stage.advance(TICK)?;
    anna.ensure_gone(&key)
}

pub fn c12_registering_again_sets_the_deadline_anew(stage: &Stage) -> Verdict {
    let anna = stage.user("anna");
    let (chat, key) = (scope("chat"), stage.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    anna.register_for(&chat, &key, LONG * 2)?;
    stage.advance(LONG)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.register(&chat, &key)?;
    stage.advance(LONG * 10)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.register_for(&scope("other"), &key, LONG)?;
    stage.advance(LONG - TICK)?;
    anna.ensure_stored(&key, key.as_str())?;
    stage.advance(TICK)?;
    anna.ensure_waits(&[])?;
    anna.ensure_gone(&key)
}
