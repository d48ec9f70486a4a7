//! The hand-out of messages: the front of a queue becomes a turn (C29).

use greentic_types::SessionKey;

use super::inbox::{Body, Inbox, Mark, Queue, Queued};
use super::lease::{NewLease, take};
use super::start::kept;
use super::starts::{NewStart, begin};
use super::timeout::pause;
use super::{Head, Ledger, Start, View, waiting};
use crate::claim::{ClaimToken, TokenSecret, Turn};
use crate::clock::Timestamp;
use crate::error::{ErrorCode, GreenticError, SessionResult};
use crate::holder::Holder;
use crate::inbox::DeadReason;
use crate::message::Message;
use crate::message_id::{MessageDigest, MessageId};
use crate::options::{MAX_BATCH, MAX_BATCH_BYTES, StoreOptions};
use crate::owner::Owner;
use crate::reason::Reason;
use crate::request::IfNone;
use crate::scope::ScopeDigest;

/// What has the turn of a scope, or would have it.
pub(super) enum Occupant {
    Wait(SessionKey, Head),
    /// A start claim that was not released and still counts.
    Start(Start),
    None,
}

impl Occupant {
    pub fn of<V: View>(
        view: &V,
        now: Timestamp,
        owner: &Owner,
        scope: &ScopeDigest,
    ) -> SessionResult<Self> {
        if let Some((key, head)) = waiting(view, now, owner, scope)? {
            return Ok(Self::Wait(key, head));
        }
        let start = kept(view, now, owner, scope)?.filter(|start| !start.released);
        Ok(start.map_or(Self::None, Self::Start))
    }

    /// Returns the end of the lease, if a turn is live.
    pub fn busy_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Wait(_, head) => {
                let lease = head.wait.as_ref()?.lease.as_ref()?;
                lease.is_live(now).then_some(lease.until)
            }
            Self::Start(start) => start.is_live(now).then_some(start.until),
            Self::None => None,
        }
    }

    /// Returns true if the scope is where a message goes that is tried on several.
    pub fn takes(&self, now: Timestamp) -> bool {
        matches!(self, Self::Wait(..)) || self.busy_until(now).is_some()
    }

    /// Returns the secret and the message of the turn, live or not taken over yet.
    pub fn turn(&self) -> Option<(TokenSecret, MessageDigest)> {
        match self {
            Self::Wait(_, head) => {
                let lease = head.wait.as_ref()?.lease.as_ref()?;
                Some((lease.secret, lease.message))
            }
            Self::Start(start) => Some((start.secret, start.message)),
            Self::None => None,
        }
    }
}

/// Who takes a turn.
pub(super) struct Taking<'a> {
    pub options: &'a StoreOptions,
    pub owner: &'a Owner,
    pub scope: ScopeDigest,
    pub secret: TokenSecret,
    pub lease_millis: u64,
    pub holder: Option<Holder>,
    /// None: what the message at the front says.
    pub max_batch: Option<u32>,
    pub reason: Reason,
    /// True for a caller that waits for no quiet time.
    pub at_once: bool,
    /// True if a start that is refused fails the call. Otherwise it counts as an attempt.
    pub strict: bool,
    /// A body that is not stored yet.
    pub fresh: Option<&'a Body>,
}

pub(super) enum Handed {
    Turn(Turn),
    Busy(Timestamp),
    Nothing,
}

impl Handed {
    pub fn into_turn(self) -> Option<Turn> {
        match self {
            Self::Turn(turn) => Some(turn),
            Self::Busy(_) | Self::Nothing => None,
        }
    }
}

/// Hands out the front of the queue of a scope, if nothing else has the turn, and says in the queue when
/// it is due next. The caller stores the queues, which are complete also after an error.
pub(super) fn hand_out<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    inbox: &mut Inbox,
    taking: &Taking<'_>,
) -> SessionResult<Handed> {
    let occupant = Occupant::of(ledger, now, taking.owner, &taking.scope)?;
    let Some(mut queue) = inbox.queues.remove(&taking.scope) else {
        return Ok(Handed::Nothing);
    };
    if let Some(until) = occupant.busy_until(now) {
        let secret = occupant.turn().map(|(secret, _)| secret);
        queue.due = Some(queue.due_after(until, secret));
        inbox.queues.insert(taking.scope, queue);
        return Ok(Handed::Busy(until));
    }
    let has_wait = matches!(occupant, Occupant::Wait(..));
    count_lapses(inbox, &mut queue, taking);
    queue.messages.retain(|queued| now < queued.end());
    let answered = drop_answered(ledger, now, &mut queue, taking);
    if let Err(error) = answered {
        inbox.queues.insert(taking.scope, queue);
        return Err(error);
    }
    if !has_wait {
        bury_refused(inbox, &mut queue, taking.scope);
    }
    let handed = match queue.messages.is_empty() {
        true => return Ok(Handed::Nothing),
        false if !has_wait && !queue.may_start() => {
            queue.due = None;
            Ok(Handed::Nothing)
        }
        false => turn(ledger, now, &mut queue, occupant, taking),
    };
    inbox.queues.insert(taking.scope, queue);
    handed
}

