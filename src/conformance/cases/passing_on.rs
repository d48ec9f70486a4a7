//! C30: a commit takes the next turn, and a queue that something can take is due.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use super::queues::{ensure_has, ensure_sound, options, with_queues};
use super::race::race_of;
use crate::claim::{ClaimOutcome, Commit, Turn};
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_claim_lost, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::TestUser;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::due::DueOptions;
use crate::inbox::{
    DeadReason, DeliverOptions, DeliverOutcome, MessageState, NextOutcome, WhenNone,
};
use crate::options::{CommitOptions, OperationId};
use crate::reason::Reason;
use crate::timeout::Timeout;

fn take_next() -> CommitOptions {
    CommitOptions::new().then_next(LONG)
}

pub fn c30_a_commit_takes_the_next_turn(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let first = anna.delivered(&chat, "a", &["a"])?;
    for (ahead, id) in [(1, "b"), (2, "c"), (3, "d")] {
        anna.queued(&chat, id, ahead)?;
    }
    let park = |name: &str| Commit::park_here(anna.data(name));
    let two = NonZeroU32::new(2).unwrap_or(NonZeroU32::MIN);
    let both = take_next().max_batch(two);
    let done = env.store.commit_then(&first.token, park("one"), both)?;
    ensure_eq(done.queued, 1)?;
    let Some(second) = done.next else {
        return Err(Failure::new("no turn"));
    };
    ensure_has(&second, &["b", "c"])?;
    ensure_eq(second.reason, Reason::Message)?;
    ensure_eq(second.token.session_key(), &key)?;
    ensure_eq(second.data().map(|data| &*data.context_json), Some("one"))?;
    ensure_sound(&env)?;
    ensure_claim_lost(env.store.renew(&first.token, LONG))?;
    let done = env
        .store
        .commit_then(&second.token, park("two"), take_next())?;
    let Some(third) = done.next else {
        return Err(Failure::new("no turn"));
    };
    ensure_has(&third, &["d"])?;
    let done = env
        .store
        .commit_then(&third.token, park("three"), take_next())?;
    ensure(done.next.is_none() && done.queued == 0, "all are answered")?;
    env.ensure_nothing_due()?;
    ensure_sound(&env)
}

pub fn c30_after_the_end_of_a_flow_the_next_turn_starts_one(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let first = anna.delivered(&chat, "a", &["a"])?;
    anna.queued(&chat, "b", 1)?;
    let done = env
        .store
        .commit_then(&first.token, Commit::Finish, take_next())?;
    let Some(start) = done.next else {
        return Err(Failure::new("no turn"));
    };
    ensure_has(&start, &["b"])?;
    ensure(start.session.is_none(), "it is a start")?;
    ensure(
        start.token.session_key() != first.token.session_key(),
        "the session is another one",
    )?;
    let again = Commit::park_here(anna.data("begun"));
    env.store.commit(&start.token, again)?;
    anna.ensure_waits(&[(&chat, start.token.session_key())])?;
    ensure_sound(&env)
}

pub fn c30_a_message_that_nothing_can_take_is_a_dead_letter(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let first = anna.delivered(&chat, "a", &["a"])?;
    let refuse = || options().when_none(WhenNone::Refuse);
    let buffer = options().when_none(WhenNone::Buffer);
    anna.queued_with(&chat, "refused", refuse(), 1)?;
    anna.queued_with(&chat, "buffered", buffer, 2)?;
    anna.queued(&chat, "b", 3)?;
    anna.queued_with(&chat, "behind", refuse(), 4)?;
    let done = env
        .store
        .commit_then(&first.token, Commit::Finish, take_next())?;
    let Some(start) = done.next else {
        return Err(Failure::new("no turn"));
    };
    // What waits before it keeps its place, and what is behind it may find a session.
    ensure_has(&start, &["buffered"])?;
    anna.ensure_queue(&chat, &["buffered", "b", "behind", "refused"])?;
    let states: Vec<_> = anna.queue(&chat)?.iter().map(|info| info.state).collect();
    let dead = MessageState::DeadLettered(DeadReason::NoWait);
    ensure_eq(states.last(), Some(&dead))?;
    ensure_eq(
        anna.deliver(&chat, "refused")?,
        DeliverOutcome::DeadLettered,
    )?;
    let done = env
        .store
        .commit_then(&start.token, Commit::Finish, take_next())?;
    let Some(start) = done.next else {
        return Err(Failure::new("no turn"));
    };
    env.store.commit(&start.token, Commit::Finish)?;
    // Nobody waits any more, and nothing may start.
    env.ensure_nothing_due()?;
    anna.ensure_queue(&chat, &["refused", "behind"])?;
    ensure_sound(&env)
}

