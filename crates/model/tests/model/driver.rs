//! Makes the calls of the small world on a store, and puts its answers into the small world's words.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use greentic_session::clock::Timestamp;
use greentic_session::{
    AsyncSessionStore, ClaimOptions, ClaimOutcome, ClaimToken, ClearOutcome, Commit, CommitOptions,
    CreateOptions, CreateOutcome, DueOptions, MessageId, OperationId, ParkOptions, ParkOutcome,
    RemoveOptions, Session, SessionData, SessionKey, SessionResult, SessionStore, StartOptions,
    Timeout, Turn, UpdateOptions,
};

use super::answer::{Answer, Failure, Given, Key, Seen, Tick};
use super::op::{After, Api, Op, Slot};
use crate::harness::Harness;
use crate::world::{KEYS, content, ctx, data, scope, user};

/// The largest page.
const MOST_DUE: usize = 100;

/// One caller, with the claims that it won.
pub struct Driver {
    /// None while the store is closed.
    apis: Option<Apis>,
    keys: Vec<SessionKey>,
    tokens: HashMap<Slot, ClaimToken>,
    started: Timestamp,
    tick: Duration,
}

struct Apis {
    store: Arc<dyn AsyncSessionStore>,
    sync_store: Arc<dyn SessionStore>,
}

impl Apis {
    fn of<H: Harness>(harness: &H) -> Self {
        Self {
            store: harness.store(),
            sync_store: harness.sync_store(),
        }
    }
}

impl Driver {
    pub fn new<H: Harness>(harness: &H, started: Timestamp, tick: Duration) -> Self {
        Self {
            apis: Some(Apis::of(harness)),
            keys: (0..KEYS)
                .map(|index| SessionKey::new(format!("key-{index}")))
                .collect(),
            tokens: HashMap::new(),
            started,
            tick,
        }
    }

    /// Another caller, who holds the same claims.
    pub fn another<H: Harness>(&self, harness: &H) -> Self {
        Self {
            tokens: self.tokens.clone(),
            ..Self::new(harness, self.started, self.tick)
        }
    }

    /// Closes the store and goes on with it once it is open again.
    pub fn reopen<H: Harness>(&mut self, harness: &mut H) {
        self.apis = None;
        harness.reopen();
        self.apis = Some(Apis::of(harness));
    }

    fn apis(&self) -> &Apis {
        self.apis.as_ref().expect("the store is open")
    }

    pub fn call(&mut self, api: Api, op: &Op) -> Answer {
        let store = Arc::clone(&self.apis().store);
        let result = match api {
            Api::Async => pollster::block_on(self.ask(store.as_ref(), op)),
            Api::Sync => match self.ask_sync(op) {
                Some(result) => result,
                None => return self.call(Api::Async, op),
            },
        };
        result.unwrap_or_else(|error| {
            Answer::Failed(Failure::of(&error, |millis| self.tick_of(millis)))
        })
    }

    /// Whether the sync API has this call.
    pub fn is_in_sync_api(op: &Op) -> bool {
        match op {
            Op::Create {
                key,
                ttl,
                operation,
                ..
            } => (key, ttl, operation) == (&None, &None, &None),
            Op::Update {
                fence,
                if_revision,
                claim,
                operation,
                ..
            } => (fence, if_revision, claim, operation) == (&None, &None, &None, &None),
            Op::Remove {
                fence, if_revision, ..
            } => (fence, if_revision) == (&None, &None),
            Op::Park {
                next,
                if_absent,
                operation,
                ..
            } => (if_absent, operation, next.timeout) == (&false, &None, None),
            Op::Get(_) | Op::Find(..) | Op::Waits(_) | Op::Latest(_) | Op::Clear(..) => true,
            _ => false,
        }
    }

