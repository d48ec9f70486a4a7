//! C16: the writes that a live claim refuses, and what makes a token void.

use greentic_types::{ReplyScope, SessionKey};

use crate::claim::{Commit, Turn};
use crate::conformance::ensure::{
    CaseResult, ensure_claim_lost, ensure_claimed, ensure_eq, ensure_invalid,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::{TestUser, resumed};
use crate::conformance::time::{LONG, SHORT};
use crate::error::SessionResult;
use crate::options::{CreateOptions, ParkOptions, RemoveOptions, UpdateOptions};
use crate::session::{CreateOutcome, ParkOutcome};

pub fn c16_none_of_the_nine_methods_writes_past_a_claim(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, rival) = (env.key("claimed"), env.key("rival"));
    anna.register_for(&chat, &key, LONG * 2)?;
    anna.register(&other, &rival)?;
    let claim = anna.claimed(&chat, "message")?;
    let before = anna.session(&key)?;
    ensure_claimed(env.store.update(&key, anna.data("stolen")))?;
    ensure_claimed(env.store.remove(&key))?;
    ensure_claimed(anna.clear(&chat))?;
    ensure_claimed(anna.register(&chat, &key))?;
    ensure_claimed(anna.register(&other, &key))?;
    ensure_claimed(anna.register(&chat, &rival))?;
    ensure_claimed(anna.register(&chat, &env.key("fresh")))?;
    anna.ensure_gone(&env.key("fresh"))?;
    ensure_eq(anna.session(&key)?, before)?;
    anna.ensure_waits(&[(&chat, &key), (&other, &rival)])?;
    Ok(env.store.commit(&claim.token, Commit::Finish)?)
}

pub fn c16_no_operation_writes_past_a_claim(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, rival) = (env.key("claimed"), env.key("rival"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    let before = anna.session(&key)?;
    let store = &env.store;
    let update = UpdateOptions::new().if_revision(1);
    ensure_claimed(store.update_with(&key, anna.data("stolen"), update))?;
    ensure_claimed(store.remove_with(&key, RemoveOptions::new().if_revision(1)))?;
    ensure_claimed(anna.clear_named(&chat))?;
    ensure_claimed(anna.park(&chat, &key, ParkOptions::new()))?;
    ensure_claimed(anna.park(&other, &key, ParkOptions::new()))?;
    ensure_claimed(anna.park(&other, &key, ParkOptions::new().if_absent()))?;
    ensure_claimed(anna.park(&chat, &rival, ParkOptions::new()))?;
    let if_absent = ParkOptions::new().if_absent();
    ensure_eq(
        anna.park(&chat, &rival, if_absent)?,
        ParkOutcome::Exists(key.clone()),
    )?;
    let create = CreateOptions::new().key(key.clone());
    ensure_eq(anna.create_with(create)?, CreateOutcome::Exists)?;
    ensure_eq(anna.session(&key)?, before)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    Ok(store.commit(&claim.token, Commit::Finish)?)
}

pub fn c16_the_rest_of_the_owner_is_free(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, one, two) = (scope("chat"), scope("one"), scope("two"));
    let (key, free) = (env.key("claimed"), env.key("free"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    let created = anna.create("{}")?;
    env.store.remove(&created)?;
    anna.register(&one, &free)?;
    anna.register(&two, &free)?;
    env.store.update(&free, anna.data("changed"))?;
    anna.ensure_waits(&[(&chat, &key), (&two, &free)])?;
    anna.clear(&two)?;
    Ok(env.store.commit(&claim.token, Commit::Finish)?)
}

pub fn c16_a_claim_of_another_owner_blocks_no_call(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, other) = (scope("chat"), scope("other"));
    let (own, foreign) = (env.key("own"), env.key("foreign"));
    let store = &env.store;
    ben.register(&chat, &foreign)?;
    let claim = ben.claimed(&chat, "message")?;
    // The owner is checked before the claim.
    ensure_invalid(store.update(&foreign, anna.data("stolen")))?;
    ensure_invalid(anna.register(&chat, &foreign))?;
    ensure_claimed(store.remove(&foreign))?;
    anna.clear(&chat)?;
    for scope in [&chat, &other, &chat] {
        anna.register(scope, &own)?;
    }
    store.update(&own, anna.data("changed"))?;
    anna.ensure_stored(&own, "changed")?;
    anna.ensure_waits(&[(&chat, &own)])?;
    ensure_eq(anna.find_by_user()?, Some(own.clone()))?;
    let same_message = anna.claimed(&chat, "message")?;
    store.commit(&same_message.token, Commit::Finish)?;
    anna.register(&chat, &own)?;
    anna.clear(&chat)?;
    let created = anna.create("{}")?;
    store.remove(&created)?;
    ben.ensure_stored(&foreign, foreign.as_str())?;
    ben.ensure_waits(&[(&chat, &foreign)])?;
    Ok(store.commit(&claim.token, Commit::Finish)?)
}

pub fn c16_a_released_wait_can_be_written(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    env.store.release(&claim.token)?;
    env.store.update(&key, anna.data("changed"))?;
    anna.register(&chat, &key)?;
    anna.clear(&chat)?;
    anna.ensure_gone(&key)
}

pub fn c16_the_token_may_update(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG * 2)?;
    let claim = anna.claimed(&chat, "message")?;
    let with_token = || UpdateOptions::new().claim(claim.token.clone());
    let store = &env.store;
    ensure_eq(store.update_with(&key, anna.data("one"), with_token())?, 2)?;
    let at_two = with_token().if_revision(2);
    ensure_eq(store.update_with(&key, anna.data("two"), at_two)?, 3)?;
    ensure_eq(anna.session(&key)?.deadline, resumed(&claim)?.deadline)?;
    ensure_claimed(store.update(&key, anna.data("stolen")))?;
    anna.ensure_stored(&key, "two")?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.commit_park(&claim, &chat, "three")?;
    ensure_eq(anna.session(&key)?.revision, 4)
}

