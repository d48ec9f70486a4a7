//! C24 and C25: an operator extends a session, and revokes a claim.

use crate::admin::RevokeOutcome;
use crate::claim::Commit;
use crate::conformance::ensure::{
    CaseResult, ensure, ensure_claim_lost, ensure_eq, ensure_invalid, ensure_refused,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::error::ErrorCode;
use crate::options::{CreateOptions, StoreOptions, Ttl, UpdateOptions};

pub fn c24_extend_moves_the_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (short, long) = (env.key("short"), env.key("long"));
    anna.register_for(&scope("short"), &short, LONG)?;
    anna.register_for(&scope("long"), &long, LONG)?;
    let until = env.store.extend(&long, Ttl::After(LONG * 2))?;
    ensure_eq(anna.session(&long)?.deadline, until)?;
    ensure(until.is_some(), "extend returns a deadline")?;
    ensure_eq(env.store.extend(&long, Ttl::Default)?, None)?;
    ensure_eq(anna.session(&long)?.deadline, None)?;
    let _until = env.store.extend(&short, Ttl::After(SHORT))?;
    env.expire(&short, SHORT)?;
    anna.ensure_no_wait(&scope("short"))?;
    anna.ensure_waits(&[(&scope("long"), &long)])
}

pub fn c24_the_new_deadline_is_exact(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, SHORT)?;
    env.advance(SHORT - TICK)?;
    let _until = env.store.extend(&key, Ttl::After(LONG))?;
    env.advance(LONG - TICK)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.advance(TICK)?;
    anna.ensure_gone(&key)?;
    anna.ensure_waits(&[])
}

pub fn c24_extend_keeps_everything_else(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    let claim = anna.claimed(&one, "message")?;
    let _until = env.store.extend(&first, Ttl::After(LONG))?;
    let session = anna.session(&first)?;
    ensure_eq(session.revision, 1)?;
    ensure_eq(&session.data, &anna.data(first.as_str()))?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    env.store.commit(&claim.token, Commit::Finish)?;
    anna.ensure_waits(&[(&two, &second)])
}

pub fn c24_extend_extends_the_look_up(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (named, passing) = (env.key("named"), env.key("passing"));
    let short = CreateOptions::new().ttl(SHORT * 10);
    let _created = anna.create_with(short.key(named.clone()))?;
    match env.store.extend(&named, Ttl::After(LONG)) {
        // On a busy machine the session may expire before it is extended.
        Err(error) if error.code == ErrorCode::NotFound => return Ok(()),
        extended => extended?,
    };
    // The deadline of another session shows that the first one has passed.
    anna.register_for(&scope("passing"), &passing, SHORT * 10)?;
    env.expire(&passing, SHORT * 10)?;
    anna.ensure_latest(&named)
}

pub fn c24_extend_extends_the_wait(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key, passing) = (scope("chat"), env.key("wait"), env.key("passing"));
    anna.register_for(&chat, &key, SHORT * 10)?;
    match env.store.extend(&key, Ttl::After(LONG)) {
        // On a busy machine the session may expire before it is extended.
        Err(error) if error.code == ErrorCode::NotFound => return Ok(()),
        extended => extended?,
    };
    // The deadline of another session shows that the first one has passed.
    ben.register_for(&scope("passing"), &passing, SHORT * 10)?;
    env.expire(&passing, SHORT * 10)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    let claim = anna.claimed(&chat, "message")?;
    Ok(env.store.commit(&claim.token, Commit::Finish)?)
}

pub fn c24_nothing_is_left_after_a_shorter_deadline(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    let anna = env.user("anna");
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register_for(&scope("first"), &first, LONG)?;
    anna.register(&scope("second"), &second)?;
    let created = anna.create("{}")?;
    for key in [&first, &second, &created] {
        let _until = env.store.extend(key, Ttl::After(SHORT))?;
    }
    env.expire(&created, SHORT)?;
    env.ensure_nothing_left()
}

pub fn c24_a_missing_session_is_not_extended(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let extend = || env.store.extend(&key, Ttl::After(LONG));
    ensure_refused(extend(), ErrorCode::NotFound)?;
    anna.register_for(&chat, &key, SHORT)?;
    env.expire(&key, SHORT)?;
    ensure_refused(extend(), ErrorCode::NotFound)?;
    let empty = greentic_types::SessionKey::new("");
    ensure_invalid(env.store.extend(&empty, Ttl::Default)).map(|_refused| ())
}

pub fn c25_revoke_frees_the_wait_and_voids_the_token(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let stuck = anna.claimed(&chat, "message")?;
    let revoked = RevokeOutcome::Revoked {
        until: stuck.lease_until,
        attempt: 1,
    };
    ensure_eq(env.store.revoke(&key)?, revoked)?;
    ensure_claim_lost(env.store.renew(&stuck.token, LONG))?;
    ensure_claim_lost(env.store.release(&stuck.token))?;
    ensure_claim_lost(env.store.commit(&stuck.token, Commit::Finish))?;
    let update = UpdateOptions::new().claim(stuck.token.clone());
    ensure_claim_lost(env.store.update_with(&key, anna.data("late"), update))?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_eq(claim.attempt, 2)?;
    ensure(
        claim.token.fencing_number() > stuck.token.fencing_number(),
        "the fencing number increases",
    )?;
    Ok(env.store.commit(&claim.token, Commit::Finish)?)
}

pub fn c25_only_a_claim_is_revoked(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    ensure_refused(env.store.revoke(&key), ErrorCode::NotFound)?;
    anna.register(&chat, &key)?;
    ensure_eq(env.store.revoke(&key)?, RevokeOutcome::NotClaimed)?;
    let created = anna.create("{}")?;
    ensure_eq(env.store.revoke(&created)?, RevokeOutcome::NotClaimed)?;
    let claim = anna.claimed(&chat, "message")?;
    env.store.release(&claim.token)?;
    ensure_eq(env.store.revoke(&key)?, RevokeOutcome::NotClaimed)?;
    anna.ensure_waits(&[(&chat, &key)])
}
