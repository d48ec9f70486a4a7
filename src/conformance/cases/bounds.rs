//! C31: the bounds of queues, dead letters, and what ends a queue.

use std::time::Duration;

use super::queues::{bounded, ensure_has, ensure_sound, options, with_queues};
use crate::admin::{EraseMode, OwnerSelection};
use crate::claim::Commit;
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_claim_lost, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::time::{LONG, SHORT};
use crate::inbox::{
    DeadReason, DeliverOptions, DeliverOutcome, Discard, MessageState, NextOutcome, Retry, WhenNone,
};
use crate::message_id::MessageId;
use crate::options::{
    CommitOptions, InboxOptions, MAX_DEAD_LETTERS, ParkOptions, StoreOptions, WhenFull,
};

pub fn c31_a_full_queue_refuses(env: &TestEnv) -> CaseResult {
    let env = bounded(env, InboxOptions::new().max_messages(3).max_bytes(12))?;
    let anna = env.user("anna");
    let [chat, other] = [scope("chat"), scope("other")];
    let turn = anna.delivered(&chat, "a", &["a"])?;
    anna.queued(&chat, "b", 1)?;
    // All queues of an owner count together, and so does what is in flight.
    let second = anna.delivered(&other, "c", &["c"])?;
    let full = anna.deliver(&chat, "d")?;
    ensure(!full.is_kept(), "it is not kept")?;
    ensure_eq(full, DeliverOutcome::Full)?;
    anna.ensure_queue(&chat, &["a", "b"])?;
    // What is there already, and another owner's message, is not refused.
    anna.queued(&chat, "b", 1)?;
    let ben = env.user("ben");
    let _turn = ben.delivered(&chat, "d", &["d"])?;
    env.store.commit(&second.token, Commit::Finish)?;
    ensure_eq(anna.deliver(&chat, "eleven byte")?, DeliverOutcome::Full)?;
    anna.queued(&chat, "ten bytes!", 2)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    ensure_sound(&env)
}

pub fn c31_a_full_queue_can_drop_the_oldest(env: &TestEnv) -> CaseResult {
    let bounds = InboxOptions::new().max_messages(3).max_bytes(100);
    let env = bounded(env, bounds.when_full(WhenFull::DropOldest))?;
    let anna = env.user("anna");
    let [chat, other] = [scope("chat"), scope("other")];
    let _turn = anna.delivered(&chat, "a", &["a"])?;
    anna.queued(&chat, "b", 1)?;
    let claim = anna.started(&other, "claimed")?;
    anna.queued(&other, "c", 0)?;
    // Never what is in flight; of all queues the oldest.
    anna.queued(&other, "d", 1)?;
    anna.ensure_queue(&chat, &["a"])?;
    anna.queued(&chat, "e", 1)?;
    anna.ensure_queue(&other, &["d"])?;
    // By bytes too, and nothing is dropped if that does not help.
    let long = "x".repeat(99);
    anna.queued(&chat, &long, 1)?;
    anna.ensure_queue(&other, &[])?;
    anna.ensure_queue(&chat, &["a", &long])?;
    ensure_eq(anna.deliver(&chat, &"y".repeat(100))?, DeliverOutcome::Full)?;
    anna.ensure_queue(&chat, &["a", &long])?;
    env.store.release(&claim.token)?;
    ensure_sound(&env)
}

pub fn c31_a_message_that_always_fails_is_a_dead_letter(env: &TestEnv) -> CaseResult {
    let env = bounded(env, InboxOptions::new().max_attempts(2))?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let mut lost = Vec::new();
    let short = DeliverOptions::new(SHORT);
    lost.push(anna.delivered_with(&chat, "poison", short, &["poison"])?);
    anna.queued(&chat, "b", 1)?;
    lost.push(env.due_after(SHORT + Duration::from_secs(1), SHORT)?);
    // It holds up no other message.
    let turn = env.due_after(SHORT + Duration::from_secs(2), LONG)?;
    ensure_has(&turn, &["b"])?;
    let listed = anna.queue(&chat)?;
    let dead = MessageState::DeadLettered(DeadReason::Attempts);
    ensure_eq(listed.last().map(|info| info.state), Some(dead))?;
    ensure_eq(listed.last().map(|info| info.attempts), Some(2))?;
    let again = anna.deliver(&chat, "poison")?;
    ensure(again.is_kept(), "the channel need not deliver it again")?;
    ensure_eq(again, DeliverOutcome::DeadLettered)?;
    for turn in lost {
        ensure_claim_lost(env.store.commit(&turn.token, Commit::Finish))?;
    }
    env.store.commit(&turn.token, Commit::Finish)?;
    env.ensure_nothing_due()?;
    ensure_sound(&env)
}

