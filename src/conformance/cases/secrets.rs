//! C18: no payload and no user in errors and `Debug` output.

use std::error::Error;
use std::fmt::Debug;

use crate::admin::{EraseMode, OwnerSelection, VerifyMode};
use crate::claim::Commit;
use crate::conformance::ensure::{CaseResult, Failure, ensure_eq, ensure_refused};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::error::{ErrorCode, GreenticError};
use crate::options::{CommitOptions, UpdateOptions};

const USER: &str = "zq-secret-user";
const PAYLOAD: &str = "{\"zq-secret\":\"payload\"}";

#[track_caller]
fn ensure_silent(text: &str) -> CaseResult {
    if text.contains("zq-secret") {
        return Err(Failure::new(format!("a secret is printed: {text}")));
    }
    Ok(())
}

#[track_caller]
fn ensure_silent_debug(value: &impl Debug) -> CaseResult {
    ensure_silent(&format!("{value:?}"))?;
    ensure_silent(&format!("{value:#?}"))
}

#[track_caller]
fn ensure_silent_error(error: &GreenticError) -> CaseResult {
    ensure_silent_debug(error)?;
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        ensure_silent(&error.to_string())?;
        cause = error.source();
    }
    Ok(())
}

pub fn c18_errors_contain_no_secret(env: &TestEnv) -> CaseResult {
    let anna = env.user(USER);
    let ben = env.user("zq-secret-other");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let store = &env.store;
    anna.register(&chat, &key)?;
    anna.register(&scope("other"), &env.key("other"))?;
    let bad = env.user_in("env-a", "tenant-a", None, "zq-secret user");
    let refused = [
        store.update(&env.key("missing"), anna.data(PAYLOAD)).err(),
        store.update(&key, ben.data(PAYLOAD)).err(),
        store.create(&anna.ctx, ben.data(PAYLOAD)).err(),
        store.create(&bad.ctx, bad.data(PAYLOAD)).err(),
        ben.register(&chat, &key).err(),
        store.clear(&ben.ctx, &anna.user, &chat).err(),
        bad.find(&chat).err(),
        anna.find_by_user().err(),
    ];
    for error in refused {
        let error = error.ok_or_else(|| Failure::new("the call was not refused"))?;
        ensure_silent_error(&error)?;
    }
    Ok(())
}

pub fn c18_errors_of_all_operations_contain_no_secret(env: &TestEnv) -> CaseResult {
    let anna = env.user(USER);
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let store = &env.store;
    let claim = anna.claimed(&chat, "zq-secret-message")?;
    let stale = UpdateOptions::new().if_revision(9);
    let claimed = store.update(&key, anna.data(PAYLOAD));
    ensure_silent_error(&ensure_refused(claimed, ErrorCode::Conflict)?)?;
    store.release(&claim.token)?;
    let moved = store.update_with(&key, anna.data(PAYLOAD), stale);
    ensure_silent_error(&ensure_refused(moved, ErrorCode::Conflict)?)?;
    let lost = store.commit(&claim.token, Commit::Finish);
    ensure_silent_error(&ensure_refused(lost, ErrorCode::Conflict)?)
}

pub fn c18_results_contain_no_secret(env: &TestEnv) -> CaseResult {
    let anna = env.user(USER);
    let (chat, key) = (scope("chat"), env.key("wait"));
    let store = &env.store;
    let data = anna.data(PAYLOAD);
    store.register(&anna.ctx, &anna.user, &chat, &key, data.clone(), None)?;
    ensure_silent_debug(&store.session(&key)?)?;
    ensure_silent_debug(&store.get_fenced(&anna.ctx, &key)?)?;
    ensure_silent_debug(&store.latest(&anna.ctx, &anna.user)?)?;
    let claim = anna.claimed(&chat, "zq-secret-message")?;
    ensure_silent_debug(&claim)?;
    ensure_silent_debug(&claim.token)?;
    ensure_silent_debug(&anna.claim(&chat, "zq-secret-message")?)?;
    let update = UpdateOptions::new().claim(claim.token.clone());
    ensure_silent_debug(&update)?;
    let commit = Commit::park(scope("zq-secret-scope"), data);
    ensure_silent_debug(&commit)?;
    if let Commit::Park(next) = &commit {
        ensure_silent_debug(next)?;
    }
    let options = CommitOptions::new().reply(PAYLOAD.as_bytes());
    ensure_silent_debug(&options)?;
    store.commit_with(&claim.token, commit, options)?;
    let replied = format!("{:?}", anna.claim(&chat, "zq-secret-message")?);
    let shown = format!("Duplicate {{ reply: Some({} bytes) }}", PAYLOAD.len());
    ensure_eq(replied, shown)?;
    ensure_silent_debug(&env.scan_all(&env.tenant_filter(), 10)?)?;
    let filter = env.tenant_filter().user(anna.user.clone());
    ensure_silent_debug(&filter)?;
    ensure_silent_debug(&store.scan(&filter, None, 1)?)?;
    ensure_silent_debug(&store.stats(&filter)?)?;
    ensure_silent_debug(&store.verify(VerifyMode::Check, None, 10)?)?;
    ensure_silent_debug(&store.export(None, 1_000)?)?;
    let place = OwnerSelection::tenant(anna.ctx.env.clone(), anna.ctx.tenant.clone());
    let person = place.user(anna.user.clone());
    ensure_silent_debug(&person)?;
    ensure_silent_debug(&store.erase(&person, EraseMode::DryRun, None, 1)?)?;
    ensure_silent_debug(&store.health()?)?;
    ensure_silent(&store.health()?.to_string())
}
