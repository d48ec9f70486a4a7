//! C12: deadlines and TTLs.

use std::time::Duration;

use greentic_types::SessionKey;

use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{CaseResult, ensure_eq, ensure_refused};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::TestUser;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::error::ErrorCode;
use crate::options::{CreateOptions, ParkOptions, RemoveOptions, StoreOptions, Ttl, UpdateOptions};
use crate::session::{ClearOutcome, CreateOutcome};

pub fn c12_an_expired_session_is_gone_from_every_read(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, kept) = (env.key("short"), env.key("kept"));
    anna.register_for(&chat, &key, SHORT)?;
    env.expire(&key, SHORT)?;
    anna.ensure_waits(&[])?;
    anna.ensure_no_wait(&chat)?;
    ensure_eq(anna.find_by_user()?, None)?;
    ensure_refused(env.store.update(&key, anna.data("{}")), ErrorCode::NotFound)?;
    ensure_refused(env.store.remove(&key), ErrorCode::NotFound)?;
    anna.clear(&chat)?;
    anna.ensure_gone(&key)?;
    anna.register(&other, &kept)?;
    anna.ensure_waits(&[(&other, &kept)])
}

/// Each read of a wait, which returns true if it finds the wait.
fn seen(anna: &TestUser<'_>, key: &SessionKey) -> Vec<(&'static str, CaseResult<bool>)> {
    let chat = scope("chat");
    let store = anna.store;
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

pub fn c12_the_deadline_is_exact(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = env.key("wait");
    anna.register_for(&scope("chat"), &key, LONG)?;
    env.advance(LONG - TICK)?;
    for (read, sees) in seen(&anna, &key) {
        ensure_eq((read, sees?), (read, true))?;
    }
    env.advance(TICK)?;
    for (read, sees) in seen(&anna, &key) {
        ensure_eq((read, sees?), (read, false))?;
    }
    Ok(())
}

pub fn c12_writes_count_until_the_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register_for(&one, &first, LONG)?;
    anna.register_for(&two, &second, LONG)?;
    env.advance(LONG - TICK)?;
    env.store.update(&first, anna.data("last"))?;
    env.store.remove(&second)?;
    anna.ensure_stored(&first, "last")?;
    env.advance(TICK)?;
    ensure_refused(
        env.store.update(&first, anna.data("late")),
        ErrorCode::NotFound,
    )?;
    ensure_refused(env.store.remove(&first), ErrorCode::NotFound)?;
    anna.ensure_gone(&first)
}

pub fn c12_no_operation_sees_a_session_at_its_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    env.advance(LONG)?;
    let store = &env.store;
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

pub fn c12_the_deadline_is_returned(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = env.key("created");
    let _created = anna.create_with(CreateOptions::new().key(key.clone()).ttl(LONG))?;
    let created = anna.session(&key)?.deadline;
    env.advance(TICK)?;
    let _parked = anna.park(&scope("chat"), &key, ParkOptions::new().ttl(LONG))?;
    let parked = anna.session(&key)?.deadline;
    let moved = parked
        .zip(created)
        .map(|(parked, created)| parked.since(created));
    ensure_eq(moved, Some(TICK))?;
    env.advance(LONG - TICK)?;
    anna.ensure_stored(&key, key.as_str())?;
    env.advance(TICK)?;
    anna.ensure_gone(&key)
}

const TINY: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_micros(999),
    Duration::from_millis(1),
];

pub fn c12_tiny_ttls_expire(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for (number, ttl) in TINY.into_iter().enumerate() {
        let (chat, key) = (scope("chat"), env.key(&format!("tiny-{number}")));
        anna.register_for(&chat, &key, ttl)?;
        env.expire(&key, TICK)?;
        anna.ensure_no_wait(&chat)?;
        anna.ensure_waits(&[])?;
    }
    Ok(())
}