    async fn ask(&mut self, store: &dyn AsyncSessionStore, op: &Op) -> SessionResult<Answer> {
        Ok(match op {
            &Op::Create {
                by,
                of,
                key,
                content,
                ttl,
                operation,
            } => {
                let options = CreateOptions::new();
                let mut options =
                    operation.map_or(options.clone(), |id| options.operation(named(id)));
                options.key = key.map(|key| self.key(key).clone());
                options.ttl = ttl.map(|ttl| self.span(ttl)).into();
                match store.create(&ctx(by), data(of, content), options).await? {
                    CreateOutcome::Created(created) => Answer::Created(self.number(created, key)),
                    CreateOutcome::Exists => Answer::CreateExists,
                    other => unreachable!("{other:?}"),
                }
            }
            &Op::Get(key) => {
                let found = store.get(self.key(key)).await?;
                Answer::Session(found.map(|session| self.seen(&session)))
            }
            &Op::GetFenced(by, key) => {
                let found = store.get_fenced(&ctx(by), self.key(key)).await?;
                Answer::Session(found.map(|session| self.seen(&session)))
            }
            &Op::Update {
                fence,
                key,
                of,
                content,
                if_revision,
                claim,
                operation,
            } => {
                let mut options = UpdateOptions::new();
                options.if_revision = if_revision;
                options.operation = operation.map(named);
                if let Some(slot) = claim {
                    let Some(token) = self.tokens.get(&slot) else {
                        return Ok(Answer::Skipped);
                    };
                    options = options.claim(token.clone());
                }
                let (key, data) = (self.key(key), data(of, content));
                Answer::Revision(match fence {
                    Some(by) => store.update_fenced(&ctx(by), key, data, options).await?,
                    None => store.update(key, data, options).await?,
                })
            }
            &Op::Remove {
                fence,
                key,
                if_revision,
            } => {
                let mut options = RemoveOptions::new();
                options.if_revision = if_revision;
                let key = self.key(key);
                match fence {
                    Some(by) => store.remove_fenced(&ctx(by), key, options).await,
                    None => store.remove(key, options).await,
                }?;
                Answer::Done
            }
            Op::Park {
                by,
                scope: on,
                key,
                next,
                if_absent,
                operation,
            } => {
                let mut options = ParkOptions::new();
                options.ttl = next.ttl.map(|ttl| self.span(ttl)).into();
                options.timeout = next.timeout.map(|after| self.timeout(after));
                options.if_absent = *if_absent;
                options.operation = operation.map(named);
                let (context, user, on) = (ctx(by.ctx), user(by.user), scope(*on));
                let stored = data(next.of, next.content);
                let parked = store.park(&context, &user, &on, self.key(*key), stored, options);
                match parked.await? {
                    ParkOutcome::Registered { revision } => Answer::Revision(revision),
                    ParkOutcome::Exists(key) => Answer::ParkExists(self.number_of(&key)),
                    other => unreachable!("{other:?}"),
                }
            }
            &Op::Find(by, on) => {
                let found = store.find(&ctx(by.ctx), &user(by.user), &scope(on)).await?;
                Answer::Found(found.map(|key| self.number_of(&key)))
            }
            Op::Waits(by) => {
                let keys = store.waits(&ctx(by.ctx), &user(by.user)).await?;
                Answer::List(keys.iter().map(|key| self.number_of(key)).collect())
            }
            Op::Latest(by) => {
                let found = store.latest(&ctx(by.ctx), &user(by.user)).await?;
                Answer::Session(found.map(|session| self.seen(&session)))
            }
            &Op::Clear(by, on) => {
                match store
                    .clear(&ctx(by.ctx), &user(by.user), &scope(on))
                    .await?
                {
                    ClearOutcome::Cleared(key) => Answer::Cleared(self.number_of(&key)),
                    ClearOutcome::NoWait => Answer::NothingToClear,
                    other => unreachable!("{other:?}"),
                }
            }
            &Op::SetTimeout {
                fence,
                key,
                timeout,
            } => {
                let timeout = timeout.map(|after| self.timeout(after));
                let key = self.key(key);
                let at = match fence {
                    Some(by) => store.set_timeout_fenced(&ctx(by), key, timeout).await,
                    None => store.set_timeout(key, timeout).await,
                }?;
                Answer::Timeout(at.map(|at| self.tick_of(at.as_millis())))
            }
            &Op::ClaimDue { lease, slot } => self.claim_due(store, lease, slot).await?,
            _ => return self.ask_with_claim(store, op).await,
        })
    }

