//! The extension of a claimed session's pointer, which saves its commit a round trip.
//!
//! A commit gives its session a later deadline, which the pointer must have before. So the pointer
//! is extended in the background while the flow runs, and is not shortened before the lease ends.
//! The process that claimed remembers the extension, and its commit then takes one step.

use std::collections::HashMap;
use std::num::NonZeroU128;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use super::pointer_store::PointerStore;
use super::settle::Settler;
use crate::claim::{ClaimToken, TokenSecret};
use crate::clock::{Timestamp, whole_millis};
use crate::options::TtlMillis;

/// The number of extensions that are kept without a search for ended ones.
const MIN_CAPACITY: usize = 64;

/// The claim extensions of a store.
pub struct ClaimExtensions {
    table: Table,
    pointers: PointerStore,
    settler: Settler,
}

/// A pointer that lives for `ttl` + `lease` from `asked` on, and is not shortened for the time of
/// `lease`.
#[derive(Clone)]
pub struct ClaimExtension {
    /// The instant before the pointer's node was asked.
    asked: Instant,
    /// The TTL of the session when it began to wait.
    ttl: Duration,
    lease: Duration,
    /// The end of the lease, by the clock of the server that gave it before the pointer's node was
    /// asked.
    lease_until: Timestamp,
    /// The value of `awaited` in the pointer; the sender is dropped without one if the pointer's
    /// node did not answer.
    answer: watch::Receiver<Option<u64>>,
}

impl ClaimExtensions {
    pub fn new(pointers: &PointerStore, settler: &Settler) -> Self {
        Self {
            table: Table::default(),
            pointers: pointers.clone(),
            settler: settler.clone(),
        }
    }

    pub fn find(&self, secret: TokenSecret) -> Option<ClaimExtension> {
        self.table.find(secret)
    }

    /// Forgets the extension of a claim that is over.
    pub fn forget(&self, secret: TokenSecret) -> Option<ClaimExtension> {
        self.table.forget(secret)
    }

    /// Extends the pointer of a claimed session in the background, so that a commit at any time of
    /// the lease can park the session again for the same TTL.
    pub fn begin(&self, token: &ClaimToken, ttl: Duration, lease: Duration, until: Timestamp) {
        let earlier = self.table.find(token.secret);
        let (extension, answer) = ClaimExtension::new(Instant::now(), ttl, lease, until);
        let life = TtlMillis(Some(whole_millis(extension.life())));
        self.table.insert(token.secret, extension);
        let (pointers, settler) = (self.pointers.clone(), self.settler.clone());
        let (owner, key) = (token.owner.clone(), token.key.clone());
        self.settler.spawn(async move {
            // One after the other, so that the last answer is the value in the pointer.
            if let Some(earlier) = earlier {
                earlier.awaited().await;
            }
            let extended = pointers.extend(Some(&owner), &key, life, lease).await;
            let Ok(Some(extended)) = extended else {
                return;
            };
            answer.send_replace(Some(extended.awaited));
            if extended.outlives {
                // A task that settles the pointer has left that to this claim, which may be
                // dropped.
                settler.settle(&owner, &key, None);
            }
        });
    }

    /// As [`ClaimExtensions::begin`], for a renewed lease. Does nothing while half of the lease of
    /// the last extension is left.
    pub fn renew(&self, token: &ClaimToken, lease: Duration, until: Timestamp) {
        let extension = self.table.find(token.secret);
        let is_due = |extension: &ClaimExtension| extension.left(Instant::now()) < lease / 2;
        if let Some(extension) = extension.filter(is_due) {
            self.begin(token, extension.ttl, lease, until);
        }
    }

    /// Forgets the extension of a claim that was released, and settles the pointer.
    pub fn release(&self, token: &ClaimToken) {
        if let Some(extension) = self.table.forget(token.secret) {
            let (owner, key) = (&token.owner, &token.key);
            self.settler
                .settle_after_claim(owner, key, extension.awaited());
        }
    }

    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.table.count()
    }
}

impl ClaimExtension {
    fn new(
        asked: Instant,
        ttl: Duration,
        lease: Duration,
        lease_until: Timestamp,
    ) -> (Self, watch::Sender<Option<u64>>) {
        let (sender, answer) = watch::channel(None);
        let extension = Self {
            asked,
            ttl,
            lease,
            lease_until,
            answer,
        };
        (extension, sender)
    }

    /// Waits for the answer of the pointer's node, and returns the value of `awaited` in the
    /// pointer. None if the pointer was not extended.
    pub async fn awaited(mut self) -> Option<u64> {
        let answer = self.answer.wait_for(Option::is_some).await;
        answer.ok().and_then(|awaited| *awaited)
    }