pub fn c30_a_repeated_commit_has_the_same_next_turn(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    for finishes in [false, true] {
        let ids = ["a", "b"].map(|id| format!("{id}-{finishes}"));
        let first = anna.delivered(&chat, &ids[0], &[&ids[0]])?;
        anna.queued(&chat, &ids[1], 1)?;
        let commit = || match finishes {
            true => Commit::Finish,
            false => Commit::park_here(anna.data("one")),
        };
        let options = take_next().operation(OperationId::random());
        let store = &env.store;
        let next = store
            .commit_then(&first.token, commit(), options.clone())?
            .next;
        ensure(next.is_some(), "there is a turn")?;
        let again = store.commit_then(&first.token, commit(), options)?.next;
        ensure_eq(again, next.clone())?;
        // Another operation is not told.
        let other = take_next().operation(OperationId::random());
        ensure_eq(store.commit_then(&first.token, commit(), other)?.next, None)?;
        ensure_eq(
            store.commit_then(&first.token, commit(), take_next())?.next,
            None,
        )?;
        let Some(next) = next else { continue };
        store.commit(&next.token, Commit::Finish)?;
        ensure_sound(&env)?;
    }
    Ok(())
}

pub fn c30_the_queue_follows_the_flow(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let [chat, thread] = [scope("chat"), scope("thread")];
    let first = anna.delivered(&chat, "a", &["a"])?;
    anna.queued(&chat, "b", 1)?;
    anna.register(&thread, &env.key("other"))?;
    let claim = anna.claimed(&thread, "claimed")?;
    anna.queued(&thread, "t", 0)?;
    env.store.commit(&claim.token, Commit::Finish)?;
    anna.queued(&chat, "c", 2)?;
    // By the order in which they were accepted.
    let moves = || Commit::park(thread.clone(), anna.data("moved"));
    let done = env.store.commit_then(&first.token, moves(), take_next())?;
    anna.ensure_queue(&chat, &[])?;
    anna.ensure_queue(&thread, &["b", "t", "c"])?;
    ensure_sound(&env)?;
    let Some(next) = done.next else {
        return Err(Failure::new("no turn"));
    };
    ensure_has(&next, &["b"])?;
    // Unless it is to stay.
    let stays = take_next().leave_queue();
    let back = Commit::park(chat.clone(), anna.data("back"));
    let done = env.store.commit_then(&next.token, back, stays)?;
    ensure(done.next.is_none(), "no message came with it")?;
    anna.ensure_queue(&thread, &["t", "c"])?;
    ensure_sound(&env)?;
    let start = env.due_after(Duration::ZERO, LONG)?;
    ensure_has(&start, &["t"])
}

pub fn c30_what_a_commit_leaves_is_due_at_once(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let mut turn = anna.delivered(&chat, "a", &["a"])?;
    for (ahead, id) in [(1, "b"), (2, "c"), (3, "d")] {
        anna.queued(&chat, id, ahead)?;
    }
    for (id, finishes) in [("b", false), ("c", true), ("d", false)] {
        env.ensure_nothing_due()?;
        let commit = match finishes {
            true => Commit::Finish,
            false => Commit::park_here(anna.data("one")),
        };
        let options = CommitOptions::new();
        let done = env.store.commit_then(&turn.token, commit, options)?;
        ensure_eq(done.next, None)?;
        ensure_sound(&env)?;
        turn = env.due_after(Duration::ZERO, LONG)?;
        ensure_has(&turn, &[id])?;
        ensure_eq(turn.reason, Reason::Revived)?;
    }
    env.store.commit(&turn.token, Commit::Finish)?;
    env.ensure_nothing_due()
}

pub fn c30_a_turn_that_is_given_back_is_due_at_once(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, start) = (scope("chat"), scope("start"));
    let key = env.key("wait");
    anna.register(&chat, &key)?;
    let released = anna.delivered(&chat, "a", &["a"])?;
    env.store.release(&released.token)?;
    ensure_sound(&env)?;
    let revoked = env.due_after(Duration::ZERO, LONG)?;
    ensure_has(&revoked, &["a"])?;
    ensure_eq(revoked.attempt, 2)?;
    let _revoked = env.store.revoke(&key)?;
    ensure_sound(&env)?;
    let dropped = env.due_after(Duration::ZERO, LONG)?;
    env.async_store()?.release_dropped(&dropped.token);
    let last = env.due_soon(LONG)?;
    ensure_has(&last, &["a"])?;
    ensure_eq(last.attempt, 4)?;
    let attempts = anna.queue(&chat)?.first().map(|info| info.attempts);
    ensure_eq(attempts, Some(0))?;
    env.store.commit(&last.token, Commit::Finish)?;
    let begun = anna.delivered(&start, "b", &["b"])?;
    env.store.release(&begun.token)?;
    let again = env.due_after(Duration::ZERO, LONG)?;
    ensure_has(&again, &["b"])?;
    ensure_eq(again.token.session_key(), begun.token.session_key())?;
    ensure_sound(&env)
}