    /// Asks until nothing more is due.
    async fn claim_due(
        &mut self,
        store: &dyn AsyncSessionStore,
        lease: Tick,
        slot: Slot,
    ) -> SessionResult<Answer> {
        let options = DueOptions::new(self.span(lease)).limit(MOST_DUE);
        let mut given = Vec::new();
        loop {
            let page = store.claim_due(&options).await?;
            for turn in page.turns {
                given.push((self.given(&turn), turn.token));
            }
            if !page.more {
                break;
            }
        }
        given.sort_by_key(|(turn, _)| turn.key);
        let (given, tokens): (Vec<_>, Vec<_>) = given.into_iter().unzip();
        if let Some(token) = tokens.into_iter().next() {
            self.tokens.insert(slot, token);
        }
        Ok(Answer::Due(given))
    }

    fn given(&mut self, turn: &Turn) -> Given {
        Given {
            session: turn.session.as_deref().map(|session| self.seen(session)),
            key: self.number_or_new(turn.token.session_key()),
            attempt: turn.attempt,
            until: self.tick_of(turn.lease_until.as_millis()),
        }
    }

    async fn ask_with_claim(
        &mut self,
        store: &dyn AsyncSessionStore,
        op: &Op,
    ) -> SessionResult<Answer> {
        if let &Op::Claim {
            by,
            ref scopes,
            message,
            lease,
            slot,
            start,
        } = op
        {
            let (context, user) = (ctx(by.ctx), user(by.user));
            let scopes: Vec<_> = scopes.iter().map(|on| scope(*on)).collect();
            let (message, mut options) =
                (MessageId::new(message), ClaimOptions::new(self.span(lease)));
            if let Some(key) = start {
                let mut start = StartOptions::new();
                start.key = key.map(|key| self.key(key).clone());
                options = options.start(start);
            }
            let claimed = store.claim(&context, &user, &scopes, &message, options);
            return Ok(match claimed.await? {
                ClaimOutcome::Claimed(claim) => {
                    let answer = Answer::Claimed(self.given(&claim));
                    self.tokens.insert(slot, claim.token);
                    answer
                }
                ClaimOutcome::Busy {
                    until,
                    same_message,
                    ..
                } => Answer::Busy(self.tick_of(until.as_millis()), same_message),
                ClaimOutcome::Duplicate { reply, .. } => {
                    let reply = reply.map(|reply| String::from_utf8_lossy(&reply).parse());
                    Answer::Duplicate(reply.map(|content| content.unwrap_or(u32::MAX)))
                }
                ClaimOutcome::NoWait => Answer::NoWait,
                other => unreachable!("{other:?}"),
            });
        }
        let (Op::Renew(slot, _) | Op::Release(slot) | Op::Finish(slot) | Op::ParkAgain(slot, ..)) =
            op
        else {
            unreachable!()
        };
        let Some(token) = self.tokens.get(slot) else {
            return Ok(Answer::Skipped);
        };
        match op {
            &Op::Renew(_, lease) => {
                let until = store.renew(token, self.span(lease)).await?;
                return Ok(Answer::Until(self.tick_of(until.as_millis())));
            }
            Op::Release(_) => store.release(token).await?,
            Op::ParkAgain(_, on, next) => {
                let stored = data(next.of, next.content);
                let mut again = match on {
                    Some(on) => Commit::park(scope(*on), stored),
                    None => Commit::park_here(stored),
                };
                if let Some(ttl) = next.ttl {
                    again = again.ttl(self.span(ttl));
                }
                if let Some(after) = next.timeout {
                    again = again.timeout(self.timeout(after));
                }
                let mut options = CommitOptions::new();
                if let Some(content) = next.reply() {
                    options = options.reply(content.to_string().into_bytes());
                }
                store.commit(token, again, options).await?;
            }
            _ => {
                let options = CommitOptions::new();
                store.commit(token, Commit::Finish, options).await?;
            }
        }
        Ok(Answer::Done)
    }

