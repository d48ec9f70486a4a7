//! C28: a delivery keeps a message, and hands out a turn if the scope is free.

use std::num::NonZeroU32;
use std::time::Duration;

use super::queues::{ensure_has, ensure_sound, message, options, with_queues};
use super::race::{count, race_of};
use crate::claim::{ClaimOutcome, Commit};
use crate::conformance::ensure::{
    CaseResult, Failure, ensure, ensure_claim_lost, ensure_conflict, ensure_eq, ensure_invalid,
};
use crate::conformance::samples::scope;
use crate::conformance::test_env::TestEnv;
use crate::conformance::test_user::resumed;
use crate::conformance::time::{LONG, SHORT, TICK};
use crate::due::DueOptions;
use crate::error::Conflict;
use crate::inbox::{DeliverOptions, DeliverOutcome, Discard, MessageState, WhenBusy, WhenNone};
use crate::message::Message;
use crate::message_id::MessageId;
use crate::options::{
    CommitOptions, InboxOptions, MAX_BATCH, MAX_LEASE, StartOptions, StoreOptions,
};
use crate::reason::Reason;
use crate::timeout::TimeoutKind;

pub fn c28_a_delivery_to_a_free_wait_hands_out_the_turn(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    anna.register(&chat, &key)?;
    let body: Vec<u8> = (0..=255).collect();
    let odd = Message::new(MessageId::new("odd"), body.clone());
    let (store, scopes) = (&env.store, [chat.clone()]);
    let options = options().holder("pod-7");
    let outcome = store.deliver(&anna.ctx, &anna.user, &scopes, odd, options)?;
    ensure(outcome.is_kept(), "the channel can be told")?;
    let DeliverOutcome::Turn(turn) = outcome else {
        return Err(Failure::new(format!("expected a turn, found {outcome:?}")));
    };
    ensure_eq(turn.messages.len(), 1)?;
    ensure_eq(
        turn.messages.first().map(|message| message.body.to_vec()),
        Some(body),
    )?;
    ensure_eq(turn.reason, Reason::Message)?;
    ensure_eq(turn.attempt, 1)?;
    ensure_eq(resumed(&turn)?, &*anna.session(&key)?)?;
    // It is a claim like any other.
    let busy = ClaimOutcome::busy(turn.lease_until, false);
    ensure_eq(anna.claim(&chat, "message")?, busy)?;
    ensure_sound(&env)?;
    anna.commit_park(&turn, &chat, "answered")?;
    anna.ensure_stored(&key, "answered")?;
    anna.ensure_queue(&chat, &[])?;
    env.ensure_nothing_due()?;
    ensure_sound(&env)
}

pub fn c28_a_delivery_where_nothing_waits_starts_a_flow(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("begun"));
    let start = WhenNone::Start(StartOptions::new().key(key.clone()));
    let turn = anna.delivered_with(&chat, "first", options().when_none(start), &["first"])?;
    ensure(turn.session.is_none(), "it is a start")?;
    ensure_eq(turn.token.session_key(), &key)?;
    anna.queued(&chat, "second", 1)?;
    ensure_sound(&env)?;
    let begun = Commit::park_here(anna.data("begun"));
    env.store.commit(&turn.token, begun)?;
    anna.ensure_waits(&[(&chat, &key)])?;
    anna.ensure_queue(&chat, &["second"])?;
    ensure_sound(&env)
}

pub fn c28_a_delivery_while_busy_is_kept(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let _turn = anna.delivered(&chat, "first", &["first"])?;
    let ttl = options().ttl(2 * LONG);
    let DeliverOutcome::Queued { ahead, until } = anna.deliver_with(&chat, "second", ttl)? else {
        return Err(Failure::new("the message has no place"));
    };
    ensure_eq(ahead, 1)?;
    anna.queued(&chat, "third", 2)?;
    let listed = anna.queue(&chat)?;
    let states: Vec<_> = listed.iter().map(|info| info.state).collect();
    let waiting = MessageState::Waiting;
    ensure_eq(states, vec![MessageState::InFlight, waiting, waiting])?;
    ensure_eq(listed.get(1).map(|info| info.until), Some(until))?;
    ensure_eq(listed.get(1).map(|info| info.bytes), Some("second".len()))?;
    ensure_sound(&env)
}

