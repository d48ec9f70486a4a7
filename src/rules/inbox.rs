//! The queues of an owner (C28 to C31), and how a scope's queue comes back into the due index.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Ledger;
use super::timeout::pause;
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::inbox::DeadReason;
use crate::message_id::MessageDigest;
use crate::options::MAX_DEAD_LETTERS;
use crate::owner::Owner;
use crate::request::IfNone;
use crate::scope::ScopeDigest;

/// The body of a message, and the number under which it is stored.
pub(crate) type Body = (u64, Arc<[u8]>);

/// All queues of one owner, without the bodies.
#[derive(Clone, Default)]
pub(crate) struct Inbox {
    /// None of them is empty.
    pub queues: BTreeMap<ScopeDigest, Queue>,
    /// Oldest first.
    pub dead: Vec<DeadLetter>,
}

/// The messages of one scope that are not answered.
#[derive(Clone, Default)]
pub(crate) struct Queue {
    /// In the order of their numbers.
    pub messages: Vec<Queued>,
    /// When `claim_due` looks at the queue. It may be early. None: nothing can take a message, until a
    /// session waits on the scope or another message comes.
    pub due: Option<Timestamp>,
    /// Until when the scope is left unclaimed, if messages are debounced.
    pub quiet: Option<Quiet>,
}

/// The quiet time of a queue whose messages are debounced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quiet {
    /// When the first of the messages came.
    pub since: Timestamp,
    pub until: Timestamp,
}

/// A message of a queue.
#[derive(Clone)]
pub(crate) struct Queued {
    pub message: MessageDigest,
    /// The position in the queue.
    pub number: u64,
    /// The number under which the body is stored.
    pub body: u64,
    pub bytes: usize,
    pub since: Timestamp,
    pub until: Timestamp,
    pub attempts: u32,
    /// The turn that it was handed out with last, if that turn was not released.
    pub mark: Option<Mark>,
    pub if_none: IfNone,
    /// How many messages a turn that begins with it has, if the one who takes it does not say.
    pub max_batch: u32,
}

/// The turn of a message.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    pub secret: TokenSecret,
    /// The end of its lease: the message does not end before.
    pub held: Timestamp,
}

/// A message that is handed out no more.
#[derive(Clone)]
pub(crate) struct DeadLetter {
    pub scope: ScopeDigest,
    pub reason: DeadReason,
    pub queued: Queued,
}

impl Queued {
    /// Returns the instant from which the message is gone.
    pub fn end(&self) -> Timestamp {
        self.mark
            .map_or(self.until, |mark| mark.held.max(self.until))
    }

    pub fn is_marked(&self, secret: TokenSecret) -> bool {
        self.mark.is_some_and(|mark| mark.secret == secret)
    }
}

impl Queue {
    /// Returns when a queue is due whose messages are handed out until then: after a pause, if the turn
    /// is one of the queue.
    pub fn due_after(&self, until: Timestamp, secret: Option<TokenSecret>) -> Timestamp {
        let handed_out = secret.and_then(|secret| {
            let mut messages = self.messages.iter();
            messages.find(|queued| queued.is_marked(secret))
        });
        let pause = handed_out.map_or(0, |queued| pause(queued.attempts));
        Timestamp::from_millis(until.as_millis().saturating_add(pause))
    }

    /// Makes the queue due at once, or when its quiet time is over.
    pub fn wake(&mut self, now: Timestamp) {
        let quiet = self.quiet.map(|quiet| quiet.until);
        self.due = Some(quiet.map_or(now, |until| until.max(now)));
    }

    /// Returns true if one of its messages may start a flow.
    pub fn may_start(&self) -> bool {
        let mut messages = self.messages.iter();
        messages.any(|queued| matches!(queued.if_none, IfNone::Start(_)))
    }
}

