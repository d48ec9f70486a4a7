//! The model's writes: create, update, park and all that needs a claim of a wait.

use super::answer::{Answer, Failure, Given, Key, Tick};
use super::op::{Op, Parked, Slot};
use super::reference::{
    Done, Entry, Lease, Model, Outcome, Owner, Token, owner_of_session, readable, require_revision,
};
use super::reference_timeouts::{Message, require_before};
use crate::world::Who;

impl Model {
    pub(super) fn create(&mut self, op: &Op) -> Outcome {
        let &Op::Create {
            by,
            of,
            key,
            content,
            ttl,
            operation,
        } = op
        else {
            unreachable!()
        };
        if !same_place(by, of) || of.user.is_some_and(|user| Some(user) != by.user) {
            return Err(Failure::InvalidInput);
        }
        let key = match key {
            Some(key) => key,
            None => self.draw_key(),
        };
        let owner = owner_of_session(by, key);
        if let Some(taken) = self.sessions.get(&key) {
            if taken.owner != owner {
                return Err(Failure::InvalidInput);
            }
            let repeated = operation.is_some() && taken.operation == operation;
            return Ok(if repeated {
                Answer::Created(key)
            } else {
                Answer::CreateExists
            });
        }
        for other in self.sessions.values_mut() {
            if other.owner == owner {
                other.newest = false;
            }
        }
        let entry = Entry {
            owner,
            names_user: of.user.is_some(),
            content,
            revision: 1,
            deadline: self.deadline(ttl.or(self.limits.default_ttl)),
            ttl: ttl.or(self.limits.default_ttl),
            operation,
            newest: by.user.is_some(),
            wait: None,
        };
        self.sessions.insert(key, entry);
        Ok(Answer::Created(key))
    }

    pub(super) fn update(&mut self, op: &Op) -> Outcome {
        let &Op::Update {
            fence,
            key,
            of,
            content,
            if_revision,
            claim,
            operation,
        } = op
        else {
            unreachable!()
        };
        let token = match claim {
            None => None,
            Some(slot) => match self.tokens.get(&slot) {
                None => return Ok(Answer::Skipped),
                Some(token) if token.key != key => return Err(Failure::InvalidInput),
                token => token,
            },
        };
        let entry = self.within(fence, key)?;
        require_unchanged(entry, of)?;
        if operation.is_some() && entry.operation == operation {
            return Ok(Answer::Revision(entry.revision));
        }
        match token {
            Some(token) => require_token(entry, token.secret)?,
            None => self.require_unclaimed(entry)?,
        }
        require_revision(entry, if_revision)?;
        let voids_claims = token.is_none();
        let entry = self.sessions.get_mut(&key).ok_or(Failure::NotFound)?;
        entry.content = content;
        entry.revision += 1;
        entry.operation = operation;
        if voids_claims {
            entry.end_lease();
        }
        Ok(Answer::Revision(entry.revision))
    }

    pub(super) fn park(&mut self, op: &Op) -> Outcome {
        let &Op::Park {
            by,
            scope,
            key,
            ref next,
            if_absent,
            operation,
        } = op
        else {
            unreachable!()
        };
        let owner = readable(by).ok_or(Failure::InvalidInput)?;
        if by.ctx != next.of || next.of.user != Some(by.user) {
            return Err(Failure::InvalidInput);
        }
        require_before(next.timeout, next.ttl.or(self.limits.default_ttl))?;
        let stored = self.sessions.get(&key);
        if let Some(stored) = stored {
            if stored.owner != owner {
                return Err(Failure::InvalidInput);
            }
            if operation.is_some() && stored.operation == operation {
                return Ok(Answer::Revision(stored.revision));
            }
        }
        let holder = self.holder(owner, scope);
        if let (true, Some(holder)) = (if_absent, holder) {
            return Ok(Answer::ParkExists(holder));
        }
        let holder = holder.and_then(|holder| self.sessions.get(&holder));
        for touched in [stored, holder].into_iter().flatten() {
            self.require_unclaimed(touched)?;
        }
        self.require_unstarted(owner, scope)?;
        let ttl = next.ttl.or(self.limits.default_ttl);
        let revision = self.register(owner, key, scope, next, ttl);
        if let Some(entry) = self.sessions.get_mut(&key) {
            entry.operation = operation;
        }
        Ok(Answer::Revision(revision))
    }