/// Counts the turns that ended without a release. A message that had too many becomes a dead letter.
fn count_lapses(inbox: &mut Inbox, queue: &mut Queue, taking: &Taking<'_>) {
    for queued in &mut queue.messages {
        if queued.mark.take().is_some() {
            queued.attempts = queued.attempts.saturating_add(1);
        }
    }
    let most = most_attempts(taking.options);
    let spent = queue
        .messages
        .extract_if(.., |queued| queued.attempts >= most);
    for queued in spent {
        inbox.bury(taking.scope, DeadReason::Attempts, queued);
    }
}

fn most_attempts(options: &StoreOptions) -> u32 {
    let bounds = options.inbox.unwrap_or_default();
    bounds.max_attempts.max(1)
}

/// Drops messages that were committed otherwise, as far as a turn can reach.
fn drop_answered<L: Ledger>(
    ledger: &L,
    now: Timestamp,
    queue: &mut Queue,
    taking: &Taking<'_>,
) -> SessionResult<()> {
    let mut kept = 0;
    while let Some(queued) = queue.messages.get(kept)
        && kept < MAX_BATCH as usize
    {
        let done = ledger.remembered(taking.owner, &queued.message)?;
        if done.is_some_and(|done| now < done.until) {
            queue.messages.remove(kept);
        } else {
            kept += 1;
        }
    }
    Ok(())
}

/// No session waits: the messages that only a session takes are dead letters, up to the first that starts
/// a flow.
fn bury_refused(inbox: &mut Inbox, queue: &mut Queue, scope: ScopeDigest) {
    let starts = |queued: &Queued| matches!(queued.if_none, IfNone::Start(_));
    let before = queue.messages.iter().position(starts);
    let before = before.unwrap_or(queue.messages.len());
    let refused = queue
        .messages
        .extract_if(..before, |queued| queued.if_none == IfNone::Refuse);
    for queued in refused {
        inbox.bury(scope, DeadReason::NoWait, queued);
    }
}

/// Gives the turn of a free scope to the messages at the front.
fn turn<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    queue: &mut Queue,
    occupant: Occupant,
    taking: &Taking<'_>,
) -> SessionResult<Handed> {
    if let Some(quiet) = queue.quiet.filter(|quiet| now < quiet.until)
        && !taking.at_once
    {
        queue.due = Some(quiet.until);
        return Ok(Handed::Nothing);
    }
    let count = batch(&queue.messages, taking.max_batch);
    let Some(front) = queue.messages.first().map(|front| front.message) else {
        return Ok(Handed::Nothing);
    };
    let messages = queue.messages.iter().take(count);
    let messages = messages
        .map(|queued| message(ledger, queued, taking.owner, taking.fresh))
        .collect::<SessionResult<_>>()?;
    let taken = match occupant {
        Occupant::Wait(key, head) => resume(ledger, now, &key, &head, front, taking),
        Occupant::Start(_) | Occupant::None => start(ledger, now, queue, front, taking),
    };
    let mut turn = match taken {
        Ok(turn) => turn,
        // What cannot be read now can be read later.
        Err(error) if taking.strict || error.code == ErrorCode::Unavailable => return Err(error),
        Err(_refused) => {
            put_off(queue, now);
            return Ok(Handed::Nothing);
        }
    };
    turn.messages = messages;
    let held = turn.lease_until;
    for queued in queue.messages.iter_mut().take(count) {
        queued.mark = Some(Mark {
            secret: taking.secret,
            held,
        });
    }
    queue.quiet = None;
    queue.due = Some(queue.due_after(held, Some(taking.secret)));
    Ok(Handed::Turn(turn))
}

/// C29: a message whose turn has lapsed is handed out alone.
fn batch(messages: &[Queued], most: Option<u32>) -> usize {
    let Some(front) = messages.first() else {
        return 0;
    };
    let most = most.unwrap_or(front.max_batch) as usize;
    let mut bytes = 0_usize;
    let fits = |queued: &&Queued| {
        bytes = bytes.saturating_add(queued.bytes);
        queued.attempts == 0 && bytes <= MAX_BATCH_BYTES
    };
    let fitting = messages.iter().take(most).take_while(fits).count();
    fitting.max(1)
}

fn message<L: Ledger>(
    ledger: &L,
    queued: &Queued,
    owner: &Owner,
    fresh: Option<&Body>,
) -> SessionResult<Message> {
    let fresh = fresh.filter(|(number, _)| *number == queued.body);
    let body = match fresh {
        Some((_, body)) => Some(body.clone()),
        None => ledger.body(owner, queued.body)?,
    };
    let body = body.ok_or_else(no_body)?;
    Ok(Message::new(MessageId::stored(queued.message), body))
}

