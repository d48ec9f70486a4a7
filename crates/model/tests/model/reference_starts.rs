//! The model's start claims (C27).

use super::answer::{Answer, Failure, Given, Tick};
use super::op::{Parked, Slot, StartKey};
use super::reference::{Model, Outcome, Owner, Start, Token};
use super::reference_timeouts::{Message, require_before};

impl Model {
    /// Grants a start on a scope where nothing takes the message.
    pub(super) fn start(
        &mut self,
        owner: Owner,
        scope: usize,
        key: StartKey,
        message: Message,
        lease: Tick,
        slot: Slot,
    ) -> Outcome {
        let before = self.starts.get(&(owner, scope));
        let attempt = before.map_or(1, |before| before.attempt + 1);
        let key = match before.map(|before| before.key).or(key) {
            Some(key) => key,
            None => self.draw_key(),
        };
        self.require_free(owner, key)?;
        let (secret, until) = (self.count(), self.now + lease);
        let start = Start {
            key,
            attempt,
            secret,
            message,
            until,
            keep_until: self.stay(until, lease),
            released: false,
        };
        self.take(owner, scope);
        self.starts.insert((owner, scope), start);
        let token = Token {
            owner,
            key,
            message,
            secret,
            start: Some(scope),
        };
        self.tokens.insert(slot, token);
        Ok(Answer::Claimed(Given {
            key,
            session: None,
            attempt,
            until,
        }))
    }

    fn stay(&self, until: Tick, lease: Tick) -> Tick {
        until + lease.max(self.limits.shortest_stay)
    }

    fn require_free(&self, owner: Owner, key: usize) -> Result<(), Failure> {
        match self.sessions.get(&key) {
            Some(taken) if taken.owner == owner => Err(Failure::KeyTaken),
            Some(_) => Err(Failure::InvalidInput),
            None => Ok(()),
        }
    }

    fn of_token(&mut self, token: &Token, scope: usize) -> Result<&mut Start, Failure> {
        let start = self.starts.get_mut(&(token.owner, scope));
        start
            .filter(|start| start.secret == token.secret)
            .ok_or(Failure::ClaimLost)
    }

    fn held_start(&mut self, token: &Token, scope: usize) -> Result<&mut Start, Failure> {
        let start = self.of_token(token, scope)?;
        if start.released {
            return Err(Failure::ClaimLost);
        }
        Ok(start)
    }

    pub(super) fn renew_start(&mut self, token: &Token, scope: usize, lease: Tick) -> Outcome {
        let until = self.now + lease;
        let keep_until = self.stay(until, lease);
        let start = self.held_start(token, scope)?;
        (start.until, start.keep_until) = (until, keep_until);
        Ok(Answer::Until(until))
    }

    pub(super) fn release_start(&mut self, token: &Token, scope: usize) -> Outcome {
        self.of_token(token, scope)?.released = true;
        Ok(Answer::Done)
    }

    pub(super) fn commit_start(
        &mut self,
        token: &Token,
        next: Option<(Option<usize>, &Parked)>,
        message_is_done: bool,
    ) -> Result<(), Failure> {
        let began = token.start.ok_or(Failure::ClaimLost)?;
        let start = self.held_start(token, began)?;
        if message_is_done {
            start.released = true;
            return Err(Failure::ClaimLost);
        }
        if let Some((scope, next)) = next {
            let scope = scope.unwrap_or(began);
            self.require_free(token.owner, token.key)?;
            let ttl = next.ttl.or(self.limits.default_ttl);
            require_before(next.timeout, ttl)?;
            if let Some(holder) = self.holder(token.owner, scope) {
                self.require_unclaimed(&self.sessions[&holder])?;
            }
            if scope != began {
                self.require_unstarted(token.owner, scope)?;
            }
            self.register(token.owner, token.key, scope, next, ttl);
        }
        self.starts.remove(&(token.owner, began));
        Ok(())
    }
}
