//! C29: what a turn of a queue has, and in which order.

use std::num::NonZeroU32;
use std::time::Duration;

use super::queues::{ensure_has, ensure_sound, options, with_queues};
use super::race::race_of;
use crate::claim::{ClaimOutcome, Commit, Turn};
use crate::conformance::ensure::{CaseResult, Failure, ensure, ensure_eq};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::TestUser;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::due::DueOptions;
use crate::inbox::{DeliverOptions, DeliverOutcome, NextOptions, NextOutcome};
use crate::options::CommitOptions;

fn batch(messages: u32) -> NonZeroU32 {
    NonZeroU32::new(messages).unwrap_or(NonZeroU32::MIN)
}

pub fn c29_a_turn_has_the_front_of_the_queue(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let claim = anna.claimed(&chat, "claimed")?;
    for (place, id) in ["a", "b", "c", "d", "e"].iter().enumerate() {
        anna.queued(&chat, id, u32::try_from(place).unwrap_or_default())?;
    }
    let park = || Commit::park_here(anna.data("answered"));
    env.store.commit(&claim.token, park())?;
    let turn = anna.took(&chat, LONG, &["a"])?;
    env.store.commit(&turn.token, park())?;
    let options = NextOptions::new(LONG).max_batch(batch(2));
    let store = &env.store;
    let NextOutcome::Turn(turn) = store.next(&anna.ctx, &anna.user, &chat, options)? else {
        return Err(Failure::new("no turn"));
    };
    ensure_has(&turn, &["b", "c"])?;
    env.store.commit(&turn.token, park())?;
    // The turn of a delivery begins with what is older.
    let all = options_of(64);
    let turn = anna.delivered_with(&chat, "f", all, &["d", "e", "f"])?;
    ensure_eq(
        anna.next_turn(&chat, LONG)?,
        NextOutcome::busy(turn.lease_until),
    )?;
    env.store.commit(&turn.token, park())?;
    ensure_eq(anna.next_turn(&chat, LONG)?, NextOutcome::Empty)?;
    ensure_sound(&env)
}

fn options_of(messages: u32) -> DeliverOptions {
    options().max_batch(batch(messages))
}

pub fn c29_a_turn_of_many_bytes_has_fewer_messages(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let claim = anna.claimed(&chat, "claimed")?;
    let half = "x".repeat(400 * 1024);
    let ids: Vec<_> = ["a", "b"].iter().map(|id| format!("{id}{half}")).collect();
    let scopes = [chat.clone()];
    for (number, body) in ids.iter().enumerate() {
        let id = crate::MessageId::new(&number.to_string());
        let message = crate::Message::new(id, body.as_bytes());
        let store = &env.store;
        let kept = store.deliver(&anna.ctx, &anna.user, &scopes, message, options_of(64))?;
        ensure(kept.is_kept(), "it fits")?;
    }
    env.store.release(&claim.token)?;
    let options = NextOptions::new(LONG).max_batch(batch(64));
    let store = &env.store;
    let NextOutcome::Turn(turn) = store.next(&anna.ctx, &anna.user, &chat, options)? else {
        return Err(Failure::new("no turn"));
    };
    let lengths: Vec<_> = turn.messages.iter().map(|it| it.body.len()).collect();
    ensure_eq(lengths, vec![400 * 1024 + 1; 2])
}

pub fn c29_the_messages_of_a_turn_are_answered_together(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let claim = anna.claimed(&chat, "claimed")?;
    for (place, id) in ["a", "b"].iter().enumerate() {
        anna.queued(&chat, id, u32::try_from(place).unwrap_or_default())?;
    }
    env.store.release(&claim.token)?;
    let turn = anna.delivered_with(&chat, "c", options_of(3), &["a", "b", "c"])?;
    // None of them, if the turn is given back.
    env.store.release(&turn.token)?;
    anna.ensure_queue(&chat, &["a", "b", "c"])?;
    let turn = anna.delivered_with(&chat, "a", options_of(2), &["a", "b"])?;
    let reply = CommitOptions::new().reply(*b"both");
    let park = Commit::park_here(anna.data("answered"));
    env.store.commit_with(&turn.token, park, reply)?;
    let reply: Option<std::sync::Arc<[u8]>> = Some(b"both".as_slice().into());
    for id in ["a", "b"] {
        let duplicate = DeliverOutcome::duplicate_with(reply.clone());
        ensure_eq(anna.deliver(&chat, id)?, duplicate)?;
    }
    anna.ensure_queue(&chat, &["c"])?;
    ensure_sound(&env)
}

pub fn c29_a_message_that_lapsed_is_handed_out_alone(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let claim = anna.claimed(&chat, "claimed")?;
    anna.queued_with(&chat, "a", options_of(64), 0)?;
    anna.queued_with(&chat, "b", options_of(64), 1)?;
    env.store.release(&claim.token)?;
    let short = NextOptions::new(SHORT).max_batch(batch(64));
    let NextOutcome::Turn(lost) = env.store.next(&anna.ctx, &anna.user, &chat, short)? else {
        return Err(Failure::new("no turn"));
    };
    ensure_has(&lost, &["a", "b"])?;
    let mut free = None;
    env.pass(SHORT, || {
        free = Some(anna.deliver_with(&chat, "c", options_of(64))?);
        Ok(matches!(free, Some(DeliverOutcome::Turn(_))))
    })?;
    let turn = match free {
        Some(DeliverOutcome::Turn(turn)) => turn,
        _ => anna.delivered_with(&chat, "c", options_of(64), &["a"])?,
    };
    ensure_has(&turn, &["a"])?;
    let park = || Commit::park_here(anna.data("answered"));
    env.store.commit(&turn.token, park())?;
    let options = NextOptions::new(LONG).max_batch(batch(64));
    for id in ["b", "c"] {
        let store = &env.store;
        let next = store.next(&anna.ctx, &anna.user, &chat, options.clone())?;
        let NextOutcome::Turn(turn) = next else {
            return Err(Failure::new("no turn"));
        };
        ensure_has(&turn, &[id])?;
        env.store.commit(&turn.token, park())?;
    }
    ensure_sound(&env)
}