pub fn c28_a_message_can_be_rejected_while_busy(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let claim = anna.claimed(&chat, "claimed")?;
    let reject = || options().when_busy(WhenBusy::Reject);
    let refused = anna.deliver_with(&chat, "other", reject())?;
    ensure(!refused.is_kept(), "the channel is to deliver it again")?;
    ensure_eq(refused, DeliverOutcome::busy(claim.lease_until, false))?;
    let same = anna.deliver_with(&chat, "claimed", reject())?;
    ensure_eq(same, DeliverOutcome::busy(claim.lease_until, true))?;
    anna.ensure_queue(&chat, &[])?;
    env.store.release(&claim.token)?;
    let turn = anna.delivered_with(&chat, "other", reject(), &["other"])?;
    Ok(env.store.commit(&turn.token, Commit::Finish)?)
}

pub fn c28_delivering_again_tells_the_place(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, other) = (scope("chat"), scope("other"));
    anna.register(&chat, &env.key("wait"))?;
    anna.register(&other, &env.key("other"))?;
    let _turn = anna.delivered(&chat, "first", &["first"])?;
    anna.queued(&chat, "second", 1)?;
    // It is in one queue only, whatever scope it is delivered to.
    anna.queued(&chat, "first", 0)?;
    anna.queued(&other, "second", 1)?;
    let reject = options().when_busy(WhenBusy::Reject);
    anna.queued_with(&chat, "second", reject, 1)?;
    anna.ensure_queue(&chat, &["first", "second"])?;
    anna.ensure_queue(&other, &[])
}

pub fn c28_delivering_again_takes_a_free_turn(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let short = DeliverOptions::new(SHORT);
    let lost = anna.delivered_with(&chat, "first", short, &["first"])?;
    let mut turn = None;
    env.pass(SHORT, || {
        turn = match anna.deliver(&chat, "first")? {
            DeliverOutcome::Turn(turn) => Some(turn),
            _ => None,
        };
        Ok(turn.is_some())
    })?;
    let turn = match turn {
        Some(turn) => turn,
        None => anna.delivered(&chat, "first", &["first"])?,
    };
    ensure_eq(turn.attempt, 2)?;
    ensure_claim_lost(env.store.commit(&lost.token, Commit::Finish))?;
    ensure_sound(&env)?;
    Ok(env.store.commit(&turn.token, Commit::Finish)?)
}

pub fn c28_an_answered_message_is_a_duplicate(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    anna.register(&chat, &env.key("wait"))?;
    let turn = anna.delivered(&chat, "first", &["first"])?;
    let reply = CommitOptions::new().reply(*b"done");
    let park = Commit::park_here(anna.data("answered"));
    env.store.commit_with(&turn.token, park, reply)?;
    let duplicate = anna.deliver(&chat, "first")?;
    ensure(duplicate.is_kept(), "it was answered")?;
    let reply = Some(b"done".as_slice().into());
    ensure_eq(duplicate, DeliverOutcome::duplicate_with(reply.clone()))?;
    ensure_eq(
        anna.claim(&chat, "first")?,
        ClaimOutcome::duplicate_with(reply),
    )
}

pub fn c28_a_message_is_buffered_until_a_session_waits(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let buffer = || options().when_none(WhenNone::Buffer);
    for id in ["first", "second"] {
        let outcome = anna.deliver_with(&chat, id, buffer())?;
        ensure(outcome.is_kept(), "it is kept")?;
        let buffered = matches!(outcome, DeliverOutcome::Buffered { .. });
        ensure(buffered, "no session waits")?;
        env.ensure_nothing_due()?;
        ensure_sound(&env)?;
    }
    // A claim does not see it.
    ensure_eq(anna.claim(&chat, "claimed")?, ClaimOutcome::NoWait)?;
    anna.register(&chat, &key)?;
    ensure_sound(&env)?;
    let turn = env.due_after(Duration::ZERO, LONG)?;
    ensure_has(&turn, &["first"])?;
    ensure_eq(turn.reason, Reason::Revived)?;
    ensure_eq(turn.token.session_key(), &key)?;
    ensure_eq(turn.owner().user, Some(anna.user.clone()))?;
    ensure_sound(&env)
}

