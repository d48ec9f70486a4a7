//! C27: how a commit ends a start.

use greentic_types::UserId;

use crate::claim::{ClaimOutcome, ClaimToken, Commit, TokenSecret};
use crate::conformance::ensure::{
    CaseResult, ensure, ensure_claim_lost, ensure_claimed, ensure_conflict, ensure_eq,
    ensure_invalid,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::{data_of, resumed};
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::error::Conflict;
use crate::message_id::MessageDigest;
use crate::options::{CreateOptions, StoreOptions};

pub fn c27_a_commit_makes_the_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    let (key, later) = (env.key("flow"), env.key("later"));
    let turn = anna.started_with(&chat, "first", LONG, &key)?;
    anna.register(&other, &later)?;
    let here = Commit::park_here(anna.data("question"));
    env.store.commit(&turn.token, here)?;
    anna.ensure_waits(&[(&other, &later), (&chat, &key)])?;
    anna.ensure_stored(&key, "question")?;
    ensure_eq(anna.session(&key)?.revision, 1)?;
    // It is remembered in the same step: a redelivery is not the answer to the question.
    ensure_eq(anna.claim(&chat, "first")?, ClaimOutcome::duplicate())?;
    ensure_eq(anna.start(&chat, "first")?, ClaimOutcome::duplicate())?;
    let next = anna.claimed(&chat, "second")?;
    ensure_eq(next.attempt, 1)?;
    ensure_eq(resumed(&next)?.data.context_json.as_str(), "question")?;
    Ok(env.store.commit(&next.token, Commit::Finish)?)
}

pub fn c27_a_commit_parks_on_another_scope(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other, third) = (scope("chat"), scope("other"), scope("third"));
    let (key, idle) = (env.key("flow"), env.key("idle"));
    anna.register(&other, &idle)?;
    let turn = anna.started_with(&chat, "first", LONG, &key)?;
    anna.commit_park(&turn, &other, "moved")?;
    anna.ensure_waits(&[(&other, &key)])?;
    anna.ensure_stored(&idle, idle.as_str())?;
    // Nothing of the start is left where it began.
    ensure_eq(anna.claim(&chat, "second")?, ClaimOutcome::NoWait)?;
    ensure_eq(anna.started(&chat, "second")?.attempt, 1)?;
    // The record of an ended start is replaced.
    let ended = anna.started(&third, "third")?;
    env.store.release(&ended.token)?;
    let moving = anna.claimed(&other, "fourth")?;
    anna.commit_park(&moving, &third, "moved")?;
    ensure_claim_lost(env.store.release(&ended.token))?;
    anna.ensure_waits(&[(&third, &key)])
}

pub fn c27_a_commit_respects_other_claims(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, waiting, starting) = (scope("chat"), scope("waiting"), scope("starting"));
    let (key, wait) = (env.key("flow"), env.key("wait"));
    anna.register(&waiting, &wait)?;
    let claim = anna.claimed(&waiting, "second")?;
    let other = anna.started(&starting, "third")?;
    let turn = anna.started_with(&chat, "first", LONG, &key)?;
    ensure_claimed(anna.commit_park(&turn, &waiting, "moved"))?;
    ensure_claimed(anna.commit_park(&turn, &starting, "moved"))?;
    anna.ensure_gone(&key)?;
    anna.ensure_waits(&[(&waiting, &wait)])?;
    let busy = ClaimOutcome::busy(turn.lease_until, true);
    ensure_eq(anna.claim(&chat, "first")?, busy)?;
    env.store.release(&other.token)?;
    anna.commit_park(&turn, &starting, "moved")?;
    ensure_claim_lost(env.store.release(&other.token))?;
    anna.ensure_waits(&[(&waiting, &wait), (&starting, &key)])?;
    anna.commit_park(&claim, &waiting, "again")
        .map_err(Into::into)
}

