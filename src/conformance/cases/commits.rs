//! C16: commits.

use greentic_types::{TeamId, UserId};

use crate::claim::{ClaimOutcome, ClaimToken, Commit, TokenSecret};
use crate::conformance::ensure::{
    CaseResult, ensure, ensure_claim_lost, ensure_claimed, ensure_eq, ensure_invalid,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::{data_of, resumed};
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::message_id::MessageDigest;
use crate::options::{StoreOptions, Ttl};

pub fn c16_finish_removes_and_remembers(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    env.store.commit(&claim.token, Commit::Finish)?;
    anna.ensure_gone(&key)?;
    anna.ensure_no_wait(&chat)?;
    anna.ensure_waits(&[])?;
    ensure_eq(anna.find_by_user()?, None)?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::duplicate())?;
    ensure_eq(anna.claim(&chat, "another")?, ClaimOutcome::NoWait)
}

pub fn c16_park_again_keeps_the_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, later) = (env.key("wait"), env.key("later"));
    anna.register_for(&chat, &key, LONG)?;
    anna.register(&other, &later)?;
    let claim = anna.claimed(&chat, "first")?;
    anna.commit_park(&claim, &chat, "again")?;
    anna.ensure_stored(&key, "again")?;
    let session = anna.session(&key)?;
    ensure_eq(session.revision, 2)?;
    ensure(session.deadline.is_some(), "the session keeps its TTL")?;
    anna.ensure_waits(&[(&other, &later), (&chat, &key)])?;
    ensure_eq(anna.claim(&chat, "first")?, ClaimOutcome::duplicate())?;
    let next = anna.claimed(&chat, "second")?;
    ensure_eq(next.attempt, 1)?;
    ensure_eq(resumed(&next)?.data.context_json.as_str(), "again")?;
    ensure(
        next.token.fencing_number() > claim.token.fencing_number(),
        "the fencing number increases",
    )
}

pub fn c16_park_again_moves_the_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (old, new, key) = (scope("old"), scope("new"), env.key("wait"));
    anna.register(&old, &key)?;
    let claim = anna.claimed(&old, "message")?;
    let next = Commit::park(new.clone(), anna.data("moved")).ttl(LONG);
    env.store.commit(&claim.token, next)?;
    anna.ensure_no_wait(&old)?;
    anna.ensure_waits(&[(&new, &key)])?;
    anna.ensure_stored(&key, "moved")?;
    ensure(
        anna.session(&key)?.deadline.is_some(),
        "the commit sets its TTL",
    )?;
    ensure_eq(anna.claim(&new, "message")?, ClaimOutcome::duplicate())?;
    ensure_eq(anna.claim(&old, "another")?, ClaimOutcome::NoWait)?;
    anna.claimed(&new, "another").map(|_claim| ())
}

pub fn c16_park_again_displaces_an_idle_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    let claim = anna.claimed(&one, "message")?;
    anna.commit_park(&claim, &two, "moved")?;
    anna.ensure_no_wait(&one)?;
    anna.ensure_waits(&[(&two, &first)])?;
    anna.ensure_stored(&second, second.as_str())
}

pub fn c16_park_again_keeps_a_claimed_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (env.key("first"), env.key("second"));
    anna.register(&one, &first)?;
    anna.register(&two, &second)?;
    let claim = anna.claimed(&one, "message")?;
    let other = anna.claimed(&two, "message-2")?;
    ensure_claimed(anna.commit_park(&claim, &two, "moved"))?;
    anna.ensure_stored(&first, first.as_str())?;
    anna.ensure_waits(&[(&one, &first), (&two, &second)])?;
    let busy = ClaimOutcome::busy(claim.lease_until, true);
    ensure_eq(anna.claim(&one, "message")?, busy)?;
    env.store.commit(&other.token, Commit::Finish)?;
    anna.commit_park(&claim, &two, "moved")?;
    anna.ensure_waits(&[(&two, &first)])
}

