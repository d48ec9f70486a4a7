//! The calls on a queue: deliver, next, messages, discard, retry, and what is due of it (C28 to C31).

#[cfg(feature = "durable")]
use super::hand_out::put_off;
use super::hand_out::{Handed, Occupant, Taking, hand_out, handed_before};
use super::inbox::{Body, Inbox, Queue, Queued, Quiet};
use super::lease::lease_end;
use super::{Ledger, View, put_unclaimed};
use crate::claim::{TokenSecret, Turn};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::inbox::{DeliverOutcome, MessageInfo, MessageState, NextOutcome, WhenBusy};
use crate::message_id::{MessageDigest, MessageId};
use crate::options::{InboxOptions, LATEST_DEADLINE, StoreOptions, WhenFull};
use crate::owner::Owner;
use crate::reason::Reason;
use crate::request::{self, Discarded, IfNone, OfQueue, Retried};
use crate::scope::ScopeDigest;

/// How many times its debounce the first of several messages waits at most.
const LONGEST_QUIET: u64 = 8;

/// C28: keeps a message, and hands out a turn if the scope is free, in one atomic step.
pub(crate) fn deliver<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    options: &StoreOptions,
    request: request::Deliver,
) -> SessionResult<DeliverOutcome> {
    let owner = &request.owner;
    let remembered = ledger.remembered(owner, &request.message)?;
    if let Some(done) = remembered.filter(|done| now < done.until) {
        let reply = done.reply.map(|reply| reply.into_bytes());
        return Ok(DeliverOutcome::duplicate_with(reply));
    }
    let mut inbox = ledger.inbox(owner)?.unwrap_or_default();
    if let Some(turn) = handed_before(ledger, now, &inbox, owner, request.secret)? {
        return Ok(DeliverOutcome::Turn(turn));
    }
    inbox.drop_ended(now);
    if inbox.is_dead(&request.message) {
        return Ok(DeliverOutcome::DeadLettered);
    }
    let known = inbox.scope_of(&request.message);
    let scope = match known {
        Some(scope) => scope,
        None => scope_of(ledger, now, &request)?,
    };
    let occupant = Occupant::of(ledger, now, owner, &scope)?;
    let busy = occupant.busy_until(now);
    let (mut fresh, mut strict) = (None, false);
    if known.is_none() {
        match refusal(now, &occupant, &request) {
            Some(refused) => return Ok(refused),
            None if !make_room(&mut inbox, &request) => return Ok(DeliverOutcome::Full),
            None => {}
        }
        let number = ledger.next_number(owner, now)?;
        append(&mut inbox, now, scope, number, &request);
        fresh = Some((number, request.body.clone()));
        strict = true;
        if busy.is_some() && request.when_busy == WhenBusy::Interrupt {
            strict = !interrupt(ledger, now, owner, &scope, &mut inbox, occupant)?;
        }
    }
    let taking = Taking {
        options,
        owner,
        scope,
        secret: request.secret,
        lease_millis: request.lease_millis,
        holder: request.holder,
        max_batch: Some(request.max_batch),
        reason: Reason::Message,
        at_once: false,
        strict,
        fresh: fresh.as_ref(),
    };
    let handed = hand_out(ledger, now, &mut inbox, &taking)?;
    let outcome = match handed {
        Handed::Turn(turn) => DeliverOutcome::Turn(turn),
        Handed::Busy(_) | Handed::Nothing => place_of(&inbox, &scope, &request.message),
    };
    ledger.put_inbox(owner, inbox, fresh.into_iter().collect::<Vec<Body>>())?;
    Ok(outcome)
}

/// The first scope on which a session waits or a turn is live, or else the last.
fn scope_of<L: Ledger>(
    ledger: &L,
    now: Timestamp,
    request: &request::Deliver,
) -> SessionResult<ScopeDigest> {
    let mut last = None;
    for scope in &request.scopes {
        last = Some(*scope);
        if Occupant::of(ledger, now, &request.owner, scope)?.takes(now) {
            break;
        }
    }
    // There is at least one (the request was checked).
    Ok(last.unwrap_or(ScopeDigest::from_bytes([0; 32])))
}