pub fn c16_a_token_is_for_its_own_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    let claim = anna.claimed(&one, "message")?;
    let other = anna.claimed(&two, "message")?;
    let update = UpdateOptions::new().claim(claim.token.clone());
    ensure_invalid(env.store.update_with(&second, anna.data("stolen"), update))?;
    env.store.commit(&claim.token, Commit::Finish)?;
    anna.ensure_stored(&second, second.as_str())?;
    env.store.release(&other.token)?;
    anna.ensure_waits(&[(&two, &second)])
}

/// Requires that no call with the token changes anything.
fn ensure_void(anna: &TestUser<'_>, claim: &Turn) -> CaseResult {
    let store = anna.store;
    let key = claim.token.session_key();
    let before = store.session(key)?;
    let waits = anna.list()?;
    let update = UpdateOptions::new().claim(claim.token.clone());
    ensure_claim_lost(store.renew(&claim.token, LONG))?;
    ensure_claim_lost(store.release(&claim.token))?;
    ensure_claim_lost(anna.commit_park(claim, &scope("stolen"), "stolen"))?;
    ensure_claim_lost(store.commit(&claim.token, Commit::Finish))?;
    if before.is_some() {
        ensure_claim_lost(store.update_with(key, anna.data("stolen"), update))?;
    }
    ensure_eq(store.session(key)?, before)?;
    anna.ensure_no_wait(&scope("stolen"))?;
    ensure_eq(anna.list()?, waits)
}

pub fn c16_a_claim_that_was_taken_over_is_void(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let lost = anna.claimed_for(&chat, "message", SHORT)?;
    let claim = anna.claimed_after(SHORT, &chat, "message")?;
    ensure_void(&anna, &lost)?;
    env.store.release(&claim.token)?;
    ensure_void(&anna, &lost)?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_void(&anna, &lost)?;
    anna.commit_park(&claim, &chat, "again")?;
    ensure_void(&anna, &lost)?;
    ensure_void_for_writes(&anna, &claim)
}

