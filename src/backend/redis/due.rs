//! Timeouts: claims of what is due, and the timeouts of waits (C32, C33).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use greentic_types::ErrorCode;
use redis::{FromRedisValue, Pipeline, Value};

use super::claims::{release, released_if_dropped};
use super::client::topology::Route;
use super::config::address::Address;
use super::dispatch::Dispatcher;
use super::ownership::coverage::Coverage;
use super::ownership::{Clustered, KeyLayout};
use super::script::arguments;
use super::script::keys::Keys;
use super::script::reply::{Answer, Stored, unexpected};
use super::script::status::Status;
use super::script::wire::{ClaimedBy, OwnerCall};
use super::transport::info;
use crate::claim::{ClaimToken, TokenSecret, Turn};
use crate::clock::Timestamp;
use crate::due::{DuePage, LONGEST_POLL};
use crate::error::{SessionResult, not_found};
use crate::holder::Holder;
use crate::reason::Reason;
use crate::request;
use crate::session::Session;

/// How many turns one script hands out at most. Few, because other calls wait behind it.
const PAGE: usize = 16;
/// How many scripts one call runs at most, on one server. Some may find only what has ended.
const SCRIPTS: usize = 8;

/// Hands out turns that are due.
pub async fn claim_due(
    dispatcher: &Arc<Dispatcher>,
    request: request::ClaimDue,
) -> SessionResult<DuePage> {
    let sent = Arc::new(AtomicBool::new(false));
    let poll = Poll {
        dispatcher: Arc::clone(dispatcher),
        lease: request.lease_millis,
        holder: request.holder,
        sent: Arc::clone(&sent),
    };
    let call = async move {
        match &poll.dispatcher.layout {
            KeyLayout::Flat(keys) => poll.one_server(keys, request.limit).await,
            KeyLayout::Clustered(clustered) => poll.cluster(clustered, request.limit).await,
        }
    };
    released_if_dropped(dispatcher, sent, call, |page| page.turns).await
}

/// One call of `claim_due`.
struct Poll {
    dispatcher: Arc<Dispatcher>,
    lease: u64,
    holder: Option<Holder>,
    sent: Arc<AtomicBool>,
}

/// What a script has handed out, and the time to the next wait of its set.
#[derive(Default)]
struct Handed {
    turns: Vec<Turn>,
    next: Option<Duration>,
}