pub fn c12_tiny_ttls_act_as_one_millisecond(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for (number, ttl) in TINY.into_iter().enumerate() {
        let (chat, key) = (scope("chat"), env.key(&format!("tiny-{number}")));
        anna.register_for(&chat, &key, ttl)?;
        anna.ensure_waits(&[(&chat, &key)])?;
        env.advance(TICK)?;
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

pub fn c12_overlong_ttls_do_not_expire(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for (number, ttl) in OVERLONG.into_iter().enumerate() {
        let (chat, key) = (scope("chat"), env.key(&format!("long-{number}")));
        anna.register_for(&chat, &key, ttl)?;
        anna.ensure_waits(&[(&chat, &key)])?;
        anna.ensure_stored(&key, key.as_str())?;
    }
    Ok(())
}

pub fn c12_overlong_ttls_mean_no_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    for (number, ttl) in OVERLONG.into_iter().enumerate() {
        let key = env.key(&format!("long-{number}"));
        let _created = anna.create_with(CreateOptions::new().key(key.clone()).ttl(ttl))?;
        ensure_eq(anna.session(&key)?.deadline, None)?;
        let _parked = anna.park(&scope("chat"), &key, ParkOptions::new().ttl(ttl))?;
        ensure_eq(anna.session(&key)?.deadline, None)?;
    }
    Ok(())
}

pub fn c12_no_ttl_means_no_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let created = anna.create("created")?;
    anna.register(&chat, &key)?;
    env.advance(Duration::from_secs(10 * 365 * 24 * 3600))?;
    anna.ensure_stored(&created, "created")?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c12_the_default_ttl_applies(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().default_ttl(LONG))?;
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("default"), env.key("own"));
    let created = anna.create("created")?;
    anna.register(&one, &first)?;
    anna.register_for(&two, &second, LONG + TICK)?;
    env.advance(LONG - TICK)?;
    anna.ensure_stored(&created, "created")?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    env.advance(TICK)?;
    anna.ensure_gone(&created)?;
    anna.ensure_gone(&first)?;
    anna.ensure_waits(&[(&two, &second)])?;
    env.advance(TICK)?;
    anna.ensure_waits(&[])
}

pub fn c12_the_default_ttl_sets_the_returned_deadline(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().default_ttl(LONG))?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let created = anna.create("created")?;
    ensure_eq(anna.session(&created)?.deadline.is_some(), true)?;
    anna.register_for(&chat, &key, Duration::MAX)?;
    ensure_eq(anna.session(&key)?.deadline, None)?;
    let claim = anna.claimed(&chat, "message")?;
    let again = Commit::park(chat, anna.data("again")).ttl(Ttl::Default);
    env.store.commit(&claim.token, again)?;
    ensure_eq(anna.session(&key)?.deadline.is_some(), true)
}

pub fn c12_a_session_keeps_its_ttl_on_request(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().default_ttl(LONG * 2))?;
    let anna = env.user("anna");
    let (chat, key, fresh) = (scope("chat"), env.key("wait"), env.key("fresh"));
    let created = CreateOptions::new().key(key.clone()).ttl(LONG);
    let _created = anna.create_with(created)?;
    let keep = || ParkOptions::new().ttl(Ttl::Keep);
    env.advance(LONG / 2)?;
    let _parked = anna.park(&chat, &key, keep())?;
    // The TTL of a new session is the default.
    let _parked = anna.park(&scope("other"), &fresh, keep())?;
    let deadline = |key| anna.session(key).map(|session| session.deadline);
    let longer = deadline(&fresh)?.zip(deadline(&key)?);
    let longer = longer.map(|(fresh, kept)| fresh.since(kept));
    ensure_eq(longer, Some(LONG))?;
    env.advance(LONG / 2)?;
    ensure_eq(env.store.extend(&key, Ttl::Keep)?, deadline(&key)?)?;
    env.advance(LONG - TICK)?;
    anna.ensure_stored(&key, key.as_str())?;
    env.advance(TICK)?;
    anna.ensure_gone(&key)
}

pub fn c12_never_means_no_deadline(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().default_ttl(LONG))?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let _parked = anna.park(&chat, &key, ParkOptions::new().ttl(Ttl::Never))?;
    ensure_eq(anna.session(&key)?.deadline, None)?;
    let claim = anna.claimed(&chat, "message")?;
    anna.commit_park(&claim, &chat, "again")?;
    ensure_eq(anna.session(&key)?.deadline, None)?;
    let until = env.store.extend(&key, Ttl::Default)?;
    ensure_eq(until.is_some(), true)?;
    ensure_eq(env.store.extend(&key, Ttl::Keep)?, None)
}

pub fn c12_update_keeps_the_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    env.advance(LONG / 2)?;
    env.store.update(&key, anna.data("changed"))?;
    env.advance(LONG / 2 - TICK)?;
    anna.ensure_stored(&key, "changed")?;
    env.advance(TICK)?;
    anna.ensure_gone(&key)
}

pub fn c12_registering_again_sets_a_new_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    anna.register_for(&chat, &key, LONG * 2)?;
    env.advance(LONG)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.register(&chat, &key)?;
    env.advance(LONG * 10)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.register_for(&scope("other"), &key, LONG)?;
    env.advance(LONG - TICK)?;
    anna.ensure_stored(&key, key.as_str())?;
    env.advance(TICK)?;
    anna.ensure_waits(&[])?;
    anna.ensure_gone(&key)
}