pub fn c27_finish_leaves_nothing(env: &TestEnv) -> CaseResult {
    let env = &env.with_options(StoreOptions::new().message_window(SHORT))?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("flow"));
    let turn = anna.started_with(&chat, "message", LONG, &key)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    anna.ensure_gone(&key)?;
    anna.ensure_waits(&[])?;
    env.pass(SHORT, || Ok(true))?;
    env.ensure_nothing_left()?;
    let turn = anna.started_with(&chat, "message", LONG, &key)?;
    ensure_eq(turn.attempt, 1)?;
    let lasting = env.with_options(StoreOptions::new())?;
    let ben = lasting.user("ben");
    let turn = ben.started(&chat, "message")?;
    lasting.store.commit(&turn.token, Commit::Finish)?;
    ensure_eq(ben.start(&chat, "message")?, ClaimOutcome::duplicate())?;
    ensure_eq(ben.claim(&chat, "another")?, ClaimOutcome::NoWait)
}

pub fn c27_a_repeated_commit_does_nothing_more(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, rival) = (scope("chat"), env.key("rival"));
    let turn = anna.started(&chat, "first")?;
    let key = turn.token.session_key().clone();
    anna.commit_park(&turn, &chat, "first")?;
    anna.commit_park(&turn, &chat, "first")?;
    ensure_eq(anna.session(&key)?.revision, 1)?;
    let next = anna.claimed(&chat, "second")?;
    env.store.commit(&next.token, Commit::Finish)?;
    anna.commit_park(&turn, &chat, "first")?;
    env.store.commit(&turn.token, Commit::Finish)?;
    anna.ensure_gone(&key)?;
    let last = anna.started(&chat, "third")?;
    env.store.commit(&last.token, Commit::Finish)?;
    anna.register(&chat, &rival)?;
    env.store.commit(&last.token, Commit::Finish)?;
    anna.commit_park(&last, &chat, "third")?;
    anna.ensure_waits(&[(&chat, &rival)])
}

pub fn c27_a_commit_never_overwrites_a_session(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, other, key) = (scope("chat"), scope("other"), env.key("flow"));
    let turn = anna.started_with(&chat, "message", LONG, &key)?;
    let _created = anna.create_with(CreateOptions::new().key(key.clone()))?;
    for next in [&chat, &other] {
        let refused = ensure_conflict(anna.commit_park(&turn, next, "started"))?;
        ensure_eq(refused, Conflict::KeyTaken)?;
    }
    anna.ensure_stored(&key, "created")?;
    ensure_eq(anna.session(&key)?.revision, 1)?;
    anna.ensure_waits(&[])?;
    // Nothing was changed, so the claim goes on.
    let busy = ClaimOutcome::busy(turn.lease_until, true);
    ensure_eq(anna.claim(&chat, "message")?, busy)?;
    env.store.remove(&key)?;
    anna.commit_park(&turn, &chat, "started")?;
    anna.ensure_stored(&key, "started")
}

pub fn c27_a_commit_of_a_foreign_key_is_refused(env: &TestEnv) -> CaseResult {
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let (chat, key) = (scope("chat"), env.key("flow"));
    let turn = anna.started_with(&chat, "message", LONG, &key)?;
    // A Cluster has reserved the key; elsewhere the other owner gets it first.
    if ben.register(&chat, &key).is_ok() {
        ensure_invalid(anna.commit_park(&turn, &chat, "started"))?;
        ben.ensure_stored(&key, key.as_str())?;
        ben.ensure_waits(&[(&chat, &key)])?;
        anna.ensure_waits(&[])?;
        ensure_eq(
            anna.claim(&chat, "message")?,
            ClaimOutcome::busy(turn.lease_until, true),
        )?;
        ben.clear(&chat)?;
    }
    anna.commit_park(&turn, &chat, "started")?;
    anna.ensure_waits(&[(&chat, &key)])
}