    #[allow(deprecated)]
    fn ask_sync(&mut self, op: &Op) -> Option<SessionResult<Answer>> {
        if !Self::is_in_sync_api(op) {
            return None;
        }
        let store = Arc::clone(&self.apis().sync_store);
        Some(match op {
            &Op::Create {
                by, of, content, ..
            } => store
                .create_session(&ctx(by), data(of, content))
                .map(|key| Answer::Created(self.number(key, None))),
            &Op::Get(key) => store
                .get_session(self.key(key))
                .map(|found| Answer::Session(found.map(|data| seen_by_sync_api(key, &data)))),
            &Op::Update {
                key, of, content, ..
            } => store
                .update_session(self.key(key), data(of, content))
                .map(|()| Answer::Done),
            &Op::Remove { key, .. } => store.remove_session(self.key(key)).map(|()| Answer::Done),
            Op::Park {
                by,
                scope: on,
                key,
                next,
                ..
            } => {
                let stored = data(next.of, next.content);
                let ttl = next.ttl.map(|ttl| self.span(ttl));
                let (context, user, on) = (ctx(by.ctx), user(by.user), scope(*on));
                store
                    .register_wait(&context, &user, &on, self.key(*key), stored, ttl)
                    .map(|()| Answer::Done)
            }
            &Op::Find(by, on) => store
                .find_wait_by_scope(&ctx(by.ctx), &user(by.user), &scope(on))
                .map(|found| Answer::Found(found.map(|key| self.number_of(&key)))),
            Op::Waits(by) => store
                .list_waits_for_user(&ctx(by.ctx), &user(by.user))
                .map(|keys| Answer::List(keys.iter().map(|key| self.number_of(key)).collect())),
            Op::Latest(by) => {
                let found = store.find_by_user(&ctx(by.ctx), &user(by.user));
                found.map(|found| {
                    Answer::Session(
                        found.map(|(key, data)| seen_by_sync_api(self.number_of(&key), &data)),
                    )
                })
            }
            &Op::Clear(by, on) => store
                .clear_wait(&ctx(by.ctx), &user(by.user), &scope(on))
                .map(|()| Answer::Done),
            _ => return None,
        })
    }

    fn key(&self, key: Key) -> &SessionKey {
        &self.keys[key]
    }

    /// The number of a key that was asked for, or a new number for a fresh one.
    fn number(&mut self, created: SessionKey, asked: Option<Key>) -> Key {
        asked.unwrap_or_else(|| {
            self.keys.push(created);
            self.keys.len() - 1
        })
    }

    /// The number of a key, which can be a fresh one.
    fn number_or_new(&mut self, key: &SessionKey) -> Key {
        let known = self.keys.iter().position(|known| known == key);
        known.unwrap_or_else(|| self.number(key.clone(), None))
    }

    fn number_of(&self, key: &SessionKey) -> Key {
        let position = self.keys.iter().position(|known| known == key);
        position.expect("the store answers only keys that it was given")
    }

    fn seen(&self, session: &Session) -> Seen {
        let deadline = session.deadline.map(|at| self.tick_of(at.as_millis()));
        Seen {
            revision: session.revision,
            deadline,
            ..seen_by_sync_api(self.number_of(&session.key), &session.data)
        }
    }

    fn timeout(&self, after: After) -> Timeout {
        let ticks = self.span(after.ticks);
        match after.closes {
            true => Timeout::close(ticks),
            false => Timeout::remind(ticks),
        }
    }

    fn span(&self, ticks: Tick) -> Duration {
        self.tick * u32::try_from(ticks).unwrap()
    }

    fn tick_of(&self, millis: u64) -> Tick {
        let tick = u64::try_from(self.tick.as_millis()).unwrap();
        millis.saturating_sub(self.started.as_millis()) / tick
    }
}

/// A session as the sync API returns it.
fn seen_by_sync_api(key: Key, data: &SessionData) -> Seen {
    Seen {
        key,
        content: content(data),
        names_user: data.tenant_ctx.user.is_some(),
        revision: 0,
        deadline: None,
    }
}

fn named(operation: u64) -> OperationId {
    OperationId::from_u128(u128::from(operation))
}