pub fn c31_a_release_is_no_attempt(env: &TestEnv) -> CaseResult {
    let env = bounded(env, InboxOptions::new().max_attempts(1))?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let mut turn = anna.delivered(&chat, "a", &["a"])?;
    for attempt in 2..6 {
        env.store.release(&turn.token)?;
        turn = env.due_after(Duration::ZERO, LONG)?;
        ensure_eq(turn.attempt, attempt)?;
    }
    let listed = anna.queue(&chat)?;
    ensure_eq(
        listed.first().map(|info| info.state),
        Some(MessageState::InFlight),
    )?;
    ensure_eq(listed.first().map(|info| info.attempts), Some(0))
}

pub fn c31_dead_letters_are_bounded(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let claim = anna.started(&chat, "claimed")?;
    let refuse = || options().when_none(WhenNone::Refuse);
    let count = u32::try_from(MAX_DEAD_LETTERS).unwrap_or_default() + 4;
    for ahead in 0..count {
        anna.queued_with(&chat, &format!("m-{ahead}"), refuse(), ahead)?;
    }
    env.store.commit(&claim.token, Commit::Finish)?;
    env.ensure_nothing_due()?;
    // The oldest are gone.
    let kept: Vec<_> = (4..count).map(|number| format!("m-{number}")).collect();
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    anna.ensure_queue(&chat, &kept)?;
    ensure_sound(&env)
}

pub fn c31_dead_letters_can_be_retried(env: &TestEnv) -> CaseResult {
    let env = bounded(env, InboxOptions::new().max_messages(2))?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let retry = |which| env.store.retry(&anna.ctx, &anna.user, &chat, which);
    let refuse = || options().when_none(WhenNone::Refuse);
    let bury = |ids: &[&str]| -> CaseResult {
        let claim = anna.started(&chat, &format!("claimed-{}", ids.concat()))?;
        for (ahead, id) in ids.iter().enumerate() {
            let ahead = u32::try_from(ahead).unwrap_or_default();
            anna.queued_with(&chat, id, refuse(), ahead)?;
        }
        env.store.commit(&claim.token, Commit::Finish)?;
        env.ensure_nothing_due()
    };
    bury(&["a", "b"])?;
    bury(&["c"])?;
    ensure_eq(retry(Retry::One(MessageId::new("unknown")))?, 0)?;
    anna.register(&chat, &env.key("wait"))?;
    ensure_eq(retry(Retry::One(MessageId::new("b")))?, 1)?;
    ensure_sound(&env)?;
    // As many as the bounds permit.
    ensure_eq(retry(Retry::All)?, 1)?;
    anna.ensure_queue(&chat, &["b", "a", "c"])?;
    ensure_eq(retry(Retry::All)?, 0)?;
    let turn = env.due_after(Duration::ZERO, LONG)?;
    ensure_has(&turn, &["b"])?;
    let park = Commit::park_here(anna.data("answered"));
    let options = CommitOptions::new().then_next(LONG);
    let next = env.store.commit_then(&turn.token, park, options)?.next;
    let Some(next) = next else {
        return Err(Failure::new("no turn"));
    };
    ensure_has(&next, &["a"])?;
    ensure_sound(&env)
}

pub fn c31_messages_can_be_discarded(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let discard = |which| env.store.discard(&anna.ctx, &anna.user, &chat, which);
    let claim = anna.started(&chat, "claimed")?;
    anna.queued_with(&chat, "dead", options().when_none(WhenNone::Refuse), 0)?;
    env.store.commit(&claim.token, Commit::Finish)?;
    env.ensure_nothing_due()?;
    let turn = anna.delivered(&chat, "a", &["a"])?;
    for (ahead, id) in [(1, "b"), (2, "c"), (3, "d")] {
        anna.queued(&chat, id, ahead)?;
    }
    ensure_eq(discard(Discard::One(MessageId::new("c")))?, 1)?;
    ensure_eq(discard(Discard::One(MessageId::new("c")))?, 0)?;
    // Never one in flight.
    ensure_eq(discard(Discard::One(MessageId::new("a")))?, 0)?;
    anna.ensure_queue(&chat, &["a", "b", "d", "dead"])?;
    ensure_eq(discard(Discard::Waiting)?, 2)?;
    anna.ensure_queue(&chat, &["a", "dead"])?;
    ensure_eq(discard(Discard::DeadLettered)?, 1)?;
    anna.ensure_queue(&chat, &["a"])?;
    ensure_sound(&env)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    anna.ensure_queue(&chat, &[])
}