pub fn c28_a_message_can_be_refused_where_nothing_waits(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let refuse = || options().when_none(WhenNone::Refuse);
    let refused = anna.deliver_with(&chat, "first", refuse())?;
    ensure_eq(refused.clone(), DeliverOutcome::NoWait)?;
    ensure(!refused.is_kept(), "it is not kept")?;
    anna.ensure_queue(&chat, &[])?;
    anna.register(&chat, &key)?;
    let turn = anna.delivered_with(&chat, "first", refuse(), &["first"])?;
    ensure_eq(turn.token.session_key(), &key)
}

pub fn c28_interrupt_takes_a_turn_of_the_queue(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let interrupt = || options().when_busy(WhenBusy::Interrupt);
    // Of a start, of a wait, and of a timeout.
    let begun = anna.delivered(&chat, "first", &["first"])?;
    let again = anna.delivered_with(&chat, "second", interrupt(), &["first"])?;
    ensure_eq(again.token.session_key(), begun.token.session_key())?;
    ensure_claim_lost(env.store.commit(&begun.token, Commit::Finish))?;
    ensure_sound(&env)?;
    let park = Commit::park_here(anna.data("begun"));
    env.store.commit(&again.token, park)?;
    let two = NonZeroU32::new(2).unwrap_or(NonZeroU32::MIN);
    let second = anna.took(&chat, LONG, &["second"])?;
    let options = interrupt().max_batch(two);
    let both = anna.delivered_with(&chat, "third", options, &["second", "third"])?;
    ensure_claim_lost(env.store.renew(&second.token, LONG))?;
    let key = both.token.session_key();
    env.store
        .commit(&both.token, Commit::park_here(anna.data("waits")))?;
    let reminded = env.fired(key, TimeoutKind::Remind, LONG)?;
    let _turn = anna.delivered_with(&chat, "fourth", interrupt(), &["fourth"])?;
    ensure_claim_lost(env.store.commit(&reminded.token, Commit::Finish))?;
    // An interruption counts no attempt, and a message that is known interrupts nothing.
    let listed = anna.queue(&chat)?;
    ensure_eq(listed.first().map(|info| info.attempts), Some(0))?;
    anna.queued_with(&chat, "fourth", interrupt(), 0)?;
    ensure_sound(&env)
}

pub fn c28_interrupt_leaves_a_plain_claim(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, start) = (scope("chat"), scope("start"));
    anna.register(&chat, &env.key("wait"))?;
    let interrupt = || options().when_busy(WhenBusy::Interrupt);
    let claim = anna.claimed(&chat, "claimed")?;
    let begun = anna.started(&start, "begun")?;
    anna.queued_with(&chat, "first", interrupt(), 0)?;
    anna.queued_with(&start, "second", interrupt(), 0)?;
    ensure_sound(&env)?;
    env.store.commit(&claim.token, Commit::Finish)?;
    env.store.commit(&begun.token, Commit::Finish)?;
    ensure_sound(&env)
}

pub fn c28_the_first_scope_with_a_turn_takes_the_message(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let [thread, chat] = [scope("thread"), scope("chat")];
    let scopes = [thread.clone(), chat.clone()];
    let deliver = |id: &str| {
        let store = &env.store;
        store.deliver(&anna.ctx, &anna.user, &scopes, message(id), options())
    };
    // Nothing waits: the last scope has it.
    let DeliverOutcome::Turn(turn) = deliver("first")? else {
        return Err(Failure::new("no turn"));
    };
    env.store
        .commit(&turn.token, Commit::park_here(anna.data("begun")))?;
    anna.ensure_waits(&[(&chat, turn.token.session_key())])?;
    // A session waits on the first one, also while it is busy.
    anna.register(&thread, &env.key("thread"))?;
    let _claim = anna.claimed(&thread, "claimed")?;
    let queued = deliver("second")?;
    ensure(
        matches!(queued, DeliverOutcome::Queued { .. }),
        "it is kept",
    )?;
    anna.ensure_queue(&thread, &["second"])?;
    anna.ensure_queue(&chat, &[])
}

