//! How a claimed session's pointer comes to live long enough for the commit, on a Cluster.
//!
//! A commit gives its session a later deadline, and the pointer must have it before. So the pointer gets
//! it in the background while the flow runs, and nobody shortens it before the lease ends. The process
//! that claimed remembers that, and its commit goes alone.

use std::collections::HashMap;
use std::num::NonZeroU128;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::pointers::Pointers;
use crate::claim::{ClaimToken, TokenSecret};
use crate::clock::{Timestamp, whole_millis};
use crate::options::Ttl;

/// So many promises are kept without a look at which of them are over.
const FEW: usize = 64;

/// What the pointers of claimed sessions promise, by the secrets of the claims.
///
/// Those of tokens that were dropped go when others come: it never holds more than twice as many as were
/// alive at one moment, or a few.
#[derive(Default)]
pub(crate) struct Holds(Mutex<Table>);

#[derive(Default)]
struct Table {
    promises: HashMap<NonZeroU128, Promise>,
    /// So many may be there before the next look.
    room: usize,
}

/// A pointer lives for `ttl` and the time of `hold` from `asked` on, and nobody shortens it for the time
/// of `hold`.
#[derive(Clone)]
pub(crate) struct Promise {
    /// Before the pointer was asked.
    asked: Instant,
    /// How long the session was to live when it began to wait.
    ttl: Duration,
    hold: Duration,
    /// When the lease ends, by the clock of the server that gave it before the pointer was asked.
    lease_until: Timestamp,
    /// What the pointer tells as `awaited`; nothing comes if it did not answer.
    answer: watch::Receiver<Option<u64>>,
}

impl Promise {
    fn new(
        asked: Instant,
        ttl: Duration,
        hold: Duration,
        lease_until: Timestamp,
    ) -> (Self, watch::Sender<Option<u64>>) {
        let (sender, answer) = watch::channel(None);
        let promise = Self {
            asked,
            ttl,
            hold,
            lease_until,
            answer,
        };
        (promise, sender)
    }

    /// Waits until the pointer has answered. None if it promised nothing.
    pub async fn awaited(mut self) -> Option<u64> {
        let answer = self.answer.wait_for(Option::is_some).await;
        answer.ok().and_then(|awaited| *awaited)
    }

    /// Whether a session may get that TTL with a call that is sent now, and until when the server may
    /// carry it out: our clock stands still while the machine sleeps.
    pub fn covers(&self, ttl: Ttl, now: Instant) -> Option<u64> {
        let ttl = Duration::from_millis(ttl.0?);
        let passed = now.duration_since(self.asked);
        let is_covered = passed <= self.hold && passed.saturating_add(ttl) <= self.life();
        let longer = whole_millis(ttl.saturating_sub(self.ttl));
        is_covered.then(|| self.lease_until.as_millis().saturating_sub(longer))
    }

    fn life(&self) -> Duration {
        self.ttl.saturating_add(self.hold)
    }

    /// How much of the hold is left.
    fn left(&self, now: Instant) -> Duration {
        self.hold.saturating_sub(now.duration_since(self.asked))
    }
}

impl Holds {
    pub fn find(&self, secret: TokenSecret) -> Option<Promise> {
        self.0.lock().promises.get(&secret.0).cloned()
    }

    /// The claim is over.
    pub fn forget(&self, secret: TokenSecret) -> Option<Promise> {
        self.0.lock().promises.remove(&secret.0)
    }

    fn remember(&self, secret: TokenSecret, promise: Promise) {
        let now = promise.asked;
        let mut table = self.0.lock();
        let Table { promises, room } = &mut *table;
        if promises.len() >= (*room).max(FEW) {
            promises.retain(|_, promise| !promise.left(now).is_zero());
            *room = promises.len() * 2;
        }
        promises.insert(secret.0, promise);
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.0.lock().promises.len()
    }
}