    pub(super) fn claim(&mut self, op: &Op) -> Outcome {
        let &Op::Claim {
            by,
            ref scopes,
            message,
            lease,
            slot,
            start,
        } = op
        else {
            unreachable!()
        };
        let owner = readable(by).ok_or(Failure::InvalidInput)?;
        let message = Message::Said(message);
        if let Some(done) = self.remembered(owner, message) {
            return Ok(Answer::Duplicate(done.reply));
        }
        let taker = |scope: &usize| match self.live_start(owner, *scope) {
            Some(start) => Some(Err(Answer::Busy(start.until, start.message == message))),
            None => self.holder(owner, *scope).map(Ok),
        };
        let key = match (scopes.iter().find_map(taker), start, scopes.last()) {
            (Some(Ok(key)), ..) => key,
            (Some(Err(busy)), ..) => return Ok(busy),
            (None, Some(key), Some(scope)) => {
                return self.start(owner, *scope, key, message, lease, slot);
            }
            (None, ..) => return Ok(Answer::NoWait),
        };
        if let Err(Failure::Claimed(until)) = self.require_unclaimed(&self.sessions[&key]) {
            let lease = self.sessions[&key].wait.as_ref();
            let lease = lease.and_then(|wait| wait.lease.as_ref());
            let same = lease.is_some_and(|lease| lease.message == message);
            return Ok(Answer::Busy(until, same));
        }
        let (given, token) = self.give(key, message, lease).ok_or(Failure::NotFound)?;
        self.tokens.insert(slot, token);
        Ok(Answer::Claimed(given))
    }

    /// Gives a wait to a worker.
    pub(super) fn give(
        &mut self,
        key: Key,
        message: Message,
        lease: Tick,
    ) -> Option<(Given, Token)> {
        let secret = self.count();
        let until = self.now + lease;
        let entry = self.sessions.get_mut(&key)?;
        let wait = entry.wait.as_mut()?;
        if let (Some(timeout), Some(_lapsed)) = (&mut wait.timeout, &wait.lease) {
            timeout.lapses += 1;
        }
        wait.attempt += 1;
        let (owner, attempt) = (entry.owner, wait.attempt);
        entry.set_lease(Lease {
            secret,
            message,
            until,
            own_deadline: None,
        });
        let given = Given {
            key,
            session: self.seen(key),
            attempt,
            until,
        };
        let token = Token {
            owner,
            key,
            message,
            secret,
            start: None,
        };
        Some((given, token))
    }

    pub(super) fn renew(&mut self, slot: Slot, ticks: Tick) -> Outcome {
        let until = self.now + ticks;
        let Some(token) = self.tokens.get(&slot).cloned() else {
            return Ok(Answer::Skipped);
        };
        if let Some(scope) = token.start {
            return self.renew_start(&token, scope, ticks);
        }
        self.held(&token)?;
        if let Some(entry) = self.sessions.get_mut(&token.key)
            && let Some(lease) = entry.end_lease()
        {
            entry.set_lease(Lease { until, ..lease });
        }
        Ok(Answer::Until(until))
    }

    pub(super) fn release(&mut self, slot: Slot) -> Outcome {
        let Some(token) = self.tokens.get(&slot).cloned() else {
            return Ok(Answer::Skipped);
        };
        if let Some(scope) = token.start {
            return self.release_start(&token, scope);
        }
        let entry = self.sessions.get(&token.key);
        let own = entry.filter(|entry| entry.owner == token.owner);
        let released = own.and_then(|entry| entry.wait.as_ref()?.released);
        if released == Some(token.secret) {
            return Ok(Answer::Done);
        }
        self.end_claim(&token)?;
        Ok(Answer::Done)
    }

    fn end_claim(&mut self, token: &Token) -> Result<(), Failure> {
        self.held(token)?;
        if let Some(entry) = self.sessions.get_mut(&token.key) {
            entry.end_lease();
            if let Some(wait) = &mut entry.wait {
                wait.released = Some(token.secret);
            }
        }
        self.advance(0);
        Ok(())
    }