fn no_body() -> GreenticError {
    GreenticError::new(ErrorCode::Internal, "a message of a queue has no body")
}

/// A start was refused: its key is taken, or the owner has too many waits. It is tried again after a
/// pause, as often as a message may be handed out.
pub(super) fn put_off(queue: &mut Queue, now: Timestamp) {
    if let Some(front) = queue.messages.first_mut() {
        let until = now.as_millis().saturating_add(pause(front.attempts));
        front.mark = None;
        front.attempts = front.attempts.saturating_add(1);
        queue.due = Some(Timestamp::from_millis(until));
    }
}

fn resume<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    key: &SessionKey,
    head: &Head,
    message: MessageDigest,
    taking: &Taking<'_>,
) -> SessionResult<Turn> {
    let new = NewLease {
        secret: taking.secret,
        millis: taking.lease_millis,
        message,
        holder: taking.holder.clone(),
    };
    let (lease, attempt) = take(ledger, now, key, head, new)?;
    let session = match ledger.session(key) {
        Ok(session) => session,
        Err(error) => {
            // Nobody gets the turn.
            ledger.put_head(key, &head.taken(lease), head.clone())?;
            return Err(error);
        }
    };
    Ok(Turn {
        session,
        token: ClaimToken {
            owner: taking.owner.clone(),
            key: key.clone(),
            message,
            secret: taking.secret,
            fencing: lease.fencing,
            start: None,
        },
        messages: Vec::new(),
        reason: taking.reason,
        attempt,
        lease_until: lease.until,
    })
}

fn start<L: Ledger>(
    ledger: &mut L,
    now: Timestamp,
    queue: &Queue,
    message: MessageDigest,
    taking: &Taking<'_>,
) -> SessionResult<Turn> {
    let key = queue
        .messages
        .iter()
        .find_map(|queued| match &queued.if_none {
            IfNone::Start(key) => Some(key.clone()),
            IfNone::Buffer | IfNone::Refuse => None,
        });
    let before = kept(ledger, now, taking.owner, &taking.scope)?;
    let new = NewStart {
        owner: taking.owner,
        scope: &taking.scope,
        key: key.flatten().unwrap_or_else(|| taking.secret.session_key()),
        secret: taking.secret,
        message,
        lease_millis: taking.lease_millis,
        max_waits: taking.options.max_waits,
    };
    let start = begin(ledger, now, before, &new)?;
    Ok(Turn {
        session: None,
        token: ClaimToken {
            owner: taking.owner.clone(),
            key: start.key,
            message,
            secret: taking.secret,
            fencing: start.fencing,
            start: Some(taking.scope),
        },
        messages: Vec::new(),
        reason: taking.reason,
        attempt: start.attempt,
        lease_until: start.until,
    })
}

/// Returns the turn that an earlier attempt of the same call got (C14).
pub(super) fn handed_before<L: Ledger>(
    ledger: &L,
    now: Timestamp,
    inbox: &Inbox,
    owner: &Owner,
    secret: TokenSecret,
) -> SessionResult<Option<Turn>> {
    let marked = |queue: &Queue| {
        let messages = queue.messages.iter();
        let own = messages.filter(|queued| queued.is_marked(secret));
        own.cloned().collect::<Vec<_>>()
    };
    let mut queues = inbox.queues.iter();
    let found = queues.find_map(|(scope, queue)| {
        Some((*scope, marked(queue))).filter(|(_, own)| !own.is_empty())
    });
    let Some((scope, own)) = found else {
        return Ok(None);
    };
    let occupant = Occupant::of(ledger, now, owner, &scope)?;
    if occupant.turn().is_none_or(|(other, _)| other != secret) {
        return Ok(None);
    }
    let messages = own
        .iter()
        .map(|queued| message(ledger, queued, owner, None));
    let messages = messages.collect::<SessionResult<_>>()?;
    let (session, key, fencing, attempt, until, digest, start) = match occupant {
        Occupant::Wait(key, head) => {
            let Some((wait, lease)) = head
                .wait
                .as_ref()
                .and_then(|wait| Some((wait, wait.lease.as_ref()?)))
            else {
                return Ok(None);
            };
            let session = ledger.session(&key)?;
            (
                session,
                key,
                lease.fencing,
                wait.attempt,
                lease.until,
                lease.message,
                None,
            )
        }
        Occupant::Start(start) => (
            None,
            start.key,
            start.fencing,
            start.attempt,
            start.until,
            start.message,
            Some(scope),
        ),
        Occupant::None => return Ok(None),
    };
    Ok(Some(Turn {
        session,
        token: ClaimToken {
            owner: owner.clone(),
            key,
            message: digest,
            secret,
            fencing,
            start,
        },
        messages,
        reason: Reason::Message,
        attempt,
        lease_until: until,
    }))
}