pub fn c16_a_repeated_commit_does_nothing_more(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, rival) = (env.key("wait"), env.key("rival"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "first")?;
    anna.commit_park(&claim, &chat, "second")?;
    anna.commit_park(&claim, &chat, "second")?;
    ensure_eq(anna.session(&key)?.revision, 2)?;
    anna.register(&other, &key)?;
    anna.register(&chat, &rival)?;
    anna.commit_park(&claim, &chat, "second")?;
    env.store.commit(&claim.token, Commit::Finish)?;
    anna.ensure_waits(&[(&other, &key), (&chat, &rival)])?;
    let last = anna.claimed(&chat, "third")?;
    env.store.commit(&last.token, Commit::Finish)?;
    env.store.commit(&last.token, Commit::Finish)?;
    anna.register(&chat, &rival)?;
    env.store.commit(&last.token, Commit::Finish)?;
    anna.ensure_waits(&[(&other, &key), (&chat, &rival)])
}

pub fn c16_a_commit_after_a_takeover_remembers_nothing(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let lost = anna.claimed_for(&chat, "first", SHORT)?;
    let claim = anna.claimed_after(SHORT, &chat, "second")?;
    ensure_claim_lost(env.store.commit(&lost.token, Commit::Finish))?;
    ensure_claim_lost(anna.commit_park(&lost, &chat, "stolen"))?;
    anna.ensure_stored(&key, key.as_str())?;
    anna.commit_park(&claim, &chat, "again")?;
    ensure_eq(anna.claim(&chat, "second")?, ClaimOutcome::duplicate())?;
    anna.claimed(&chat, "first").map(|_claim| ())
}

pub fn c16_the_same_message_can_claim_again(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let lost = anna.claimed_for(&chat, "message", SHORT)?;
    let claim = anna.claimed_after(SHORT, &chat, "message")?;
    env.store.release(&claim.token)?;
    let claim = anna.claimed(&chat, "message")?;
    ensure_eq(claim.attempt, 3)?;
    anna.commit_park(&claim, &chat, "again")?;
    // The message was committed, but not with this token.
    ensure_claim_lost(env.store.commit(&lost.token, Commit::Finish))?;
    anna.ensure_stored(&key, "again")
}

pub fn c16_a_message_counts_for_all_waits_of_its_owner(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (one, two) = (scope("one"), scope("two"));
    anna.register(&one, &env.key("first"))?;
    anna.register(&two, &env.key("second"))?;
    ben.register(&one, &env.key("third"))?;
    let claim = anna.claimed(&one, "message")?;
    env.store.commit(&claim.token, Commit::Finish)?;
    ensure_eq(anna.claim(&one, "message")?, ClaimOutcome::duplicate())?;
    ensure_eq(anna.claim(&two, "message")?, ClaimOutcome::duplicate())?;
    ensure_eq(
        anna.claim(&scope("three"), "message")?,
        ClaimOutcome::duplicate(),
    )?;
    // Duplicate has precedence over Busy.
    let _busy = anna.claimed(&two, "another")?;
    ensure_eq(anna.claim(&two, "message")?, ClaimOutcome::duplicate())?;
    ben.claimed(&one, "message").map(|_claim| ())
}

pub fn c16_a_message_is_committed_once(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let second = env.key("second");
    anna.register(&one, &env.key("first"))?;
    anna.register(&two, &second)?;
    let (first, other) = (
        anna.claimed(&one, "message")?,
        anna.claimed(&two, "message")?,
    );
    env.store.commit(&first.token, Commit::Finish)?;
    ensure_claim_lost(anna.commit_park(&other, &two, "twice"))?;
    // The refused claim is over: the next message need not wait for the end of its lease.
    env.store.release(&other.token)?;
    let next = anna.claimed(&two, "next")?;
    ensure_eq(next.attempt, 2)?;
    ensure_claim_lost(env.store.commit(&other.token, Commit::Finish))?;
    anna.ensure_stored(&second, second.as_str())?;
    anna.ensure_waits(&[(&two, &second)])?;
    env.store.commit(&first.token, Commit::Finish)?;
    Ok(env.store.release(&next.token)?)
}

