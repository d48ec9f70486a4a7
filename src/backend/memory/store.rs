//! The store itself: which lock each operation takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_types::SessionKey;

use super::keys::Keys;
use super::ledger::MemoryLedger;
use super::owners::{OwnerShard, Owners};
use super::stored::Stored;
use crate::backend::{Backend, Owned};
use crate::claim::{ClaimOutcome, ClaimToken};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::{SessionResult, not_found};
use crate::options::StoreOptions;
use crate::owner::Owner;
use crate::request;
use crate::rules::{self, View};
use crate::scope::ScopeDigest;
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};

/// How many expired things a write removes besides its own work.
const SWEEP_BUDGET: usize = 4;
/// How many it removes in a shard that is not its own, where it comes by less often.
const ELSEWHERE_BUDGET: usize = 32;

/// Keeps sessions in the memory of this process; they end with it.
///
/// For tests, development and single processes that may forget. Reads of different keys scale with
/// the cores. Room of expired sessions is given back by later writes, in small steps.
///
/// ```
/// use greentic_session::inmemory::InMemorySessionStore;
/// use greentic_session::{SessionKey, SessionStore};
///
/// let store = InMemorySessionStore::new();
/// assert!(store.get_session(&SessionKey::new("unknown"))?.is_none());
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub struct InMemorySessionStore {
    pub(super) keys: Keys,
    pub(super) owners: Owners,
    pub(super) clock: Box<dyn Clock>,
    options: StoreOptions,
}