pub fn c28_one_of_many_deliveries_has_the_turn(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let outcomes = race_of(
        16,
        |worker| Ok(anna.deliver(&chat, &format!("m-{worker}"))?),
    )?;
    ensure(outcomes.iter().all(DeliverOutcome::is_kept), "all are kept")?;
    let turns = count(&outcomes, |outcome| {
        matches!(outcome, DeliverOutcome::Turn(_))
    });
    ensure_eq(turns, 1)?;
    let listed = anna.queue(&chat)?;
    ensure_eq(listed.len(), 16)?;
    let mut next = outcomes.into_iter().find_map(|outcome| match outcome {
        DeliverOutcome::Turn(turn) => Some(turn),
        _ => None,
    });
    for place in &listed {
        let Some(turn) = next else {
            return Err(Failure::new("a message is left"));
        };
        let front = turn.messages.first().map(|message| message.id);
        ensure_eq(front, Some(place.id))?;
        let park = Commit::park_here(anna.data("answered"));
        let take_next = CommitOptions::new().then_next(LONG);
        next = env.store.commit_then(&turn.token, park, take_next)?.next;
    }
    ensure(next.is_none(), "all are answered")?;
    ensure_sound(&env)
}

pub fn c28_bad_deliveries_are_refused(env: &TestEnv) -> CaseResult {
    let bounds = InboxOptions::new().max_bytes(8);
    let env = super::queues::bounded(env, bounds)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let error = ensure_invalid(anna.deliver(&chat, "a long body"))?;
    let named = error.message.contains("11 bytes") && error.message.contains("is 8");
    ensure(named, "both sizes are named")?;
    ensure_invalid(anna.deliver(&chat, ""))?;
    let with = |options| ensure_invalid(anna.deliver_with(&chat, "m", options));
    with(DeliverOptions::new(MAX_LEASE + TICK))?;
    with(options().ttl(Duration::MAX))?;
    with(options().debounce(Duration::MAX))?;
    let many = NonZeroU32::new(MAX_BATCH + 1).unwrap_or(NonZeroU32::MIN);
    with(options().max_batch(many))?;
    with(options().holder("a b"))?;
    let long = "x".repeat(crate::options::MAX_SESSION_KEY_BYTES + 1);
    let start = StartOptions::new().key(crate::SessionKey::new(long));
    with(options().when_none(WhenNone::Start(start)))?;
    for scopes in [Vec::new(), vec![chat.clone(); 5]] {
        let (store, message) = (&env.store, message("m"));
        let refused = store.deliver(&anna.ctx, &anna.user, &scopes, message, options());
        ensure_invalid(refused)?;
    }
    anna.ensure_queue(&chat, &[])
}

pub fn c30_the_claim_of_a_due_queue_names_its_holder(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let (chat, key) = (scope("chat"), env.key("wait"));
    let buffer = options().when_none(WhenNone::Buffer);
    let _buffered = anna.deliver_with(&chat, "message", buffer)?;
    anna.register(&chat, &key)?;
    env.pass(TICK, || Ok(true))?;
    let due = env
        .store
        .claim_due(&DueOptions::new(LONG).holder("poller-7"))?;
    ensure_eq(due.turns.len(), 1)?;
    let held = env.scan_all(&env.tenant_filter().holder("poller-7"), 50)?;
    let held: Vec<_> = held.into_iter().map(|info| info.key).collect();
    ensure_eq(held, vec![key])
}

pub fn c28_a_store_without_queues_refuses_a_delivery(env: &TestEnv) -> CaseResult {
    let env = env.with_options(StoreOptions::new())?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let error = ensure_invalid(anna.deliver(&chat, "message"))?;
    ensure(error.message.contains("StoreOptions::inbox"), "it is named")?;
    // The other calls see what is there.
    anna.ensure_queue(&chat, &[])?;
    let store = &env.store;
    ensure_eq(
        store.discard(&anna.ctx, &anna.user, &chat, Discard::Waiting)?,
        0,
    )
}