/// Requires that a token renews, releases and updates nothing, as after its commit.
fn ensure_void_for_writes(anna: &TestUser<'_>, claim: &Turn) -> CaseResult {
    let store = anna.store;
    let update = UpdateOptions::new().claim(claim.token.clone());
    ensure_claim_lost(store.renew(&claim.token, LONG))?;
    ensure_claim_lost(store.release(&claim.token))?;
    let key = claim.token.session_key();
    ensure_claim_lost(store.update_with(key, anna.data("stolen"), update))
}

/// A write without a token, made after the lease has ended.
type Write = fn(&TestEnv, &TestUser<'_>, &ReplyScope, &SessionKey) -> SessionResult<()>;

const WRITES: [(&str, Write); 6] = [
    ("update", |_, anna, _, key| {
        anna.store.update(key, anna.data("changed"))
    }),
    ("remove", |_, anna, _, key| anna.store.remove(key)),
    ("clear", |_, anna, chat, _| anna.clear(chat)),
    ("register again", |_, anna, chat, key| {
        anna.register(chat, key)
    }),
    ("move", |_, anna, _, key| {
        anna.register(&scope("moved"), key)
    }),
    ("displace", |env, anna, chat, _| {
        anna.register(chat, &env.key("rival"))
    }),
];

pub fn c16_an_ended_lease_blocks_no_write(env: &TestEnv) -> CaseResult {
    for (name, write) in WRITES {
        let (chat, key) = (scope("chat"), env.key(name));
        // A user for each write, so that the waits of one do not affect the next.
        let anna = env.user(&format!("anna-{}", name.replace(' ', "-")));
        anna.register(&chat, &key)?;
        let lost = anna.claimed_for(&chat, "message", SHORT)?;
        env.pass(SHORT, || Ok(true))?;
        write(env, &anna, &chat, &key)?;
        ensure_void(&anna, &lost)?;
        let rival = env.key("rival");
        if env.store.get(&rival)?.is_some() {
            env.store.remove(&rival)?;
        }
    }
    Ok(())
}

pub fn c16_an_ended_lease_changes_no_read(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    let before = anna.session(&key)?;
    let _lost = anna.claimed_for(&chat, "message", SHORT)?;
    env.pass(SHORT, || Ok(true))?;
    ensure_eq(anna.session(&key)?, before.clone())?;
    ensure_eq(env.store.get_fenced(&anna.ctx, &key)?, Some(before))?;
    anna.ensure_stored(&key, key.as_str())?;
    anna.ensure_waits(&[(&chat, &key)])?;
    ensure_eq(anna.find_by_user()?, Some(key.clone()))?;
    let _created = anna.create("{}")?;
    ensure_eq(anna.find_by_user()?, Some(key))?;
    ensure_eq(anna.claimed(&chat, "message")?.attempt, 2)
}

pub fn c16_an_ended_lease_holds_until_another_claim(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two, three) = (scope("one"), scope("two"), scope("three"));
    for (number, scope) in [&one, &two, &three].into_iter().enumerate() {
        anna.register(scope, &env.key(&format!("wait-{number}")))?;
    }
    let committing = anna.claimed_for(&one, "first", SHORT)?;
    let renewing = anna.claimed_for(&two, "second", SHORT)?;
    let updating = anna.claimed_for(&three, "third", SHORT)?;
    env.pass(SHORT, || Ok(true))?;
    anna.commit_park(&committing, &one, "late")?;
    anna.ensure_stored(committing.token.session_key(), "late")?;
    let until = env.store.renew(&renewing.token, LONG)?;
    let busy = crate::claim::ClaimOutcome::busy(until, false);
    ensure_eq(anna.claim(&two, "other")?, busy)?;
    let options = UpdateOptions::new().claim(updating.token.clone());
    let key = updating.token.session_key();
    ensure_eq(env.store.update_with(key, anna.data("late"), options)?, 2)?;
    env.store.commit(&updating.token, Commit::Finish)?;
    anna.ensure_gone(key)
}