/// Returns the outcome of a message that is not to be kept.
fn refusal(
    now: Timestamp,
    occupant: &Occupant,
    request: &request::Deliver,
) -> Option<DeliverOutcome> {
    match occupant.busy_until(now) {
        Some(until) if request.when_busy == WhenBusy::Reject => {
            let turn = occupant.turn();
            let same_message = turn.is_some_and(|(_, message)| message == request.message);
            Some(DeliverOutcome::busy(until, same_message))
        }
        Some(_) => None,
        None if !occupant.takes(now) && request.if_none == IfNone::Refuse => {
            Some(DeliverOutcome::NoWait)
        }
        None => None,
    }
}

/// C31: makes room for a message, if the options permit it. Returns false if there is none, and drops
/// nothing then.
fn make_room(inbox: &mut Inbox, request: &request::Deliver) -> bool {
    let InboxOptions {
        max_bytes,
        when_full,
        ..
    } = request.bounds;
    let limit = request.bounds.message_limit();
    let (mut count, mut bytes) = (1, request.bytes);
    for queued in inbox.messages() {
        (count, bytes) = (count + 1, bytes.saturating_add(queued.bytes));
    }
    let mut dropped = Vec::new();
    if when_full == WhenFull::DropOldest {
        let waiting = inbox.messages().filter(|queued| queued.mark.is_none());
        let mut oldest: Vec<_> = waiting
            .map(|queued| (queued.number, queued.bytes))
            .collect();
        oldest.sort_unstable();
        for (number, length) in oldest {
            if count <= limit && bytes <= max_bytes {
                break;
            }
            (count, bytes) = (count - 1, bytes - length);
            dropped.push(number);
        }
    }
    if count > limit || bytes > max_bytes {
        return false;
    }
    for queue in inbox.queues.values_mut() {
        let is_kept = |queued: &Queued| !dropped.contains(&queued.number);
        queue.messages.retain(is_kept);
    }
    inbox.drop_empty();
    true
}

fn append(
    inbox: &mut Inbox,
    now: Timestamp,
    scope: ScopeDigest,
    number: u64,
    request: &request::Deliver,
) {
    let queue = inbox.queues.entry(scope).or_default();
    queue.messages.push(Queued {
        message: request.message,
        number,
        body: number,
        bytes: request.bytes,
        since: now,
        until: lease_end(now, request.ttl_millis).min(Timestamp::from_millis(LATEST_DEADLINE)),
        attempts: 0,
        mark: None,
        if_none: request.if_none.clone(),
        max_batch: request.max_batch,
    });
    if let Some(millis) = request.debounce_millis {
        let since = queue.quiet.map_or(now, |quiet| quiet.since);
        let latest = lease_end(since, millis.saturating_mul(LONGEST_QUIET));
        queue.quiet = Some(Quiet {
            since,
            until: lease_end(now, millis).min(latest),
        });
    }
}

/// Ends a turn of the queue or of a timeout, as `revoke` does. Returns false if the turn is of a plain
/// claim, which goes on.
fn interrupt<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
    inbox: &mut Inbox,
    occupant: Occupant,
) -> SessionResult<bool> {
    let Some((secret, message)) = occupant.turn() else {
        return Ok(false);
    };
    let queue = inbox.queues.get_mut(scope);
    let has_messages = queue.is_some_and(|queue| clear_marks(queue, secret));
    match occupant {
        Occupant::Wait(key, head) => {
            let order = head.wait.as_ref().map_or(0, |wait| wait.order);
            if !has_messages && message != MessageDigest::of_timeout(&key, order) {
                return Ok(false);
            }
            let mut freed = head.clone();
            freed.end_lease();
            put_unclaimed(ledger, now, &key, &head, freed)?;
        }
        Occupant::Start(start) if has_messages => {
            let mut released = start;
            released.released = true;
            ledger.set_start(owner, scope, Some(released))?;
        }
        Occupant::Start(_) | Occupant::None => return Ok(false),
    }
    Ok(true)
}

/// Lets the messages of a turn wait again. Returns false if it has none.
fn clear_marks(queue: &mut Queue, secret: TokenSecret) -> bool {
    let mut cleared = false;
    for queued in &mut queue.messages {
        if queued.is_marked(secret) {
            queued.mark = None;
            cleared = true;
        }
    }
    cleared
}