pub fn c29_a_claim_does_not_look_at_the_queue(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let claim = anna.claimed(&chat, "claimed")?;
    anna.queued(&chat, "a", 0)?;
    env.store.release(&claim.token)?;
    let claim = anna.claimed(&chat, "other")?;
    ensure_eq(claim.messages.len(), 0)?;
    ensure_sound(&env)?;
    env.store
        .commit(&claim.token, Commit::park_here(anna.data("answered")))?;
    anna.ensure_queue(&chat, &["a"])?;
    ensure_sound(&env)?;
    let turn = env.due_after(Duration::ZERO, LONG)?;
    ensure_has(&turn, &["a"])
}

pub fn c29_a_message_that_was_answered_elsewhere_is_not_handed_out(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let claim = anna.claimed(&chat, "claimed")?;
    for (place, id) in ["a", "b"].iter().enumerate() {
        anna.queued(&chat, id, u32::try_from(place).unwrap_or_default())?;
    }
    let park = || Commit::park_here(anna.data("answered"));
    env.store.commit(&claim.token, park())?;
    let claim = anna.claimed(&chat, "a")?;
    env.store.commit(&claim.token, park())?;
    let turn = anna.took(&chat, LONG, &["b"])?;
    env.store.commit(&turn.token, park())?;
    anna.ensure_queue(&chat, &[])
}

pub fn c29_a_message_in_flight_outlives_its_ttl(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let options = DeliverOptions::new(2 * SHORT).ttl(SHORT);
    let turn = anna.delivered_with(&chat, "a", options.clone(), &["a"])?;
    env.advance(SHORT)?;
    // A write, after which what has expired may be gone.
    anna.create("other")?;
    anna.ensure_queue(&chat, &["a"])?;
    env.store.renew(&turn.token, LONG)?;
    env.advance(LONG - TICK)?;
    anna.create("other")?;
    anna.ensure_queue(&chat, &["a"])?;
    ensure_sound(&env)?;
    // Its TTL has passed when its lease has ended.
    env.advance(TICK)?;
    anna.ensure_queue(&chat, &[])?;
    ensure_eq(anna.next_turn(&chat, LONG)?, NextOutcome::Empty)
}

pub fn c29_a_message_ends_with_its_ttl(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let claim = anna.claimed(&chat, "claimed")?;
    // How many are ahead depends on what has ended when the next one comes.
    for (id, ttl) in [("a", SHORT), ("zero", Duration::ZERO), ("b", LONG)] {
        let outcome = anna.deliver_with(&chat, id, options().ttl(ttl))?;
        ensure(outcome.is_kept(), "it waits")?;
    }
    env.pass(SHORT, || Ok(anna.queue(&chat)?.len() == 1))?;
    anna.ensure_queue(&chat, &["b"])?;
    env.store.release(&claim.token)?;
    let turn = anna.took(&chat, LONG, &["b"])?;
    // What has ended is a new message when it comes again.
    anna.queued(&chat, "a", 1)?;
    env.store.commit(&turn.token, Commit::Finish)?;
    ensure_sound(&env)
}

/// A turn, if the worker gets one: by a delivery, by `next`, or of what is due.
fn any_turn(env: &TestEnv, anna: &TestUser<'_>, worker: usize) -> CaseResult<Option<Turn>> {
    let chat = scope("chat");
    Ok(match worker % 4 {
        0 => match anna.deliver(&chat, &format!("late-{worker}"))? {
            DeliverOutcome::Turn(turn) => Some(turn),
            _ => None,
        },
        1 => match anna.next_turn(&chat, LONG)? {
            NextOutcome::Turn(turn) => Some(turn),
            _ => None,
        },
        2 => match anna.claim(&chat, &format!("claimed-{worker}"))? {
            ClaimOutcome::Claimed(turn) => Some(turn),
            _ => None,
        },
        _ => {
            let due = env.store.claim_due(&DueOptions::new(LONG))?;
            due.turns.into_iter().next()
        }
    })
}

pub fn c29_no_two_turns_of_a_scope_are_live(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    for round in 0..8 {
        let claim = anna.claimed(&chat, &format!("round-{round}"))?;
        let kept = anna.deliver(&chat, &format!("m-{round}"))?;
        ensure(kept.is_kept(), "it is kept")?;
        env.store
            .commit(&claim.token, Commit::park_here(anna.data("free")))?;
        let turns = race_of(8, |worker| any_turn(&env, &anna, 8 * round + worker))?;
        let held: Vec<_> = turns.iter().flatten().collect();
        let [turn] = held[..] else {
            return Err(Failure::new(format!("{} workers have it", held.len())));
        };
        let park = Commit::park_here(anna.data("answered"));
        env.store.commit(&turn.token, park)?;
        ensure_sound(&env)?;
    }
    Ok(())
}