impl Poll {
    async fn one_server(&self, keys: &Keys, limit: usize) -> SessionResult<DuePage> {
        let commands = first_of([keys.due()].iter());
        let answers = self.dispatcher.client.answers_at(&Route::Master, commands);
        let (mut next, mut turns) = (first_wait(&answers.await?)?, Vec::new());
        for _script in 0..SCRIPTS {
            let is_due = next.is_some_and(|next| next.is_zero());
            if !is_due || turns.len() == limit {
                break;
            }
            let count = PAGE.min(limit - turns.len());
            match self.claim_in(keys, count).await {
                Ok(handed) => {
                    turns.extend(handed.turns);
                    next = handed.next;
                }
                Err(_later) if !turns.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        let next = next.unwrap_or(LONGEST_POLL);
        Ok(DuePage::new(turns, next.is_zero(), next))
    }

    /// Looks at a share of all slots, and claims in those where a wait is due.
    async fn cluster(&self, clustered: &Clustered, limit: usize) -> SessionResult<DuePage> {
        let coverage = &clustered.coverage;
        let share = coverage.share(Instant::now());
        let looked = self.look_at(clustered, &share).await;
        let slots = coverage.due(Instant::now(), limit);
        let count = (limit / slots.len().max(1)).clamp(1, PAGE);
        let claims = slots.iter().map(|slot| async move {
            let keys = Keys::of_slot(clustered.pointers.namespace(), *slot);
            let claimed = self.claim_in(&keys, count).await;
            if let Ok(handed) = &claimed {
                coverage.found(*slot, Instant::now(), handed.next);
            }
            claimed
        });
        let (mut turns, mut failure) = (Vec::new(), looked.err());
        for claimed in join_all(claims).await {
            match claimed {
                Ok(handed) => turns.extend(handed.turns),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if turns.is_empty() => Err(error),
            _ => {
                let next = coverage.next(Instant::now());
                Ok(DuePage::new(turns, next.is_zero(), next))
            }
        }
    }

    /// Reads when the first waits of some slots are due, from all their nodes at once.
    async fn look_at(&self, clustered: &Clustered, slots: &[u16]) -> SessionResult<()> {
        let client = &self.dispatcher.client;
        let unknown = slots.iter().any(|slot| client.master_of(*slot).is_none());
        if unknown {
            client.masters().await?;
        }
        let mut nodes: BTreeMap<Address, Vec<u16>> = BTreeMap::new();
        for slot in slots {
            if let Some(node) = client.master_of(*slot) {
                nodes.entry(node).or_default().push(*slot);
            }
        }
        let looks = nodes.into_iter().map(|(node, slots)| async move {
            let names = |slot: &u16| Keys::of_slot(clustered.pointers.namespace(), *slot).due();
            let names: Vec<_> = slots.iter().map(names).collect();
            let commands = first_of(names.iter());
            let answers = client.answers_at(&Route::Node(node), commands).await?;
            note_all(&clustered.coverage, &slots, &answers)
        });
        let looked = join_all(looks).await;
        looked.into_iter().collect()
    }

    /// Claims what is due in one set, at most `count` turns.
    async fn claim_in(&self, keys: &Keys, count: usize) -> SessionResult<Handed> {
        let arguments = arguments::ClaimDue {
            lease: self.lease,
            claimed_by: ClaimedBy(self.holder.as_ref()),
            secrets: (0..count).map(|_| TokenSecret::random()).collect(),
        };
        let call = OwnerCall::new(keys, keys.due(), arguments).noting(&self.sent);
        let mut answer = self.dispatcher.answer(call).await?;
        if answer.status != Status::Ok {
            return answer.unexpected();
        }
        let now = answer.timestamp()?;
        let next = answer.instant()?.map(|at| at.since(now));
        let (mut turns, mut failure) = (Vec::new(), None);
        for value in answer.values()? {
            // A turn that cannot be read stays claimed, so that it is handed out less and less often.
            let Ok(mut turn) = self.turn(keys, value) else {
                continue;
            };
            match self.open(&turn.stored, failure.is_none()).await {
                Ok(session) => {
                    turn.turn.session = Some(session);
                    turns.push(turn.turn);
                }
                Err(error) if error.code == ErrorCode::Unavailable => {
                    failure = Some(error);
                    let _released = release(&self.dispatcher, &turn.turn.token).await;
                }
                Err(_unreadable) => {}
            }
        }
        match failure {
            Some(error) if turns.is_empty() => Err(error),
            _ => Ok(Handed { turns, next }),
        }
    }

    /// Opens a session. Asks the vault for its key only if it may, so that a vault that hangs is waited
    /// for once.
    async fn open(&self, stored: &Stored, may_ask: bool) -> SessionResult<Arc<Session>> {
        match may_ask {
            true => self.dispatcher.opened(stored).await,
            false => self.dispatcher.opened_at_once(stored),
        }
    }

    fn turn(&self, keys: &Keys, value: Value) -> SessionResult<Sealed> {
        let stored = Answer::read(keys.clone(), value)?.stored()?;
        let record = &stored.record;
        let token = ClaimToken {
            owner: record.owner.clone(),
            key: stored.key.clone(),
            message: record.message.ok_or_else(unexpected)?,
            secret: record.secret.ok_or_else(unexpected)?,
            fencing: record.fencing,
            start: None,
        };
        let lease = Duration::from_millis(self.lease);
        self.dispatcher.layout.confirm(&token, record, lease);
        let turn = Turn {
            session: None,
            token,
            messages: Vec::new(),
            reason: Reason::Timeout,
            attempt: record.attempt,
            lease_until: record.lease_until,
        };
        Ok(Sealed { turn, stored })
    }
}

/// A turn whose session is not opened yet.
struct Sealed {
    turn: Turn,
    stored: Stored,
}

/// Reads the first member of each set, and the time.
fn first_of<'n>(names: impl Iterator<Item = &'n String>) -> Pipeline {
    let mut commands = redis::pipe();
    for name in names {
        commands
            .cmd("ZRANGE")
            .arg(name)
            .arg(0)
            .arg(0)
            .arg("WITHSCORES");
    }
    commands.cmd("TIME");
    commands
}

/// The time to the first wait of the only set.
fn first_wait(answers: &[Value]) -> SessionResult<Option<Duration>> {
    match answers {
        [first, time] => time_to(first, now_of(time)?),
        _ => Err(unexpected()),
    }
}

/// Notes when the first waits of some slots are due. A slot that has moved is looked at in the next round.
fn note_all(coverage: &Coverage, slots: &[u16], answers: &[Value]) -> SessionResult<()> {
    let (time, firsts) = answers.split_last().ok_or_else(unexpected)?;
    let now = now_of(time)?;
    let seen = Instant::now();
    for (slot, first) in slots.iter().zip(firsts) {
        if let Ok(first) = time_to(first, now) {
            coverage.found(*slot, seen, first);
        }
    }
    Ok(())
}

fn now_of(time: &Value) -> SessionResult<Timestamp> {
    info::time(time.clone()).ok_or_else(unexpected)
}

/// The time from `now` to the first member, from the answer to ZRANGE; none for an empty set.
fn time_to(first: &Value, now: Timestamp) -> SessionResult<Option<Duration>> {
    let members = <Vec<(Vec<u8>, f64)>>::from_redis_value(first.clone());
    let members = members.map_err(|_| unexpected())?;
    // A score that is no instant is looked at now: the script corrects it.
    let instant = |score: f64| format!("{score:.0}").parse().unwrap_or(0);
    let first = members.first().map(|(_, score)| instant(*score));
    Ok(first.map(|at| Timestamp::from_millis(at).since(now)))
}

/// Sets or takes away the timeout of a wait.
pub async fn set_timeout(
    dispatcher: &Dispatcher,
    request: request::SetTimeout,
) -> SessionResult<Option<Timestamp>> {
    let request::SetTimeout {
        fence,
        key,
        timeout,
    } = &request;
    let location = dispatcher.locate(key, fence.as_ref()).await?;
    let location = location.ok_or_else(|| not_found(key))?;
    let arguments = arguments::SetTimeout {
        key,
        fence: fence.as_ref(),
        timeout: *timeout,
    };
    let call = OwnerCall::new(&location.keys, location.keys.session(key), arguments);
    let mut answer = dispatcher.answer(call).await?;
    match answer.status {
        Status::Ok => {
            if let Some(owner) = &location.owner {
                dispatcher.layout.expect(owner, *timeout);
            }
            answer.instant()
        }
        Status::NotFound => Err(not_found(key)),
        Status::LateTimeout => Err(answer.late_timeout(*timeout)),
        _ => answer.unexpected(),
    }
}