/// A token whose text was changed to name another message.
pub fn c16_a_claim_commits_its_own_message(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    let forged = ClaimToken {
        message: MessageDigest([7; 32]),
        ..claim.token.clone()
    };
    for next in [
        Commit::park(chat.clone(), anna.data("forged")),
        Commit::park_here(anna.data("forged")),
        Commit::Finish,
    ] {
        ensure_claim_lost(env.store.commit(&forged, next))?;
    }
    anna.ensure_stored(&key, key.as_str())?;
    anna.commit_park(&claim, &chat, "again")?;
    anna.ensure_stored(&key, "again")?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::duplicate())
}

pub fn c16_a_message_is_forgotten_after_its_window(env: &TestEnv) -> CaseResult {
    let options = StoreOptions::new().message_window(LONG);
    let env = env.with_options(options)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let first = anna.claimed(&chat, "first")?;
    anna.commit_park(&first, &chat, "again")?;
    env.advance(TICK)?;
    let second = anna.claimed(&chat, "second")?;
    anna.commit_park(&second, &chat, "again")?;
    env.advance(LONG - TICK - TICK)?;
    ensure_eq(anna.claim(&chat, "first")?, ClaimOutcome::duplicate())?;
    env.advance(TICK)?;
    ensure_eq(anna.claim(&chat, "second")?, ClaimOutcome::duplicate())?;
    let again = anna.claimed(&chat, "first")?;
    ensure_claim_lost(env.store.commit(&first.token, Commit::Finish))?;
    anna.commit_park(&again, &chat, "again")?;
    env.advance(LONG - TICK)?;
    ensure_eq(anna.claim(&chat, "first")?, ClaimOutcome::duplicate())?;
    anna.claimed(&chat, "second").map(|_claim| ())
}

pub fn c16_the_oldest_message_is_forgotten_first(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().max_messages(3))?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    for message in ["1", "2", "3", "4", "5"] {
        let claim = anna.claimed(&chat, message)?;
        anna.commit_park(&claim, &chat, message)?;
    }
    for message in ["3", "4", "5"] {
        ensure_eq(anna.claim(&chat, message)?, ClaimOutcome::duplicate())?;
    }
    for message in ["1", "2"] {
        let claim = anna.claimed(&chat, message)?;
        env.store.release(&claim.token)?;
    }
    Ok(())
}

pub fn c16_commit_keeps_the_identity(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "zq-anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    let offers = [
        (
            "env",
            env.user_in("env-b", "tenant-a", Some("blue"), "zq-anna")
                .ctx,
        ),
        (
            "tenant",
            env.user_in("env-a", "tenant-b", Some("blue"), "zq-anna")
                .ctx,
        ),
        ("team", anna.ctx.clone().with_team(None)),
        (
            "team",
            anna.ctx.clone().with_team(Some(TeamId("-".to_owned()))),
        ),
        ("user", anna.ctx.clone().with_user(None)),
        (
            "user",
            anna.ctx
                .clone()
                .with_user(Some(UserId("zq-ben".to_owned()))),
        ),
    ];
    for (part, ctx) in offers {
        let next = Commit::park(chat.clone(), data_of(&ctx, "stolen"));
        let error = ensure_invalid(env.store.commit(&claim.token, next))?;
        ensure(error.message.contains(part), "the message names the part")?;
        ensure(
            !error.to_string().contains("zq-"),
            "the message names no user",
        )?;
    }
    anna.ensure_stored(&key, key.as_str())?;
    Ok(anna.commit_park(&claim, &chat, "again")?)
}

