//! C16: turns whose future is dropped.

use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::claim::{ClaimOutcome, Commit, Turn};
use crate::conformance::ensure::{CaseResult, Failure, ensure_claim_lost, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::TestUser;
use crate::conformance::time::LONG;
use crate::message_id::MessageId;
use crate::options::{ClaimOptions, CommitOptions, StartOptions};

/// After how many polls a future is dropped: before it starts, while it waits, and somewhat later.
pub(super) const POLLS: [usize; 4] = [0, 1, 2, 20];

/// Polls a future so often, or until it is ready, and drops it.
pub(super) fn given_up<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        std::thread::yield_now();
    }
    None
}

fn next_turn(anna: &TestUser<'_>, name: &str, message: &str) -> CaseResult<Turn> {
    match anna.next_outcome(&scope(name), message)? {
        ClaimOutcome::Claimed(turn) => Ok(turn),
        other => Err(Failure::new(format!("expected a turn, found {other:?}"))),
    }
}

pub fn c16_a_turn_whose_work_is_dropped_is_free(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let store = env.async_store()?;
    anna.register(&chat, &key)?;
    let mut turn = anna.claimed(&chat, "message")?;
    for (polls, attempt) in POLLS.into_iter().zip(2..) {
        let work = turn.run(&**store, LONG, async |_watch| pending::<()>().await);
        if polls == 0 {
            // Nothing was begun, so nothing ends.
            drop(work);
            env.store.release(&turn.token)?;
        } else {
            ensure_eq(given_up(work, polls), None)?;
        }
        turn = next_turn(&anna, "chat", "message")?;
        ensure_eq(turn.attempt, attempt)?;
    }
    Ok(())
}

pub fn c16_a_claim_that_is_given_up_leaves_a_free_wait(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = ([scope("chat")], env.key("wait"));
    let store = env.async_store()?;
    anna.register(&chat[0], &key)?;
    for polls in POLLS {
        let (message, options) = (MessageId::new("given up"), ClaimOptions::new(LONG));
        let claim = store.claim(&anna.ctx, &anna.user, &chat, &message, options);
        match given_up(claim, polls) {
            Some(Ok(ClaimOutcome::Claimed(turn))) => store.release_dropped(&turn.token),
            // The claim before this one is not released yet.
            Some(Ok(ClaimOutcome::Busy { .. })) | None => {}
            Some(other) => return Err(Failure::new(format!("expected a turn: {other:?}"))),
        }
        let turn = next_turn(&anna, "chat", "another")?;
        env.store.release(&turn.token)?;
    }
    Ok(())
}

pub fn c27_a_start_that_is_given_up_is_free(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let chat = [scope("chat")];
    let store = env.async_store()?;
    for polls in POLLS {
        let options = ClaimOptions::new(LONG).start(StartOptions::new());
        let message = MessageId::new("given up");
        let claim = store.claim(&anna.ctx, &anna.user, &chat, &message, options);
        match given_up(claim, polls) {
            Some(Ok(ClaimOutcome::Claimed(turn))) => store.release_dropped(&turn.token),
            // The start before this one is not released yet.
            Some(Ok(ClaimOutcome::Busy { .. })) | None => {}
            Some(other) => return Err(Failure::new(format!("expected a start: {other:?}"))),
        }
        ensure_eq(
            anna.next_outcome(&chat[0], "another")?,
            ClaimOutcome::NoWait,
        )?;
    }
    let turn = anna.started(&chat[0], "message")?;
    let work = turn.run(&**store, LONG, async |_watch| pending::<()>().await);
    ensure_eq(given_up(work, 2), None)?;
    ensure_eq(
        anna.next_outcome(&chat[0], "another")?,
        ClaimOutcome::NoWait,
    )?;
    ensure_claim_lost(env.store.commit(&turn.token, Commit::Finish))
}

pub fn c16_a_commit_that_is_given_up_leaves_a_free_wait_or_is_done(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let store = env.async_store()?;
    for polls in POLLS {
        let name = format!("chat-{polls}");
        let (chat, key) = (scope(&name), env.key(&name));
        anna.register(&chat, &key)?;
        let turn = anna.claimed(&chat, &name)?;
        let next = Commit::park_here(anna.data("next"));
        let commit = store.commit(&turn.token, next, CommitOptions::new());
        let _answer = given_up(commit, polls).transpose()?;
        store.release_dropped(&turn.token);
        match anna.next_outcome(&chat, &name)? {
            ClaimOutcome::Claimed(again) => {
                ensure_eq(again.attempt, 2)?;
                ensure_eq(again.data(), turn.data())?;
            }
            other => {
                ensure_eq(other, ClaimOutcome::duplicate())?;
                anna.ensure_stored(&key, "next")?;
                // The wait is free.
                ensure_eq(next_turn(&anna, &name, "another")?.attempt, 1)?;
            }
        }
    }
    Ok(())
}

pub fn c16_a_lost_turn_that_is_dropped_frees_nothing(env: &TestEnv) -> CaseResult {
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let store = env.async_store()?;
    anna.register(&chat, &key)?;
    let lost = anna.claimed(&chat, "message")?;
    env.store.release(&lost.token)?;
    let turn = anna.claimed(&chat, "message")?;
    store.release_dropped(&lost.token);
    let busy = ClaimOutcome::busy(turn.lease_until, true);
    ensure_eq(anna.claim(&chat, "message")?, busy)?;
    env.store
        .commit(&turn.token, Commit::Finish)
        .map_err(Failure::from)
}