    /// Whether a call that is sent now may give the session that TTL. Returns the instant up to
    /// which the server may execute it; the server's clock decides, because ours stands still while
    /// the machine sleeps.
    pub fn covers(&self, ttl: TtlMillis, now: Instant) -> Option<u64> {
        let ttl = Duration::from_millis(ttl.0?);
        let passed = now.duration_since(self.asked);
        let is_covered = passed <= self.lease && passed.saturating_add(ttl) <= self.life();
        let longer = whole_millis(ttl.saturating_sub(self.ttl));
        is_covered.then(|| self.lease_until.as_millis().saturating_sub(longer))
    }

    fn life(&self) -> Duration {
        self.ttl.saturating_add(self.lease)
    }

    /// The rest of the lease.
    fn left(&self, now: Instant) -> Duration {
        self.lease.saturating_sub(now.duration_since(self.asked))
    }
}

/// The extensions, by the secrets of the claims.
///
/// Those of dropped tokens are removed when others are inserted. The table never contains more than
/// twice as many as ran at one moment, or [`MIN_CAPACITY`].
#[derive(Default)]
struct Table(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    extensions: HashMap<NonZeroU128, ClaimExtension>,
    /// The size at which the next insertion removes ended extensions.
    capacity: usize,
}

impl Table {
    fn find(&self, secret: TokenSecret) -> Option<ClaimExtension> {
        self.0.lock().extensions.get(&secret.0).cloned()
    }

    fn forget(&self, secret: TokenSecret) -> Option<ClaimExtension> {
        self.0.lock().extensions.remove(&secret.0)
    }

    fn insert(&self, secret: TokenSecret, extension: ClaimExtension) {
        let now = extension.asked;
        let mut entries = self.0.lock();
        let Entries {
            extensions,
            capacity,
        } = &mut *entries;
        if extensions.len() >= (*capacity).max(MIN_CAPACITY) {
            extensions.retain(|_, extension| !extension.left(now).is_zero());
            *capacity = extensions.len() * 2;
        }
        extensions.insert(secret.0, extension);
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.0.lock().extensions.len()
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

    fn at(asked: Instant) -> ClaimExtension {
        ClaimExtension::new(asked, HOUR, LEASE, Timestamp::from_millis(UNTIL)).0
    }

    fn ttl(ttl: Duration) -> TtlMillis {
        TtlMillis(Some(whole_millis(ttl)))
    }

    #[test]
    fn c4_an_extension_covers_sessions_that_end_within_the_pointers_lifetime() {
        let asked = Instant::now();
        let extension = at(asked);
        assert_eq!(extension.covers(ttl(HOUR), asked), Some(UNTIL));
        assert_eq!(extension.covers(ttl(HOUR), asked + LEASE), Some(UNTIL));
        assert_eq!(extension.covers(ttl(MILLI), asked), Some(UNTIL));
        let longer = extension.covers(ttl(HOUR + LEASE), asked);
        assert_eq!(longer, Some(UNTIL - whole_millis(LEASE)));
        assert_eq!(extension.covers(ttl(HOUR + LEASE + MILLI), asked), None);
        assert_eq!(extension.covers(ttl(HOUR + MILLI), asked + LEASE), None);
        assert_eq!(extension.covers(ttl(Duration::MAX), asked), None);
        assert_eq!(extension.covers(TtlMillis(None), asked), None);
    }

    #[test]
    fn c4_an_extension_covers_nothing_after_its_lease() {
        let asked = Instant::now();
        let late = asked + LEASE + MILLI;
        assert_eq!(at(asked).covers(ttl(MILLI), late), None);
    }

    #[test]
    fn extensions_of_dropped_tokens_are_removed_when_others_are_inserted() {
        let (table, start) = (Table::default(), Instant::now());
        for second in 0..10_000 {
            let now = start + Duration::from_secs(second);
            table.insert(TokenSecret::random(), at(now));
            assert!(table.count() <= 2 * 60 + 1, "{}", table.count());
        }
        let kept = TokenSecret::random();
        table.insert(kept, at(start + Duration::from_secs(10_000)));
        assert!(table.find(kept).is_some());
        assert!(table.forget(kept).is_some());
        assert!(table.find(kept).is_none());
    }

    #[test]
    fn awaited_is_none_if_the_pointers_node_did_not_answer() {
        let asked =
            || ClaimExtension::new(Instant::now(), HOUR, LEASE, Timestamp::from_millis(UNTIL));
        let (extension, answer) = asked();
        drop(answer);
        assert_eq!(pollster::block_on(extension.awaited()), None);
        let (extension, answer) = asked();
        answer.send_replace(Some(17));
        drop(answer);
        assert_eq!(pollster::block_on(extension.awaited()), Some(17));
    }
}