pub fn c16_commit_keeps_the_size_limit(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new().max_payload_bytes(2_000))?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    let over = "x".repeat(2_000);
    let error = ensure_invalid(anna.commit_park(&claim, &chat, &over))?;
    ensure(
        error.message.contains("2000"),
        "the message names the limit",
    )?;
    anna.ensure_stored(&key, key.as_str())?;
    Ok(anna.commit_park(&claim, &chat, "again")?)
}

pub fn c16_a_commit_parks_where_the_session_waited(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, later) = (env.key("wait"), env.key("later"));
    anna.register(&chat, &key)?;
    anna.register(&other, &later)?;
    for turn in 0..3 {
        let name = turn.to_string();
        let claim = anna.claimed(&chat, &name)?;
        let here = || Commit::park_here(anna.data(&name));
        env.store.commit(&claim.token, here())?;
        env.store.commit(&claim.token, here())?;
        anna.ensure_waits(&[(&other, &later), (&chat, &key)])?;
        anna.ensure_stored(&key, &name)?;
        ensure_eq(anna.session(&key)?.revision, turn + 2)?;
    }
    let lost = anna.claimed(&chat, "lost")?;
    env.store.release(&lost.token)?;
    ensure_claim_lost(
        env.store
            .commit(&lost.token, Commit::park_here(anna.data("late"))),
    )?;
    anna.ensure_stored(&key, "2")
}

pub fn c16_a_claim_goes_on_in_another_process(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let claim = anna.claimed(&chat, "message")?;
    let token = ClaimToken::from_text(&claim.token.to_text())?;
    ensure_eq(&token, &claim.token)?;
    let forged = ClaimToken {
        secret: TokenSecret::random(),
        ..token.clone()
    };
    ensure_claim_lost(env.store.renew(&forged, LONG))?;
    ensure_claim_lost(env.store.commit(&forged, Commit::Finish))?;
    ensure_claim_lost(env.store.release(&forged))?;
    let _until = env.store.renew(&token, LONG * 2)?;
    env.store
        .commit(&token, Commit::park_here(anna.data("elsewhere")))?;
    anna.ensure_stored(&key, "elsewhere")?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::duplicate())
}

pub fn c16_a_commit_keeps_the_ttl(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, endless) = (env.key("wait"), env.key("endless"));
    anna.register_for(&chat, &key, LONG)?;
    for turn in 0..3 {
        env.advance(LONG / 2)?;
        let claim = anna.claimed_for(&chat, &turn.to_string(), SHORT)?;
        env.advance(TICK)?;
        let before = anna.session(&key)?.deadline;
        env.store
            .commit(&claim.token, Commit::park_here(anna.data("again")))?;
        let after = anna.session(&key)?.deadline;
        let added = after.zip(before).map(|(after, before)| after.since(before));
        ensure_eq(added, Some(LONG / 2 + TICK))?;
    }
    // An operator's extension is for once.
    let _until = env.store.extend(&key, Ttl::After(LONG * 9))?;
    let claim = anna.claimed_for(&chat, "extended", SHORT)?;
    anna.commit_park(&claim, &other, "moved")?;
    env.advance(LONG - TICK)?;
    anna.ensure_waits(&[(&other, &key)])?;
    env.advance(TICK)?;
    anna.ensure_waits(&[])?;
    anna.register(&chat, &endless)?;
    let claim = anna.claimed_for(&chat, "endless", SHORT)?;
    anna.commit_park(&claim, &chat, "again")?;
    ensure_eq(anna.session(&endless)?.deadline, None)
}

pub fn c16_commit_sets_the_deadline(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register_for(&chat, &key, LONG)?;
    let claim = anna.claimed_for(&chat, "message", SHORT)?;
    env.advance(LONG / 2)?;
    let next = Commit::park(chat.clone(), anna.data("again")).ttl(LONG);
    env.store.commit(&claim.token, next)?;
    env.advance(LONG - TICK)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    env.advance(TICK)?;
    anna.ensure_waits(&[])?;
    anna.ensure_gone(&key)
}
