//! C17: errors, health, and data after reopening a store.

use crate::SessionKey;
use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{CaseResult, ensure, ensure_eq, ensure_invalid, ensure_refused};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::LONG;
use crate::error::{ErrorCode, SessionErrorExt};
use crate::options::{CommitOptions, UpdateOptions};

pub fn c17_bad_keys_are_refused(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    let padded = |length: usize| {
        let key = env.key("long");
        let padding = "x".repeat(length - key.as_str().len());
        SessionKey::new(format!("{key}{padding}"))
    };
    for bad in [SessionKey::new(""), padded(1025)] {
        ensure_invalid(env.store.get(&bad))?;
        ensure_invalid(env.store.update(&bad, anna.data("{}")))?;
        ensure_invalid(env.store.remove(&bad))?;
        ensure_invalid(anna.register(&chat, &bad))?;
    }
    let longest = padded(1024);
    anna.register(&chat, &longest)?;
    anna.ensure_waits(&[(&chat, &longest)])
}

pub fn c17_overlong_scopes_are_refused(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (longest, over) = ("x".repeat(64 * 1024), "x".repeat(64 * 1024 + 1));
    let key = env.key("wait");
    let refusals = [
        anna.register(&scope(&over), &key),
        anna.find(&scope(&over)).map(|_key| ()),
        anna.clear(&scope(&over)),
    ];
    for refused in refusals {
        let error = ensure_invalid(refused)?;
        ensure(
            error.message.contains("65536"),
            "the message names the limit",
        )?;
    }
    anna.register(&scope(&longest), &key)?;
    anna.ensure_waits(&[(&scope(&longest), &key)])
}

pub fn c17_errors_say_whether_to_repeat(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let key = anna.create("{}")?;
    let store = &env.store;
    let stale = UpdateOptions::new().if_revision(9);
    let errors = [
        ensure_refused(store.remove(&env.key("missing")), ErrorCode::NotFound)?,
        ensure_invalid(store.create(&anna.ctx, env.user("ben").data("{}")))?,
        ensure_refused(
            store.update_with(&key, anna.data("{}"), stale),
            ErrorCode::Conflict,
        )?,
    ];
    for error in &errors {
        ensure(
            !error.is_safe_to_repeat(),
            "a refused call is not safe to repeat",
        )?;
        ensure(!error.message.is_empty(), "an error has a message")?;
    }
    Ok(())
}

pub fn c17_health_answers(env: &TestEnv) -> CaseResult {
    let health = env.store.health()?;
    ensure(!health.backend.is_empty(), "health names the backend")
}

pub fn c17_what_was_stored_is_there_after_reopening(env: &TestEnv) -> CaseResult {
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    let created = {
        let before = env.open("store")?;
        let anna = before.user("anna");
        let created = anna.create("created")?;
        anna.register(&two, &second)?;
        anna.register_for(&one, &first, LONG)?;
        before.store.update(&second, anna.data("changed"))?;
        created
    };
    let after = env.open("store")?;
    let anna = after.user("anna");
    anna.ensure_waits(&[(&two, &second), (&one, &first)])?;
    anna.ensure_stored(&first, first.as_str())?;
    anna.ensure_stored(&second, "changed")?;
    anna.clear(&one)?;
    anna.clear(&two)?;
    anna.ensure_latest(&created)
}

pub fn c17_claims_are_there_after_reopening(env: &TestEnv) -> CaseResult {
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    let (claim, session) = {
        let before = env.open("store")?;
        let anna = before.user("anna");
        anna.register(&one, &first)?;
        anna.register_for(&two, &second, LONG)?;
        let done = anna.claimed(&one, "done")?;
        let next = Commit::park(one.clone(), anna.data("again"));
        let options = CommitOptions::new().reply(*b"reply");
        before.store.commit_with(&done.token, next, options)?;
        (anna.claimed(&one, "open")?, anna.session(&second)?)
    };
    let after = env.open("store")?;
    let anna = after.user("anna");
    ensure_eq(anna.session(&second)?, session)?;
    let done = ClaimOutcome::duplicate_with(Some(b"reply".as_slice().into()));
    ensure_eq(anna.claim(&one, "done")?, done)?;
    let busy = ClaimOutcome::busy(claim.lease_until, false);
    ensure_eq(anna.claim(&one, "other")?, busy)?;
    anna.commit_park(&claim, &one, "resumed")?;
    anna.ensure_stored(&first, "resumed")?;
    let next = anna.claimed(&two, "other")?;
    ensure(
        next.token.fencing_number() > claim.token.fencing_number(),
        "the fencing number increases",
    )
}