/// Says where a message is that is kept.
fn place_of(inbox: &Inbox, scope: &ScopeDigest, message: &MessageDigest) -> DeliverOutcome {
    let queue = inbox.queues.get(scope);
    let found = queue.and_then(|queue| {
        let mut messages = queue.messages.iter();
        let ahead = messages.position(|queued| queued.message == *message)?;
        Some((queue, ahead, queue.messages.get(ahead)?.until))
    });
    match found {
        Some((queue, ahead, until)) if queue.due.is_some() => {
            DeliverOutcome::queued(u32::try_from(ahead).unwrap_or(u32::MAX), until)
        }
        Some((_, _, until)) => DeliverOutcome::buffered(until),
        None => DeliverOutcome::DeadLettered,
    }
}

/// Takes the front of a queue.
pub(crate) fn next<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    options: &StoreOptions,
    request: request::NextTurn,
) -> SessionResult<NextOutcome> {
    let owner = &request.owner;
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(NextOutcome::Empty);
    };
    if let Some(turn) = handed_before(ledger, now, &inbox, owner, request.secret)? {
        return Ok(NextOutcome::Turn(turn));
    }
    let taking = Taking {
        options,
        owner,
        scope: request.scope,
        secret: request.secret,
        lease_millis: request.lease_millis,
        holder: request.holder,
        max_batch: Some(request.max_batch),
        reason: Reason::Message,
        at_once: true,
        strict: false,
        fresh: None,
    };
    let outcome = match hand_out(ledger, now, &mut inbox, &taking)? {
        Handed::Turn(turn) => NextOutcome::Turn(turn),
        Handed::Busy(until) => NextOutcome::busy(until),
        Handed::Nothing => NextOutcome::Empty,
    };
    ledger.put_inbox(owner, inbox, Vec::new())?;
    Ok(outcome)
}

/// C30: hands out the queue of an owner that is due first. None if it has none, or if nothing can take a
/// message; the queue is due later then, or not at all.
pub(crate) fn claim_due_queue<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    options: &StoreOptions,
    owner: &Owner,
    request: &request::ClaimDue,
) -> SessionResult<Option<Turn>> {
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(None);
    };
    let Some((_, scope)) = inbox.first_due().filter(|(at, _)| *at <= now) else {
        return Ok(None);
    };
    let taking = Taking {
        options,
        owner,
        scope,
        secret: TokenSecret::random(),
        lease_millis: request.lease_millis,
        holder: request.holder.clone(),
        max_batch: None,
        reason: Reason::Revived,
        at_once: false,
        strict: false,
        fresh: None,
    };
    let handed = hand_out(ledger, now, &mut inbox, &taking)?;
    ledger.put_inbox(owner, inbox, Vec::new())?;
    Ok(handed.into_turn())
}

/// Puts off the queue of an owner that is due first, as one whose start was refused: its session cannot be
/// read (C37).
#[cfg(feature = "durable")]
pub(crate) fn put_off_queue<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    owner: &Owner,
) -> SessionResult<()> {
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(());
    };
    let due = inbox.first_due().filter(|(at, _)| *at <= now);
    if let Some(queue) = due.and_then(|(_, scope)| inbox.queues.get_mut(&scope)) {
        put_off(queue, now);
    }
    ledger.put_inbox(owner, inbox, Vec::new())
}

/// Returns the messages of a scope, the dead letters last.
pub(crate) fn messages<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Vec<MessageInfo>> {
    let Some(mut inbox) = view.inbox(owner)? else {
        return Ok(Vec::new());
    };
    inbox.drop_ended(now);
    let turn = Occupant::of(view, now, owner, scope)?.turn();
    let queue = inbox.queues.get(scope);
    let queued = queue.into_iter().flat_map(|queue| &queue.messages);
    let queued = queued.map(|queued| {
        let in_flight = turn.is_some_and(|(secret, _)| queued.is_marked(secret));
        let state = match in_flight {
            true => MessageState::InFlight,
            false => MessageState::Waiting,
        };
        info(queued, state)
    });
    let dead = inbox.dead.iter().filter(|dead| dead.scope == *scope);
    let dead = dead.map(|dead| info(&dead.queued, MessageState::DeadLettered(dead.reason)));
    Ok(queued.chain(dead).collect())
}

fn info(queued: &Queued, state: MessageState) -> MessageInfo {
    MessageInfo {
        bytes: queued.bytes,
        since: queued.since,
        until: queued.until,
        attempts: queued.attempts,
        ..MessageInfo::new(MessageId::stored(queued.message), state)
    }
}