pub fn c30_a_worker_that_vanished_is_followed_after_a_pause(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, pause) = (scope("chat"), Duration::from_secs(1));
    let lost = anna.delivered_with(&chat, "a", DeliverOptions::new(SHORT), &["a"])?;
    anna.queued(&chat, "b", 1)?;
    let turn = env.due_after(SHORT + pause, LONG)?;
    ensure_has(&turn, &["a"])?;
    ensure_eq(turn.attempt, 2)?;
    ensure_eq(turn.token.session_key(), lost.token.session_key())?;
    let waited = turn.lease_until.since(lost.lease_until);
    ensure(waited >= LONG + pause, "it was paused")?;
    ensure_claim_lost(env.store.commit(&lost.token, Commit::Finish))?;
    ensure_eq(
        anna.queue(&chat)?.first().map(|info| info.attempts),
        Some(1),
    )?;
    let done = env
        .store
        .commit_then(&turn.token, Commit::Finish, take_next())?;
    ensure(done.next.is_some(), "the other message follows")?;
    ensure_sound(&env)
}

pub fn c30_a_lone_message_is_followed_after_a_pause_too(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, pause) = (scope("chat"), Duration::from_secs(1));
    let _lost = anna.delivered_with(&chat, "a", DeliverOptions::new(SHORT), &["a"])?;
    env.advance(SHORT + pause - TICK)?;
    env.ensure_nothing_due()?;
    let next = env.due_after(TICK, LONG)?;
    ensure_has(&next, &["a"])?;
    ensure_sound(&env)
}

pub fn c30_a_queue_comes_before_a_timeout_of_the_same_instant(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let _at = env.store.set_timeout(&key, Some(Timeout::remind(SHORT)))?;
    let _lost = anna.delivered_with(&chat, "a", DeliverOptions::new(SHORT), &["a"])?;
    let next = env.due_after(SHORT + Duration::from_secs(1), LONG)?;
    ensure_has(&next, &["a"])?;
    ensure_eq(next.reason, Reason::Revived)?;
    env.store.commit(&next.token, Commit::Finish)?;
    env.ensure_nothing_due()
}

pub fn c30_the_next_turn_keeps_the_holder(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let turn = anna.delivered_with(&chat, "a", options().holder("pod-7"), &["a"])?;
    anna.queued(&chat, "b", 1)?;
    let again = Commit::park_here(anna.data("again"));
    let done = env.store.commit_then(&turn.token, again, take_next())?;
    ensure(done.next.is_some(), "the other message follows")?;
    let held = env.scan_all(&env.tenant_filter().holder("pod-7"), 50)?;
    let held: Vec<_> = held.into_iter().map(|info| info.key).collect();
    ensure_eq(held, vec![key])
}

pub fn c30_nothing_of_a_queue_is_handed_out_early(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, pause) = (scope("chat"), Duration::from_secs(1));
    let turn = anna.delivered_with(&chat, "a", DeliverOptions::new(SHORT), &["a"])?;
    anna.queued(&chat, "b", 1)?;
    env.store.renew(&turn.token, LONG)?;
    env.advance(SHORT + pause)?;
    env.ensure_nothing_due()?;
    ensure_sound(&env)?;
    let ask = || env.store.claim_due(&DueOptions::new(LONG));
    ensure(!ask()?.more, "the queue was put off")?;
    env.advance(LONG - SHORT - TICK)?;
    env.ensure_nothing_due()?;
    let next = env.due_after(TICK, LONG)?;
    ensure_has(&next, &["a"])
}

pub fn c30_a_late_commit_of_a_turn_counts(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let late = anna.delivered_with(&chat, "a", DeliverOptions::new(SHORT), &["a"])?;
    anna.queued(&chat, "b", 1)?;
    env.pass(SHORT, || {
        Ok(anna.claim(&chat, "probe")? == ClaimOutcome::NoWait)
    })?;
    let park = Commit::park_here(anna.data("late"));
    let done = env.store.commit_then(&late.token, park, take_next())?;
    let Some(next) = done.next else {
        return Err(Failure::new("no turn"));
    };
    ensure_has(&next, &["b"])?;
    ensure_eq(
        anna.deliver(&chat, "a")?,
        DeliverOutcome::duplicate_with(None),
    )?;
    ensure_sound(&env)
}