pub fn c27_a_commit_keeps_the_identity(env: &TestEnv) -> CaseResult {
    let anna = env.user_in("env-a", "tenant-a", Some("blue"), "anna");
    let chat = scope("chat");
    let turn = anna.started(&chat, "message")?;
    let other_user = Some(UserId("ben".to_owned()));
    let offers = [
        ("team", anna.ctx.clone().with_team(None)),
        ("user", anna.ctx.clone().with_user(None)),
        ("user", anna.ctx.clone().with_user(other_user)),
    ];
    for (part, ctx) in offers {
        let next = Commit::park_here(data_of(&ctx, "stolen"));
        let error = ensure_invalid(env.store.commit(&turn.token, next))?;
        ensure(error.message.contains(part), "the message names the part")?;
    }
    anna.ensure_waits(&[])?;
    Ok(anna.commit_park(&turn, &chat, "started")?)
}

pub fn c27_a_message_starts_one_flow(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (one, two) = (scope("one"), scope("two"));
    let (first, second) = (
        anna.started(&one, "message")?,
        anna.started(&two, "message")?,
    );
    anna.commit_park(&first, &one, "started")?;
    ensure_claim_lost(anna.commit_park(&second, &two, "twice"))?;
    anna.ensure_waits(&[(&one, first.token.session_key())])?;
    // The refused claim is over: the next message need not wait for the end of its lease.
    let next = anna.started(&two, "next")?;
    ensure_eq(next.attempt, 2)?;
    ensure_claim_lost(env.store.commit(&second.token, Commit::Finish))?;
    anna.commit_park(&next, &two, "started")?;
    anna.ensure_stored(next.token.session_key(), "started")
}

pub fn c27_a_new_session_has_the_default_ttl(env: &TestEnv) -> CaseResult {
    let (chat, other) = (scope("chat"), scope("other"));
    let env = &env.with_options(StoreOptions::new().default_ttl(LONG))?;
    let anna = env.user("anna");
    let turn = anna.started_with(&chat, "first", LONG, &env.key("default"))?;
    anna.commit_park(&turn, &chat, "kept")?;
    let turn = anna.started_with(&other, "second", LONG, &env.key("own"))?;
    let next = Commit::park_here(anna.data("own")).ttl(LONG * 2);
    env.store.commit(&turn.token, next)?;
    env.advance(LONG - TICK)?;
    anna.ensure_stored(&env.key("default"), "kept")?;
    env.advance(TICK)?;
    anna.ensure_gone(&env.key("default"))?;
    env.advance(LONG - TICK)?;
    anna.ensure_waits(&[(&other, &env.key("own"))])?;
    env.advance(TICK)?;
    anna.ensure_waits(&[])
}

pub fn c27_a_start_goes_on_in_another_process(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = scope("chat");
    let turn = anna.started(&chat, "message")?;
    let token = ClaimToken::from_text(&turn.token.to_text())?;
    ensure_eq(&token, &turn.token)?;
    let forged = [
        ClaimToken {
            secret: TokenSecret::random(),
            ..token.clone()
        },
        ClaimToken {
            key: env.key("another"),
            ..token.clone()
        },
        ClaimToken {
            message: MessageDigest([7; 32]),
            ..token.clone()
        },
        ClaimToken {
            start: None,
            ..token.clone()
        },
    ];
    for forged in forged {
        let next = || Commit::park_here(anna.data("stolen"));
        ensure_claim_lost(env.store.commit(&forged, next()))?;
        ensure_claim_lost(env.store.commit(&forged, Commit::Finish))?;
        ensure_claim_lost(env.store.renew(&forged, LONG))?;
        ensure_claim_lost(env.store.release(&forged))?;
    }
    let _until = env.store.renew(&token, LONG * 2)?;
    env.store
        .commit(&token, Commit::park_here(anna.data("elsewhere")))?;
    anna.ensure_stored(token.session_key(), "elsewhere")?;
    ensure_eq(anna.claim(&chat, "message")?, ClaimOutcome::duplicate())
}