pub fn c31_the_end_of_a_session_keeps_the_queue(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let park = || anna.park(&chat, &key, ParkOptions::new());
    let _parked = park()?;
    let claim = anna.claimed(&chat, "claimed")?;
    anna.queued(&chat, "a", 0)?;
    env.store.release(&claim.token)?;
    let kept = || {
        anna.ensure_queue(&chat, &["a"])
            .and_then(|()| ensure_sound(&env))
    };
    env.store.update(&key, anna.data("updated"))?;
    kept()?;
    anna.register(&chat, &env.key("displaces"))?;
    kept()?;
    anna.clear(&chat)?;
    kept()?;
    env.store.remove(&key)?;
    let _parked = park()?;
    env.store.remove(&key)?;
    kept()?;
    anna.register_for(&chat, &key, SHORT)?;
    env.expire(&key, SHORT)?;
    kept()?;
    let start = env.due_after(Duration::ZERO, LONG)?;
    ensure_has(&start, &["a"])?;
    ensure(start.session.is_none(), "nothing waits")
}

pub fn c31_erase_takes_the_queue(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    ensure_eq(env.leftovers()?, 0)?;
    let anna = env.user("anna");
    let [chat, other] = [scope("chat"), scope("other")];
    let claim = anna.started(&other, "claimed")?;
    anna.queued_with(&other, "dead", options().when_none(WhenNone::Refuse), 0)?;
    env.store.commit(&claim.token, Commit::Finish)?;
    env.ensure_nothing_due()?;
    let turn = anna.delivered(&chat, "a", &["a"])?;
    anna.queued(&chat, "b", 1)?;
    let tenant = anna.ctx.tenant.clone();
    let person = OwnerSelection::tenant(anna.ctx.env.clone(), tenant).user(anna.user.clone());
    let erase = |mode| -> CaseResult<(u64, u64)> {
        let (mut found, mut after) = ((0, 0), None);
        loop {
            let page = env.store.erase(&person, mode, after.as_ref(), 1_000)?;
            found = (found.0 + page.queued, found.1 + page.messages);
            after = page.next;
            if after.is_none() {
                return Ok(found);
            }
        }
    };
    ensure_eq(erase(EraseMode::DryRun)?, (3, 1))?;
    anna.ensure_queue(&chat, &["a", "b"])?;
    ensure_eq(erase(EraseMode::Erase)?, (3, 1))?;
    ensure_claim_lost(env.store.commit(&turn.token, Commit::Finish))?;
    anna.ensure_queue(&chat, &[])?;
    env.ensure_nothing_due()?;
    ensure_eq(erase(EraseMode::Erase)?, (0, 0))?;
    env.ensure_nothing_left()
}

pub fn c31_nothing_is_left_of_queues(env: &TestEnv) -> CaseResult {
    let options = StoreOptions::new().message_window(SHORT);
    let env = env.with_options(options.inbox(InboxOptions::new()))?;
    ensure_eq(env.leftovers()?, 0)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    // Ended by a commit, by being discarded, and by the TTL.
    let turn = anna.delivered(&chat, "a", &["a"])?;
    anna.queued(&chat, "b", 1)?;
    let store = &env.store;
    ensure_eq(
        store.discard(&anna.ctx, &anna.user, &chat, Discard::Waiting)?,
        1,
    )?;
    let ttl = DeliverOptions::new(LONG).ttl(SHORT);
    anna.queued_with(&chat, "c", ttl, 1)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    env.pass(SHORT, || Ok(anna.queue(&chat)?.is_empty()))?;
    ensure_eq(anna.next_turn(&chat, LONG)?, NextOutcome::Empty)?;
    env.ensure_nothing_left()
}