impl Pointers {
    /// Has the pointer of a claimed session live for so long that its commit may come at any time of the
    /// lease and park it again for as long as before.
    pub fn hold(&self, token: &ClaimToken, ttl: Duration, lease: Duration, until: Timestamp) {
        let earlier = self.holds.find(token.secret);
        let (promise, answer) = Promise::new(Instant::now(), ttl, lease, until);
        let life = Ttl(Some(whole_millis(promise.life())));
        self.holds.remember(token.secret, promise);
        let (pointers, owner, key) = (self.clone(), token.owner.clone(), token.key.clone());
        self.in_background(async move {
            // One after the other: what the last one tells is what the pointer tells.
            if let Some(earlier) = earlier {
                earlier.awaited().await;
            }
            let found = pointers.lengthen(Some(&owner), &key, life, lease).await;
            let Ok(Some(found)) = found else {
                return;
            };
            answer.send_replace(Some(found.awaited));
            if found.outlives {
                // What is about to shorten it leaves that to this claim, which may be dropped.
                pointers.settle(&owner, &key, None);
            }
        });
    }

    /// As [`Pointers::hold`], for a lease that begins anew. Where half of it is left it waits for the next
    /// renewal.
    pub fn hold_on(&self, token: &ClaimToken, lease: Duration, until: Timestamp) {
        let held = self.holds.find(token.secret);
        if let Some(held) = held.filter(|held| held.left(Instant::now()) < lease / 2) {
            self.hold(token, held.ttl, lease, until);
        }
    }

    /// Has the pointer live as long as the session again: the claim was given back.
    pub fn let_go(&self, token: &ClaimToken) {
        if let Some(held) = self.holds.forget(token.secret) {
            self.settle_claim(&token.owner, &token.key, held.awaited());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const LEASE: Duration = Duration::from_secs(60);
    const MILLI: Duration = Duration::from_millis(1);

    /// By the server's clock.
    const UNTIL: u64 = 1_700_000_000_000;

    fn at(asked: Instant) -> Promise {
        Promise::new(asked, HOUR, LEASE, Timestamp::from_millis(UNTIL)).0
    }

    fn ttl(ttl: Duration) -> Ttl {
        Ttl(Some(whole_millis(ttl)))
    }

    #[test]
    fn c4_a_commit_goes_alone_if_its_session_ends_within_the_life_that_was_promised() {
        let asked = Instant::now();
        let promise = at(asked);
        assert_eq!(promise.covers(ttl(HOUR), asked), Some(UNTIL));
        assert_eq!(promise.covers(ttl(HOUR), asked + LEASE), Some(UNTIL));
        assert_eq!(promise.covers(ttl(MILLI), asked), Some(UNTIL));
        let longer = promise.covers(ttl(HOUR + LEASE), asked);
        assert_eq!(longer, Some(UNTIL - whole_millis(LEASE)));
        assert_eq!(promise.covers(ttl(HOUR + LEASE + MILLI), asked), None);
        assert_eq!(promise.covers(ttl(HOUR + MILLI), asked + LEASE), None);
        assert_eq!(promise.covers(ttl(Duration::MAX), asked), None);
        assert_eq!(promise.covers(Ttl(None), asked), None);
    }

    #[test]
    fn c4_a_commit_does_not_go_alone_once_the_pointer_may_be_shortened() {
        let asked = Instant::now();
        let late = asked + LEASE + MILLI;
        assert_eq!(at(asked).covers(ttl(MILLI), late), None);
    }

    #[test]
    fn what_dropped_tokens_leave_goes_when_others_come() {
        let (holds, start) = (Holds::default(), Instant::now());
        for second in 0..10_000 {
            let now = start + Duration::from_secs(second);
            holds.remember(TokenSecret::random(), at(now));
            assert!(holds.count() <= 2 * 60 + 1, "{}", holds.count());
        }
        let kept = TokenSecret::random();
        holds.remember(kept, at(start + Duration::from_secs(10_000)));
        assert!(holds.find(kept).is_some());
        assert!(holds.forget(kept).is_some());
        assert!(holds.find(kept).is_none());
    }

    #[test]
    fn a_pointer_that_does_not_answer_has_promised_nothing() {
        let asked = || Promise::new(Instant::now(), HOUR, LEASE, Timestamp::from_millis(UNTIL));
        let (promise, answer) = asked();
        drop(answer);
        assert_eq!(pollster::block_on(promise.awaited()), None);
        let (promise, answer) = asked();
        answer.send_replace(Some(17));
        drop(answer);
        assert_eq!(pollster::block_on(promise.awaited()), Some(17));
    }
}
