//! C22: erasure.

use greentic_types::{SessionKey, TeamId, TenantCtx};

use crate::admin::{EraseMode, OwnerSelection, ScanCursor};
use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{CaseResult, ensure, ensure_claim_lost, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::{TestUser, data_of};
use crate::options::StoreOptions;

pub(super) fn tenant(ctx: &TenantCtx) -> OwnerSelection {
    OwnerSelection::tenant(ctx.env.clone(), ctx.tenant.clone())
}

/// The limit of a page. Other cases may have filled the store.
const PAGE: usize = 20;

/// Walks over the store, and returns the numbers of erased sessions and messages.
pub(super) fn run(
    env: &TestEnv,
    selection: &OwnerSelection,
    mode: EraseMode,
) -> CaseResult<(u64, u64)> {
    let (mut sessions, mut messages, mut after) = (0, 0, None::<ScanCursor>);
    loop {
        let page = env.store.erase(selection, mode, after.as_ref(), PAGE)?;
        sessions += page.sessions;
        messages += page.messages;
        ensure(page.unreadable.is_empty(), "every entry can be read")?;
        match page.next {
            Some(next) => after = Some(next.to_string().parse()?),
            None => return Ok((sessions, messages)),
        }
    }
}

#[track_caller]
fn ensure_erased(env: &TestEnv, selection: &OwnerSelection, expected: (u64, u64)) -> CaseResult {
    ensure_eq(run(env, selection, EraseMode::Erase)?, expected)?;
    ensure_eq(run(env, selection, EraseMode::DryRun)?, (0, 0))
}

/// Commits a message, and finishes the session.
fn answered(actor: &TestUser<'_>, key: &SessionKey, message: &str) -> CaseResult {
    let chat = scope(message);
    actor.register(&chat, key)?;
    let claim = actor.claimed(&chat, message)?;
    Ok(actor.store.commit(&claim.token, Commit::Finish)?)
}

pub fn c22_erase_leaves_nothing_of_a_tenant(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new())?;
    let no_user = env.ctx("env-a", "tenant-a");
    let mut sessions = 0;
    for (name, team) in [("anna", None), ("ben", Some("-")), ("cleo", Some("team"))] {
        let user = env.user_in("env-a", "tenant-a", team, name);
        for (number, scope) in env.scopes(12).iter().enumerate() {
            user.register(scope, &env.key(&format!("{name}-{number}")))?;
        }
        // A session that no longer waits.
        user.register(&scope("chat-1"), &env.key(&format!("{name}-2")))?;
        let _created = user.create("{}")?;
        answered(&user, &env.key(&format!("{name}-done")), "message")?;
        sessions += 13;
    }
    let _created = env.store.create(&no_user, data_of(&no_user, "{}"))?;
    ensure_erased(env, &tenant(&no_user), (sessions + 1, 3))?;
    env.ensure_nothing_left()
}

pub fn c22_erase_of_a_user_covers_all_teams(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let in_team = env.user_in("env-a", "tenant-a", Some("team-a"), "anna");
    let others = [
        env.user_in("env-b", "tenant-a", None, "anna"),
        env.user_in("env-a", "tenant-b", None, "anna"),
        env.user_in("env-a", "tenant-a", None, "annabel"),
        env.user_in("env-a", "tenant-a", Some("team-a"), "ben"),
    ];
    let chat = scope("chat");
    let (one, two) = (env.key("one"), env.key("two"));
    anna.register(&chat, &one)?;
    in_team.register(&chat, &two)?;
    for (number, other) in others.iter().enumerate() {
        other.register(&chat, &env.key(&format!("other-{number}")))?;
    }
    let person = tenant(&anna.ctx).user(anna.user.clone());
    let team = person.clone().team(TeamId("team-a".to_owned()));
    ensure_erased(env, &team, (1, 0))?;
    in_team.ensure_gone(&two)?;
    anna.ensure_waits(&[(&chat, &one)])?;
    ensure_erased(env, &person, (1, 0))?;
    anna.ensure_gone(&one)?;
    for (number, other) in others.iter().enumerate() {
        let key = env.key(&format!("other-{number}"));
        other.ensure_waits(&[(&chat, &key)])?;
        other.ensure_stored(&key, key.as_str())?;
    }
    Ok(())
}

pub fn c22_a_claim_does_not_prevent_erase(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_erased(env, &tenant(&anna.ctx), (1, 0))?;
    anna.ensure_gone(&key)?;
    ensure_claim_lost(anna.commit_park(&claim, &chat, "again"))?;
    ensure_claim_lost(env.store.commit(&claim.token, Commit::Finish))?;
    anna.ensure_gone(&key)?;
    anna.ensure_no_wait(&chat)
}

pub fn c22_erase_finds_owners_that_have_only_message_ids(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("message"), env.key("wait"));
    answered(&anna, &key, "message")?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::duplicate())?;
    let person = tenant(&anna.ctx).user(anna.user.clone());
    ensure_erased(env, &person, (0, 1))?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::NoWait)
}

pub fn c22_a_dry_run_changes_nothing(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    answered(&anna, &env.key("done"), "message")?;
    let selection = tenant(&anna.ctx);
    for _ in 0..2 {
        ensure_eq(run(env, &selection, EraseMode::DryRun)?, (1, 1))?;
    }
    anna.ensure_waits(&[(&chat, &key)])?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::duplicate())
}