impl Inbox {
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.dead.is_empty()
    }

    /// The messages that are no dead letters.
    pub fn messages(&self) -> impl Iterator<Item = &Queued> {
        self.queues.values().flat_map(|queue| &queue.messages)
    }

    /// All messages, dead letters included.
    pub fn all(&self) -> impl Iterator<Item = &Queued> {
        self.messages()
            .chain(self.dead.iter().map(|dead| &dead.queued))
    }

    /// The messages of a turn.
    #[cfg(feature = "durable")]
    pub fn marked(&self, secret: TokenSecret) -> impl Iterator<Item = &Queued> {
        let is_marked = move |queued: &&Queued| queued.is_marked(secret);
        self.messages().filter(is_marked)
    }

    /// Counts all messages, dead letters included.
    pub fn len(&self) -> usize {
        self.messages().count() + self.dead.len()
    }

    /// Returns the scope of a message that is no dead letter.
    pub fn scope_of(&self, message: &MessageDigest) -> Option<ScopeDigest> {
        let has = |queue: &Queue| {
            queue
                .messages
                .iter()
                .any(|queued| queued.message == *message)
        };
        let found = self.queues.iter().find(|(_, queue)| has(queue));
        found.map(|(scope, _)| *scope)
    }

    pub fn is_dead(&self, message: &MessageDigest) -> bool {
        let mut dead = self.dead.iter();
        dead.any(|dead| dead.queued.message == *message)
    }

    /// Returns the scope whose queue is due first.
    pub fn first_due(&self) -> Option<(Timestamp, ScopeDigest)> {
        let queues = self.queues.iter();
        queues
            .filter_map(|(scope, queue)| Some((queue.due?, *scope)))
            .min()
    }

    /// Returns when the first message or dead letter ends.
    pub fn first_end(&self) -> Option<Timestamp> {
        self.all().map(Queued::end).min()
    }

    /// Drops what has ended.
    pub fn drop_ended(&mut self, now: Timestamp) {
        for queue in self.queues.values_mut() {
            queue.messages.retain(|queued| now < queued.end());
        }
        self.dead.retain(|dead| now < dead.queued.end());
        self.drop_empty();
    }

    pub fn drop_empty(&mut self) {
        self.queues.retain(|_, queue| !queue.messages.is_empty());
    }

    /// Adds a dead letter. The oldest above the bound are dropped.
    pub fn bury(&mut self, scope: ScopeDigest, reason: DeadReason, mut queued: Queued) {
        queued.mark = None;
        self.dead.push(DeadLetter {
            scope,
            reason,
            queued,
        });
        let excess = self.dead.len().saturating_sub(MAX_DEAD_LETTERS);
        self.dead.drain(..excess);
    }

    /// Removes the messages of a turn, and returns them.
    pub fn take_marked(&mut self, secret: TokenSecret) -> Vec<Queued> {
        let mut taken = Vec::new();
        for queue in self.queues.values_mut() {
            taken.extend(
                queue
                    .messages
                    .extract_if(.., |queued| queued.is_marked(secret)),
            );
        }
        self.drop_empty();
        taken
    }

    /// Adds the messages of one queue to another, by their numbers.
    pub fn move_queue(&mut self, from: &ScopeDigest, to: ScopeDigest) {
        let Some(moved) = self.queues.remove(from) else {
            return;
        };
        let queue = self.queues.entry(to).or_default();
        queue.messages.extend(moved.messages);
        queue.messages.sort_by_key(|queued| queued.number);
        queue.quiet = queue.quiet.or(moved.quiet);
    }

    /// Removes some messages, dead letters included, and returns how many.
    pub fn drop_some(&mut self, limit: usize) -> usize {
        let mut left = limit;
        for queue in self.queues.values_mut() {
            let count = left.min(queue.messages.len());
            queue.messages.drain(..count);
            left -= count;
        }
        self.drop_empty();
        let count = left.min(self.dead.len());
        self.dead.drain(..count);
        limit - (left - count)
    }
}

/// Makes the queue of a scope due: a session waits there now, or the turn has ended.
pub(super) fn wake<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<()> {
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(());
    };
    let Some(queue) = inbox.queues.get_mut(scope) else {
        return Ok(());
    };
    queue.wake(now);
    ledger.put_inbox(owner, inbox, Vec::new())
}

/// Lets the messages of a turn wait again in their places: it was given back, or taken from its worker.
pub(super) fn end_turn<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    owner: &Owner,
    scope: &ScopeDigest,
    secret: TokenSecret,
) -> SessionResult<()> {
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(());
    };
    let Some(queue) = inbox.queues.get_mut(scope) else {
        return Ok(());
    };
    for queued in &mut queue.messages {
        queued.mark = queued.mark.filter(|mark| mark.secret != secret);
    }
    queue.wake(now);
    ledger.put_inbox(owner, inbox, Vec::new())
}

/// Keeps the messages of a turn until the new end of its lease. The queue of the scope is due after it at
/// the latest: a renewal can shorten the lease, and can open a closed wait again (C32).
pub(super) fn hold<L: Ledger>(
    ledger: &mut L,
    owner: &Owner,
    scope: &ScopeDigest,
    secret: TokenSecret,
    until: Timestamp,
) -> SessionResult<()> {
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(());
    };
    let mut changed = false;
    if let Some(queue) = inbox.queues.get_mut(scope) {
        let latest = queue.due_after(until, Some(secret));
        if queue.due.is_none_or(|due| due > latest) {
            queue.due = Some(latest);
            changed = true;
        }
    }
    let messages = inbox.queues.values_mut();
    for queued in messages.flat_map(|queue| &mut queue.messages) {
        if let Some(mark) = &mut queued.mark
            && mark.secret == secret
        {
            changed |= queued.until < until.max(mark.held);
            mark.held = until;
        }
    }
    match changed {
        true => ledger.put_inbox(owner, inbox, Vec::new()),
        false => Ok(()),
    }
}

/// Drops what has ended of the queues of an owner (C13).
pub(crate) fn drop_ended<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    owner: &Owner,
) -> SessionResult<()> {
    let Some(mut inbox) = ledger.inbox(owner)? else {
        return Ok(());
    };
    inbox.drop_ended(now);
    ledger.put_inbox(owner, inbox, Vec::new())
}