    pub(super) fn commit(&mut self, slot: Slot, next: Option<(Option<usize>, &Parked)>) -> Outcome {
        let Some(token) = self.tokens.get(&slot).cloned() else {
            return Ok(Answer::Skipped);
        };
        if let Some((_, next)) = next {
            if token.owner.place != next.of {
                return Err(Failure::InvalidInput);
            }
            require_before(next.timeout, next.ttl)?;
        }
        match self
            .remembered(token.owner, token.message)
            .map(|done| done.secret)
        {
            Some(secret) if secret == token.secret => return Ok(Answer::Done),
            done if token.start.is_some() => {
                self.commit_start(&token, next, done.is_some())?;
                self.remember(&token, next.and_then(|(_, next)| next.reply()));
                return Ok(Answer::Done);
            }
            Some(_) => {
                self.end_claim(&token)?;
                return Err(Failure::ClaimLost);
            }
            None => self.held(&token)?,
        };
        match next {
            None => {
                self.sessions.remove(&token.key);
            }
            Some((scope, next)) => {
                let entry = &self.sessions[&token.key];
                let here = entry.wait.as_ref().map(|wait| wait.scope);
                let scope = scope.or(here).ok_or(Failure::ClaimLost)?;
                let ttl = next.ttl.or(entry.ttl);
                require_before(next.timeout, ttl)?;
                let closed = entry
                    .wait
                    .as_ref()
                    .is_some_and(|wait| wait.is_closed(self.now));
                let holder = self.holder(token.owner, scope);
                if let Some(holder) = holder.filter(|holder| *holder != token.key) {
                    self.require_unclaimed(&self.sessions[&holder])?;
                    if closed {
                        return Err(Failure::ScopeTaken);
                    }
                }
                self.require_unstarted(token.owner, scope)?;
                self.register(token.owner, token.key, scope, next, ttl);
            }
        }
        self.remember(&token, next.and_then(|(_, next)| next.reply()));
        Ok(Answer::Done)
    }

    fn held(&mut self, token: &Token) -> Result<&mut Lease, Failure> {
        let entry = self.sessions.get_mut(&token.key);
        let own = entry.filter(|entry| entry.owner == token.owner);
        let lease = own.and_then(|entry| entry.wait.as_mut()?.lease.as_mut());
        lease
            .filter(|lease| lease.secret == token.secret)
            .ok_or(Failure::ClaimLost)
    }

    fn remembered(&self, owner: Owner, message: Message) -> Option<&Done> {
        let same = |done: &&Done| done.owner == owner && done.message == message;
        self.done.iter().find(same)
    }

    fn remember(&mut self, token: &Token, reply: Option<u32>) {
        let Token { owner, message, .. } = *token;
        self.done
            .retain(|done| done.owner != owner || done.message != message);
        self.done.push(Done {
            owner,
            message,
            secret: token.secret,
            until: self.now + self.limits.message_window,
            reply,
        });
        while self.done.iter().filter(|done| done.owner == owner).count() > self.limits.max_messages
        {
            let oldest = self.done.iter().position(|done| done.owner == owner);
            oldest.map(|oldest| self.done.remove(oldest));
        }
    }
}

fn same_place(one: Who, other: Who) -> bool {
    Who { user: None, ..one }
        == Who {
            user: None,
            ..other
        }
}

/// C3: the data names the user exactly if the stored data did.
fn require_unchanged(entry: &Entry, of: Who) -> Result<(), Failure> {
    let user = entry.owner.place.user.filter(|_| entry.names_user);
    let expected = Who {
        user,
        ..entry.owner.place
    };
    (of == expected).then_some(()).ok_or(Failure::InvalidInput)
}

fn require_token(entry: &Entry, secret: u64) -> Result<(), Failure> {
    let lease = entry.wait.as_ref().and_then(|wait| wait.lease.as_ref());
    let held = lease.is_some_and(|lease| lease.secret == secret);
    held.then_some(()).ok_or(Failure::ClaimLost)
}