pub fn c30_a_refused_commit_hands_nothing_over(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let [chat, other] = [scope("chat"), scope("other")];
    anna.register(&chat, &env.key("wait"))?;
    anna.register(&other, &env.key("other"))?;
    let turn = anna.delivered(&chat, "a", &["a"])?;
    anna.queued(&chat, "b", 1)?;
    let claim = anna.claimed(&other, "a")?;
    env.store.commit(&claim.token, Commit::Finish)?;
    let refused = env
        .store
        .commit_then(&turn.token, Commit::Finish, take_next());
    ensure_claim_lost(refused)?;
    ensure_sound(&env)?;
    // Its claim is released, and the message that is done is left out.
    let next = env.due_after(Duration::ZERO, LONG)?;
    ensure_has(&next, &["b"])
}

pub fn c30_debounced_messages_are_handed_out_together(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let all = NonZeroU32::new(64).unwrap_or(NonZeroU32::MIN);
    let debounced = || options().debounce(SHORT).max_batch(all);
    for (ahead, id) in [(0, "a"), (1, "b"), (2, "c")] {
        anna.queued_with(&chat, id, debounced(), ahead)?;
        env.advance(SHORT - TICK)?;
        env.ensure_nothing_due()?;
        ensure_sound(&env)?;
    }
    let turn = env.due_after(TICK, LONG)?;
    ensure_has(&turn, &["a", "b", "c"])?;
    env.store.commit(&turn.token, Commit::Finish)?;
    // At most eight times as long after the first.
    for number in 0..8 {
        anna.queued_with(&chat, &format!("m-{number}"), debounced(), number)?;
        env.advance(SHORT - TICK)?;
    }
    anna.queued_with(&chat, "last", debounced(), 8)?;
    env.advance(TICK * 7)?;
    env.ensure_nothing_due()?;
    let turn = env.due_after(TICK, LONG)?;
    ensure_eq(turn.messages.len(), 9)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    // `next` does not wait.
    anna.queued_with(&chat, "n", debounced(), 0)?;
    let turn = anna.took(&chat, LONG, &["n"])?;
    env.store.commit(&turn.token, Commit::Finish)?;
    ensure_sound(&env)
}

/// How many messages the case of the stranded message sends.
const MANY: usize = 120;

/// Works on a turn and those after it, and returns what they had.
fn work(env: &TestEnv, anna: &TestUser<'_>, first: Turn, name: usize) -> CaseResult<Vec<String>> {
    let (mut next, mut answered) = (Some(first), Vec::new());
    while let Some(turn) = next {
        for message in &turn.messages {
            answered.push(String::from_utf8_lossy(&message.body).into_owned());
        }
        let commit = match (answered.len() + name) % 3 {
            0 => Commit::Finish,
            _ => Commit::park_here(anna.data("answered")),
        };
        let options = match (answered.len() + name) % 2 {
            0 => take_next(),
            _ => CommitOptions::new(),
        };
        next = env.store.commit_then(&turn.token, commit, options)?.next;
    }
    Ok(answered)
}

pub fn c30_no_message_is_stranded(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let sent = std::sync::atomic::AtomicUsize::new(0);
    let answered = race_of(4, |worker| {
        let mut answered = Vec::new();
        for number in 0..MANY / 4 {
            let id = format!("{worker}-{number:03}");
            let outcome = match anna.deliver(&chat, &id)? {
                DeliverOutcome::Full => break,
                outcome => outcome,
            };
            ensure(outcome.is_kept(), "it is kept")?;
            sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if let DeliverOutcome::Turn(turn) = outcome {
                answered.extend(work(&env, &anna, turn, worker)?);
            }
            let due = env.store.claim_due(&DueOptions::new(LONG).limit(1))?;
            for turn in due.turns {
                answered.extend(work(&env, &anna, turn, worker)?);
            }
        }
        Ok(answered)
    })?;
    let mut answered: Vec<String> = answered.into_iter().flatten().collect();
    // Nothing is left that no poll finds.
    loop {
        ensure_sound(&env)?;
        let due = env.store.claim_due(&DueOptions::new(LONG))?;
        if due.turns.is_empty() && !due.more {
            break;
        }
        for turn in due.turns {
            answered.extend(work(&env, &anna, turn, 0)?);
        }
    }
    anna.ensure_queue(&chat, &[])?;
    ensure_eq(anna.next_turn(&chat, LONG)?, NextOutcome::Empty)?;
    ensure_eq(answered.len(), sent.into_inner())?;
    let distinct: BTreeSet<_> = answered.iter().collect();
    ensure_eq(distinct.len(), answered.len())
}
