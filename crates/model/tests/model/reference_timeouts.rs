//! The model's timeouts (C32, C33).

use std::time::Duration;

use super::answer::{Answer, Failure, Key, Tick};
use super::op::{After, Slot};
use super::reference::{Model, Outcome, Owner, Wait};
use crate::world::Who;

/// The message of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Message {
    Said(&'static str),
    /// The timeout of the wait with this order.
    Timeout(Key, u64),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Timeout {
    pub at: Tick,
    pub closes: bool,
    /// The wait has left its scope for good.
    pub has_left: bool,
    pub lapses: u32,
}

impl Timeout {
    pub fn new(after: After, now: Tick) -> Self {
        Self {
            at: now + after.ticks,
            closes: after.closes,
            has_left: false,
            lapses: 0,
        }
    }
}

impl Wait {
    fn is_held(&self, now: Tick) -> bool {
        self.lease.as_ref().is_some_and(|lease| now < lease.until)
    }

    /// C32: the wait has left its scope. A claim that was made in time keeps it there.
    pub fn is_closed(&self, now: Tick) -> bool {
        let closes = self.timeout.as_ref().filter(|timeout| timeout.closes);
        closes.is_some_and(|close| close.has_left || (close.at <= now && !self.is_held(now)))
    }
}

impl Model {
    /// A session takes the scope: what has closed there stays off it.
    pub(super) fn take(&mut self, owner: Owner, scope: usize) {
        let now = self.now;
        let owned = self.sessions.values_mut().filter(|it| it.owner == owner);
        let waits = owned.filter_map(|entry| entry.wait.as_mut());
        for wait in waits.filter(|wait| wait.scope == scope && wait.is_closed(now)) {
            if let Some(timeout) = &mut wait.timeout {
                timeout.has_left = true;
            }
        }
    }

    pub(super) fn claim_due(&mut self, lease: Tick, slot: Slot) -> Outcome {
        let mut due = Vec::new();
        for (key, entry) in &self.sessions {
            if let Some(wait) = &entry.wait
                && self.due_at(wait).is_some_and(|at| at <= self.now)
            {
                due.push((*key, Message::Timeout(*key, wait.order)));
            }
        }
        let mut given = Vec::new();
        for (key, message) in due {
            let now = self.now;
            let wait = self.sessions.get_mut(&key).and_then(|it| it.wait.as_mut());
            if let Some(wait) = wait {
                let closed = wait.is_closed(now);
                if let Some(timeout) = &mut wait.timeout {
                    timeout.has_left |= closed;
                }
            }
            if let Some((turn, token)) = self.give(key, message, lease) {
                if given.is_empty() {
                    self.tokens.insert(slot, token);
                }
                given.push(turn);
            }
        }
        Ok(Answer::Due(given))
    }

    /// C33: after a lapsed lease there is a pause.
    fn due_at(&self, wait: &Wait) -> Option<Tick> {
        let timeout = wait.timeout.as_ref()?;
        Some(match &wait.lease {
            Some(lease) => timeout.at.max(lease.until + self.pause(timeout.lapses)),
            None => timeout.at,
        })
    }

    fn pause(&self, lapses: u32) -> Tick {
        let seconds = 1_u64.checked_shl(lapses).unwrap_or(u64::MAX).min(600);
        let millis = Duration::from_secs(seconds).as_millis();
        Tick::try_from(millis.div_ceil(self.limits.tick.as_millis())).unwrap_or(Tick::MAX)
    }

    pub(super) fn set_timeout(
        &mut self,
        fence: Option<Who>,
        key: Key,
        timeout: Option<After>,
    ) -> Outcome {
        let entry = self.within(fence, key)?;
        self.require_unclaimed(entry)?;
        let wait = entry.wait.as_ref().filter(|wait| !wait.is_closed(self.now));
        if wait.is_none() {
            return Err(Failure::NotWaiting);
        }
        let now = self.now;
        let deadline = entry.own_deadline();
        require_before(
            timeout,
            deadline.map(|deadline| deadline.saturating_sub(now)),
        )?;
        let entry = self.sessions.get_mut(&key).ok_or(Failure::NotFound)?;
        entry.end_lease();
        let timeout = timeout.map(|after| Timeout::new(after, now));
        let at = timeout.as_ref().map(|timeout| timeout.at);
        if let Some(wait) = &mut entry.wait {
            wait.timeout = timeout;
        }
        Ok(Answer::Timeout(at))
    }
}

/// C32: a timeout comes before the deadline.
pub(super) fn require_before(timeout: Option<After>, left: Option<Tick>) -> Result<(), Failure> {
    match (timeout, left) {
        (Some(after), Some(left)) if after.ticks >= left => Err(Failure::InvalidInput),
        _ => Ok(()),
    }
}