impl InMemorySessionStore {
    /// Makes an empty store with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(StoreOptions::new())
    }

    /// Makes an empty store.
    #[must_use]
    pub fn with_options(options: StoreOptions) -> Self {
        Self::with_clock(options, SystemClock::new())
    }

    /// Makes an empty store that takes the time from `clock`.
    #[must_use]
    pub fn with_clock(options: StoreOptions, clock: impl Clock) -> Self {
        Self {
            keys: Keys::new(),
            owners: Owners::new(),
            clock: Box::new(clock),
            options,
        }
    }

    /// Reads a session without copying it; none if there is none or its deadline has come (C12).
    ///
    /// ```
    /// use greentic_session::SessionKey;
    /// use greentic_session::inmemory::InMemorySessionStore;
    ///
    /// let store = InMemorySessionStore::new();
    /// assert!(store.get_shared(&SessionKey::new("unknown")).is_none());
    /// ```
    #[must_use]
    pub fn get_shared(&self, key: &SessionKey) -> Option<Arc<Session>> {
        self.keys.read(key, |stored| self.if_live(stored))?
    }

    /// Removes all that has expired, at once, and tells how much it was.
    ///
    /// Not needed in normal use: writers do it in small steps. Each shard is locked in turn.
    ///
    /// # Errors
    /// None in this store.
    pub fn sweep(&self) -> SessionResult<usize> {
        let now = self.clock.now();
        let mut swept = 0;
        for shard in self.owners.shards() {
            swept += self.ledger(&mut shard.lock()).sweep(now, usize::MAX)?;
        }
        Ok(swept)
    }

    /// Counts what is held, expired or not: sessions, and owners with state of their own.
    ///
    /// Both are 0 when nothing is left behind (C13).
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.keys.len(), self.owners.len())
    }

    /// The time is read while the session is held still: a writer that came in between the two
    /// could move the deadline, and a session that was there all along would seem gone.
    fn if_live(&self, stored: &Stored) -> Option<Arc<Session>> {
        match stored.session.deadline {
            Some(deadline) if deadline <= self.clock.now() => None,
            _ => Some(Arc::clone(&stored.session)),
        }
    }

    /// Does something under the lock of an owner.
    pub(super) fn locked<R>(
        &self,
        owner: &Owner,
        act: impl FnOnce(&mut MemoryLedger<'_>) -> R,
    ) -> R {
        let hash = self.owners.hash(owner);
        let mut shard = self.owners.shard(self.owners.index(hash)).lock();
        let shard: &mut OwnerShard = &mut shard;
        act(&mut MemoryLedger {
            keys: &self.keys,
            owners: &self.owners,
            shard,
            home: Some((owner, hash)),
        })
    }

    /// Reads under the lock of an owner.
    fn look<R>(
        &self,
        owner: &Owner,
        look: impl FnOnce(&MemoryLedger<'_>, Timestamp) -> SessionResult<R>,
    ) -> SessionResult<R> {
        self.locked(owner, |ledger| look(ledger, self.clock.now()))
    }

    /// Writes under the lock of an owner. The time is read under the lock, so that it goes on for
    /// the owner from each write to the next.
    pub(super) fn write<R>(
        &self,
        owner: &Owner,
        write: impl FnOnce(&mut MemoryLedger<'_>, Timestamp) -> SessionResult<R>,
    ) -> SessionResult<R> {
        let (written, turn) = self.locked(owner, |ledger| {
            let now = self.clock.now();
            let swept = ledger.sweep(now, SWEEP_BUDGET);
            let written = swept.and_then(|_count| write(ledger, now));
            (written, ledger.shard.take_turn())
        });
        if let Some(index) = turn {
            self.sweep_elsewhere(index)?;
        }
        written
    }

    /// Sweeps a shard that may have no writers of its own; one that is in use has.
    fn sweep_elsewhere(&self, index: usize) -> SessionResult<()> {
        if let Some(mut shard) = self.owners.shard(index).try_lock() {
            let now = self.clock.now();
            self.ledger(&mut shard).sweep(now, ELSEWHERE_BUDGET)?;
        }
        Ok(())
    }

    fn ledger<'a>(&'a self, shard: &'a mut OwnerShard) -> MemoryLedger<'a> {
        MemoryLedger {
            keys: &self.keys,
            owners: &self.owners,
            shard,
            home: None,
        }
    }

    /// Writes a session that is known by its key alone.
    pub(super) fn write_session<R>(
        &self,
        key: &SessionKey,
        write: impl FnOnce(&mut MemoryLedger<'_>, Timestamp) -> SessionResult<R>,
    ) -> SessionResult<R> {
        let mut write = Some(write);
        loop {
            let Some(owner) = self.keys.read(key, |stored| stored.owner().clone()) else {
                return Err(not_found(key));
            };
            // The key may have gone to another owner before the lock was taken, and one that is free
            // may still go: only a session of this owner stays as it is while the lock is held.
            let written = self.write(&owner, |ledger, now| match ledger.head(key)? {
                None => Err(not_found(key)),
                Some(head) if head.owner != owner => Ok(None),
                Some(_) => write.take().map(|write| write(ledger, now)).transpose(),
            })?;
            if let Some(written) = written {
                return Ok(written);
            }
        }
    }

    /// Frees a key that an expired session of another owner still holds (C4, C12).
    pub(super) fn evict_expired(&self, key: &SessionKey, owner: &Owner) -> SessionResult<()> {
        let holder = self.keys.read(key, |stored| {
            let foreign = stored.owner() != owner;
            (foreign && self.if_live(stored).is_none()).then(|| stored.owner().clone())
        });
        let Some(holder) = holder.flatten() else {
            return Ok(());
        };
        self.locked(&holder, |ledger| match ledger.head(key)? {
            Some(head) if head.owner == holder && !head.is_live(self.clock.now()) => {
                rules::delete_session(ledger, key, &head)
            }
            _ => Ok(()),
        })
    }
}

impl Default for InMemorySessionStore {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows no session (C18).
impl std::fmt::Debug for InMemorySessionStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InMemorySessionStore")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Backend for InMemorySessionStore {
    fn options(&self) -> &StoreOptions {
        &self.options
    }

    async fn create(&self, request: request::Create) -> SessionResult<CreateOutcome> {
        self.evict_expired(request.session.key(), &request.owner)?;
        self.write(&request.owner.clone(), |ledger, now| {
            rules::create(ledger, now, request)
        })
    }

    async fn get(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        Ok(self.get_shared(key))
    }

    async fn get_owned(&self, key: &SessionKey) -> SessionResult<Option<Owned>> {
        let look = |stored: &Stored| {
            self.if_live(stored).map(|session| Owned {
                owner: stored.owner().clone(),
                session,
            })
        };
        Ok(self.keys.read(key, look).flatten())
    }

    async fn update(&self, request: request::Update) -> SessionResult<u64> {
        self.write_session(&request.session.key().clone(), |ledger, now| {
            rules::update(ledger, now, request)
        })
    }

    async fn remove(&self, request: request::Remove) -> SessionResult<()> {
        self.write_session(&request.key, |ledger, now| {
            rules::remove(ledger, now, &request)
        })
    }

    async fn park(&self, request: request::Park) -> SessionResult<ParkOutcome> {
        self.evict_expired(request.session.key(), &request.owner)?;
        self.write(&request.owner.clone(), |ledger, now| {
            rules::park(ledger, now, request)
        })
    }

    async fn find(&self, owner: &Owner, scope: &ScopeDigest) -> SessionResult<Option<SessionKey>> {
        self.look(owner, |ledger, now| rules::find(ledger, now, owner, scope))
    }

    async fn waits(&self, owner: &Owner) -> SessionResult<Vec<SessionKey>> {
        self.look(owner, |ledger, now| rules::waits(ledger, now, owner))
    }

    async fn latest(&self, owner: &Owner) -> SessionResult<Option<Arc<Session>>> {
        self.look(owner, |ledger, now| {
            rules::latest(ledger, now, owner, self.options.find_by_user)
        })
    }

    async fn clear(&self, request: request::Clear) -> SessionResult<ClearOutcome> {
        self.write(&request.owner, |ledger, now| {
            rules::clear(ledger, now, &request)
        })
    }

    async fn claim(&self, request: request::Claim) -> SessionResult<ClaimOutcome> {
        self.write(&request.owner.clone(), |ledger, now| {
            rules::claim(ledger, now, request)
        })
    }

    async fn renew(&self, request: request::Renew) -> SessionResult<Timestamp> {
        self.write(&request.token.owner, |ledger, now| {
            rules::renew(ledger, now, &request)
        })
    }

    async fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        self.write(&token.owner, |ledger, now| {
            rules::release(ledger, now, token)
        })
    }

    async fn commit(&self, request: request::Commit) -> SessionResult<()> {
        let options = self.options;
        self.write(&request.token.owner.clone(), |ledger, now| {
            rules::commit(ledger, now, &options, request)
        })
    }

    async fn health(&self) -> SessionResult<Health> {
        let started = Instant::now();
        let _probe = self.get_shared(&SessionKey::new("health"));
        let round_trip: Duration = started.elapsed();
        Ok(Health::new("memory", round_trip))
    }
}
