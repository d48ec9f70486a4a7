//! The hand-over at a commit: the queue moves with the flow, and the next turn is taken (C30).

use super::hand_out::{Handed, Taking, hand_out, handed_before};
use super::{Head, Ledger, Remembered};
use crate::claim::{ClaimToken, Committed};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::holder::Holder;
use crate::options::StoreOptions;
use crate::reason::Reason;
use crate::request::{HandOver, Next};
use crate::scope::ScopeDigest;

/// What a commit does with the queues of its owner.
pub(super) struct Passing {
    /// The scope of the turn, unless its wait has left it.
    from: Option<ScopeDigest>,
    /// Where the flow waits next, or where it ended.
    to: Option<ScopeDigest>,
    /// Who holds the turn. The record of a start does not tell.
    holder: Option<Holder>,
}

impl Passing {
    /// Reads what the commit will change; none if the owner has no queue.
    pub fn before<L: Ledger>(
        ledger: &L,
        now: Timestamp,
        token: &ClaimToken,
        next: &Next,
    ) -> SessionResult<Option<Self>> {
        if !ledger.has_inbox(&token.owner)? {
            return Ok(None);
        }
        let head = match token.start {
            Some(_) => None,
            None => ledger.head(&token.key)?,
        };
        let lease = head
            .as_ref()
            .and_then(|head| head.wait.as_ref()?.lease.as_ref());
        let holder = lease.and_then(|lease| lease.holder.clone());
        let is_open = |head: &Head| !head.is_closed(now);
        let wait = head.filter(is_open).and_then(|head| head.wait);
        let from = token.start.or(wait.map(|wait| wait.scope));
        let to = match next {
            Next::Park {
                scope: Some(scope), ..
            } => Some(scope.ours),
            Next::Park { scope: None, .. } | Next::Finish => from,
        };
        Ok(Some(Self { from, to, holder }))
    }

    /// Remembers the messages of the turn, ends them in the queue, and takes the next turn.
    pub fn pass_on<L: Ledger>(
        self,
        ledger: &mut L,
        now: Timestamp,
        options: &StoreOptions,
        token: &ClaimToken,
        remembered: Remembered,
        hand_over: &HandOver,
    ) -> SessionResult<Committed> {
        let owner = &token.owner;
        let Some(mut inbox) = ledger.inbox(owner)? else {
            ledger.remember(owner, remembered, now, options.message_limit(), now)?;
            return Ok(Committed::new());
        };
        for answered in inbox.take_marked(token.secret) {
            // The message of the token comes last, so that it is the last to be forgotten.
            if answered.message != token.message {
                let mut other = remembered.clone();
                other.message = answered.message;
                if let Some(replies) = &hand_over.replies {
                    let reply = replies.get(&answered.message).cloned();
                    other.reply = reply.map(Box::new);
                }
                ledger.remember(owner, other, now, options.message_limit(), now)?;
            }
        }
        ledger.remember(owner, remembered, now, options.message_limit(), now)?;
        let mut committed = Committed::new();
        if let (Some(from), Some(to)) = (self.from, self.to)
            && from != to
            && hand_over.move_queue
        {
            inbox.move_queue(&from, to);
        }
        for scope in [self.from, self.to].into_iter().flatten() {
            if let Some(queue) = inbox.queues.get_mut(&scope) {
                queue.wake(now);
            }
        }
        if let (Some(lease_millis), Some(scope)) = (hand_over.lease_millis, self.to) {
            let taking = taking(options, token, hand_over, scope, lease_millis, self.holder);
            // What cannot be read fails no commit: the queue is due.
            let handed = hand_out(ledger, now, &mut inbox, &taking);
            committed.next = handed.ok().and_then(Handed::into_turn);
        }
        let queue = self.to.and_then(|scope| inbox.queues.get(&scope));
        let waiting = queue.map_or(0, |queue| {
            let waiting = queue.messages.iter().filter(|queued| queued.mark.is_none());
            waiting.count()
        });
        committed.queued = u32::try_from(waiting).unwrap_or(u32::MAX);
        ledger.put_inbox(owner, inbox, Vec::new())?;
        Ok(committed)
    }
}

/// The outcome of a commit that was done before. With the same operation, its next turn is found (C14).
pub(super) fn handed_over_before<L: Ledger>(
    ledger: &L,
    now: Timestamp,
    token: &ClaimToken,
    hand_over: &HandOver,
) -> SessionResult<Committed> {
    let mut committed = Committed::new();
    if hand_over.lease_millis.is_some()
        && let Some(inbox) = ledger.inbox(&token.owner)?
    {
        committed.next = handed_before(ledger, now, &inbox, &token.owner, hand_over.secret)?;
    }
    Ok(committed)
}

fn taking<'a>(
    options: &'a StoreOptions,
    token: &'a ClaimToken,
    hand_over: &HandOver,
    scope: ScopeDigest,
    lease_millis: u64,
    holder: Option<Holder>,
) -> Taking<'a> {
    Taking {
        options,
        owner: &token.owner,
        scope,
        secret: hand_over.secret,
        lease_millis,
        holder,
        max_batch: Some(hand_over.max_batch),
        reason: Reason::Message,
        at_once: false,
        strict: false,
        fresh: None,
    }
}