/// Drops messages of a scope, and returns how many. Never one in flight.
pub(crate) fn discard<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    request: &OfQueue<Discarded>,
) -> SessionResult<u32> {
    let (owner, scope) = (&request.owner, &request.scope);
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(0);
    };
    inbox.drop_ended(now);
    let turn = Occupant::of(ledger, now, owner, scope)?.turn();
    let before = inbox.len();
    let is_meant = |queued: &Queued, by: Discarded| match request.which {
        Discarded::One(message) => queued.message == message,
        which => which == by,
    };
    if let Some(queue) = inbox.queues.get_mut(scope) {
        queue.messages.retain(|queued| {
            let in_flight = turn.is_some_and(|(secret, _)| queued.is_marked(secret));
            in_flight || !is_meant(queued, Discarded::Waiting)
        });
    }
    inbox.drop_empty();
    inbox
        .dead
        .retain(|dead| dead.scope != *scope || !is_meant(&dead.queued, Discarded::DeadLettered));
    let dropped = before - inbox.len();
    ledger.put_inbox(owner, inbox, Vec::new())?;
    Ok(u32::try_from(dropped).unwrap_or(u32::MAX))
}

/// Puts dead letters of a scope at the back of its queue, as far as they fit, and returns how many.
pub(crate) fn retry<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    options: &StoreOptions,
    request: &OfQueue<Retried>,
) -> SessionResult<u32> {
    let (owner, scope) = (&request.owner, request.scope);
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(0);
    };
    inbox.drop_ended(now);
    let bounds = options.inbox.unwrap_or_default();
    let mut count = inbox.messages().count();
    let mut bytes: usize = inbox.messages().map(|queued| queued.bytes).sum();
    let (mut left, mut retried) = (Vec::new(), 0);
    for dead in std::mem::take(&mut inbox.dead) {
        let is_meant = match request.which {
            Retried::All => true,
            Retried::One(message) => dead.queued.message == message,
        };
        let fits = count < bounds.message_limit() && bytes + dead.queued.bytes <= bounds.max_bytes;
        if dead.scope != scope || !is_meant || !fits {
            left.push(dead);
            continue;
        }
        (count, bytes, retried) = (count + 1, bytes + dead.queued.bytes, retried + 1);
        let queued = Queued {
            number: ledger.next_number(owner, now)?,
            attempts: 0,
            mark: None,
            ..dead.queued
        };
        let queue = inbox.queues.entry(scope).or_default();
        queue.messages.push(queued);
    }
    inbox.dead = left;
    if retried > 0
        && let Some(queue) = inbox.queues.get_mut(&scope)
    {
        queue.wake(now);
    }
    ledger.put_inbox(owner, inbox, Vec::new())?;
    Ok(retried)
}

/// C30: says what is wrong with when the queues of an owner are due; none if nothing is.
pub(crate) fn queue_fault<V: View>(
    view: &V,
    now: Timestamp,
    owner: &Owner,
) -> SessionResult<Option<&'static str>> {
    let Some(inbox) = view.inbox(owner)? else {
        return Ok(None);
    };
    for (scope, queue) in &inbox.queues {
        let occupant = Occupant::of(view, now, owner, scope)?;
        let has_wait = matches!(occupant, Occupant::Wait(..));
        // What a start leads to decides about buffered messages: its commit looks at the queue.
        let can_be_taken = has_wait
            || queue
                .messages
                .iter()
                .any(|queued| queued.if_none != IfNone::Buffer);
        let Some(due) = queue.due else {
            if can_be_taken {
                return Ok(Some("a queue is not in the due index"));
            }
            continue;
        };
        let lease = match &occupant {
            Occupant::Wait(_, head) => head.wait.as_ref().and_then(|wait| wait.lease.as_ref()),
            Occupant::Start(_) | Occupant::None => None,
        };
        let ended = match &occupant {
            Occupant::Start(start) => Some(start.until),
            _ => lease.map(|lease| lease.until),
        };
        let held = queue.messages.iter().filter_map(|queued| queued.mark);
        let held = held.map(|mark| mark.held).max();
        let latest = ended.max(held).unwrap_or(now).max(now).as_millis();
        let latest = latest.saturating_add(super::timeout::LONGEST_PAUSE);
        let quiet = queue.quiet.map_or(0, |quiet| quiet.until.as_millis());
        if can_be_taken && due.as_millis() > latest.max(quiet) {
            return Ok(Some("a queue is due too late"));
        }
    }
    Ok(None)
}