pub fn c28_a_start_that_is_refused_keeps_nothing(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let taken = anna.create("taken")?;
    let start = WhenNone::Start(StartOptions::new().key(taken));
    let refused = anna.deliver_with(&chat, "first", options().when_none(start.clone()));
    ensure_eq(ensure_conflict(refused)?, Conflict::KeyTaken)?;
    anna.ensure_queue(&chat, &[])?;
    let ben = env.user("ben");
    ensure_invalid(ben.deliver_with(&chat, "first", options().when_none(start)))?;
    ben.ensure_queue(&chat, &[])
}

pub fn c04_queues_of_owners_are_apart(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let (anna, ben) = (env.user("anna"), env.user("ben"));
    let chat = scope("chat");
    let turn = anna.delivered(&chat, "first", &["first"])?;
    anna.queued(&chat, "second", 1)?;
    // The same id of another owner is another message.
    let other = ben.delivered(&chat, "first", &["first"])?;
    env.store.commit(&other.token, Commit::Finish)?;
    ben.ensure_queue(&chat, &[])?;
    anna.ensure_queue(&chat, &["first", "second"])?;
    let (store, all) = (&env.store, Discard::Waiting);
    ensure_eq(store.discard(&ben.ctx, &ben.user, &chat, all)?, 0)?;
    // A context of one user says nothing of another's queue, and does not change it.
    ensure_eq(store.messages(&ben.ctx, &anna.user, &chat)?, Vec::new())?;
    ensure_invalid(store.discard(&ben.ctx, &anna.user, &chat, all))?;
    env.store.commit(&turn.token, Commit::Finish)?;
    anna.ensure_queue(&chat, &["second"])
}

pub fn c28_a_kept_message_is_there_after_reopening(env: &TestEnv) -> CaseResult {
    let before = env.open("store")?;
    let (chat, buffered) = (scope("chat"), scope("buffered"));
    let anna = before.user("anna");
    let lost = anna.delivered_with(&chat, "a", DeliverOptions::new(SHORT), &["a"])?;
    anna.queued(&chat, "b", 1)?;
    let buffer = options().when_none(WhenNone::Buffer);
    let kept = anna.deliver_with(&buffered, "c", buffer)?;
    ensure(kept.is_kept(), "it is kept")?;
    drop(anna);
    drop(before);
    let after = env.open("store")?;
    let anna = after.user("anna");
    anna.ensure_queue(&chat, &["a", "b"])?;
    anna.ensure_queue(&buffered, &["c"])?;
    ensure_sound(&after)?;
    let turn = after.due_after(SHORT + Duration::from_secs(1), LONG)?;
    ensure_has(&turn, &["a"])?;
    ensure_eq(turn.token.session_key(), lost.token.session_key())?;
    let options = CommitOptions::new().then_next(LONG);
    let next = after
        .store
        .commit_then(&turn.token, Commit::Finish, options)?;
    ensure(next.next.is_some(), "the other message follows")?;
    anna.register(&buffered, &after.key("wait"))?;
    let turn = after.due_after(Duration::ZERO, LONG)?;
    ensure_has(&turn, &["c"])
}

pub fn c18_a_queue_shows_no_content(env: &TestEnv) -> CaseResult {
    let env = with_queues(env)?;
    let anna = env.user("anna");
    let chat = scope("chat");
    let secret = Message::new(MessageId::new("secret-id"), *b"secret-body");
    let (store, scopes) = (&env.store, [chat.clone()]);
    let outcome = store.deliver(&anna.ctx, &anna.user, &scopes, secret, options())?;
    let shown = format!("{outcome:?} {:?}", anna.queue(&chat)?);
    let bytes = format!("{:?}", b"secret-body");
    ensure(!shown.contains("secret"), "neither id nor body is shown")?;
    ensure(!shown.contains(&bytes), "not in numbers either")
}
