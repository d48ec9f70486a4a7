//! The in-memory store: which lock each operation takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use greentic_types::SessionKey;

use super::claim_due::claim_due;
use super::ledger::MemoryLedger;
use super::shards::Shards;
use super::stored::Stored;
use super::sweep::{self, sweep};
use super::verify::verify;
use super::walk::{walk, walk_one};
use crate::admin::{ImportOutcome, RevokeOutcome, ScanCursor, VerifyMode, VerifyPage};
#[cfg(feature = "encryption")]
use crate::admin::{ResealMode, ResealPage};
use crate::backend::{Admin, Backend, Depth, RefusedWaits, WalkPage, yield_now};
use crate::claim::{ClaimOutcome, ClaimToken, Committed};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::due::DuePage;
#[cfg(feature = "encryption")]
use crate::error::invalid_input;
use crate::error::{SessionResult, not_found};
use crate::inbox::{DeliverOutcome, MessageInfo, NextOutcome};
use crate::observe::{Fact, Observer, Watch};
use crate::options::StoreOptions;
use crate::owner::Owner;
use crate::request;
use crate::rules::{self, Erased, Erasure, View, WaitList};
use crate::scope::ScopeDigest;
use crate::session::{ClearOutcome, CreateOutcome, Health, ParkOutcome, Session};

/// A store in the memory of this process. Its sessions end with the process.
///
/// For tests, development, and single processes whose sessions need not survive. Reads of different
/// keys scale with the number of cores. Later writes free the memory of expired sessions, in small
/// steps.
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
    shards: Shards,
    clock: Box<dyn Clock>,
    options: StoreOptions,
    refused_waits: RefusedWaits,
    /// How often what is due was asked for. Each call begins with another shard.
    polls: AtomicUsize,
    watch: Watch,
}

impl InMemorySessionStore {
    /// Creates an empty store with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(StoreOptions::new())
    }

    /// Creates an empty store.
    #[must_use]
    pub fn with_options(options: StoreOptions) -> Self {
        Self::with_clock(options, SystemClock::new())
    }

    /// Creates an empty store with `clock` as the source of time.
    #[must_use]
    pub fn with_clock(options: StoreOptions, clock: impl Clock) -> Self {
        Self {
            shards: Shards::new(),
            clock: Box::new(clock),
            options,
            refused_waits: RefusedWaits::default(),
            polls: AtomicUsize::new(0),
            watch: Watch::default(),
        }
    }

    /// Tells `observer` what the store does (C39).
    #[must_use]
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        self.watched(Watch::by(observer))
    }

    pub(crate) fn watched(self, watch: Watch) -> Self {
        Self { watch, ..self }
    }

    /// Returns a session without copying it; none if it does not exist or has expired (C12).
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
        self.shards.keys.read(key, |stored| self.if_live(stored))?
    }

    /// Removes everything that has expired, and returns how many sessions, start claims, and owners with
    /// expired messages, that was.
    ///
    /// Not needed in normal use: writes remove expired sessions in small steps. Locks one shard after
    /// the other.
    ///
    /// # Errors
    /// None in this store.
    pub fn sweep(&self) -> SessionResult<usize> {
        let now = self.clock.now();
        let mut swept = 0;
        for shard in self.shards.owners.shards() {
            loop {
                let mut shard = shard.lock();
                let step = sweep(&mut self.shards.ledger(&mut shard), now, sweep::STEP)?;
                swept += step;
                if step < sweep::STEP {
                    break;
                }
            }
        }
        Ok(swept)
    }

    /// Counts stored sessions, and owners with state of their own. Both counts include what has expired
    /// and is not removed yet.
    ///
    /// Both are 0 once everything has expired and was removed (C13).
    #[must_use]
    pub fn held(&self) -> (usize, usize) {
        (self.shards.keys.len(), self.shards.owners.len())
    }

    /// The caller holds the lock of the session's shard, and the time is read under it: a write in
    /// between could extend the deadline, and the session would wrongly count as expired.
    fn if_live(&self, stored: &Stored) -> Option<Arc<Session>> {
        match stored.session.deadline {
            Some(deadline) if deadline <= self.clock.now() => None,
            _ => Some(Arc::clone(&stored.session)),
        }
    }

    #[cfg(test)]
    pub(super) fn shard_of(&self, owner: &Owner) -> usize {
        self.shards.owners.index(self.shards.owners.hash(owner))
    }

    /// Reads under the lock of an owner.
    pub(super) fn read<R>(
        &self,
        owner: &Owner,
        read: impl FnOnce(&MemoryLedger<'_>, Timestamp) -> SessionResult<R>,
    ) -> SessionResult<R> {
        self.shards
            .locked(owner, |ledger| read(ledger, self.clock.now()))
    }

    /// Reads under the lock of an owner in whose shard nothing is expired, so that `read` finds what
    /// is live first. What is expired is removed before, in steps.
    async fn read_swept<R>(
        &self,
        owner: &Owner,
        read: impl FnOnce(&MemoryLedger<'_>, Timestamp) -> SessionResult<R>,
    ) -> SessionResult<R> {
        let mut read = Some(read);
        loop {
            let step = self.shards.locked(owner, |ledger| {
                let now = self.clock.now();
                match sweep(ledger, now, sweep::STEP)? {
                    sweep::STEP => Ok(None),
                    _ => read.take().map(|read| read(ledger, now)).transpose(),
                }
            });
            if let Some(found) = step? {
                return Ok(found);
            }
            self.pause(owner).await;
        }
    }

    /// Between two steps of a long call, lets those go on who wait for the lock. A thread that takes it
    /// again at once is else faster than they are.
    async fn pause(&self, owner: &Owner) {
        self.shards.hand_over(owner);
        yield_now().await;
    }

    /// Writes under the lock of an owner. The time is read under the lock, so that it never decreases
    /// from one write of an owner to the next.
    pub(super) fn write<R>(
        &self,
        owner: &Owner,
        write: impl FnOnce(&mut MemoryLedger<'_>, Timestamp) -> SessionResult<R>,
    ) -> SessionResult<R> {
        let (written, swept, swept_next) = self.shards.locked(owner, |ledger| {
            let now = self.clock.now();
            let swept = sweep(ledger, now, sweep::BUDGET);
            let count = *swept.as_ref().unwrap_or(&0);
            let written = swept.and_then(|_count| write(ledger, now));
            (written, count, ledger.shard.count_write())
        });
        self.watch.fact(Self::NAME, Fact::Swept, swept);
        if let Some(index) = swept_next {
            self.sweep_shard(index)?;
        }
        written
    }

    /// Writes under the lock of an owner that may have at most `max_waits` waits. The limit counts what
    /// is live alone, so what is expired is removed first, in steps.
    async fn write_within<R>(
        &self,
        owner: &Owner,
        max_waits: usize,
        write: impl FnOnce(&mut MemoryLedger<'_>, Timestamp) -> SessionResult<R>,
    ) -> SessionResult<R> {
        let mut write = Some(write);
        loop {
            let written = self.write(owner, |ledger, now| {
                let is_full = max_waits > 0 && ledger.wait_count(owner)? >= max_waits;
                if is_full && sweep(ledger, now, sweep::STEP)? == sweep::STEP {
                    return Ok(None);
                }
                write.take().map(|write| write(ledger, now)).transpose()
            })?;
            if let Some(written) = written {
                return Ok(written);
            }
            self.pause(owner).await;
        }
    }

    /// Sweeps a shard that may have no writers. A shard whose lock is held has one, and is skipped.
    fn sweep_shard(&self, index: usize) -> SessionResult<()> {
        if let Some(mut shard) = self.shards.owners.shard(index).try_lock() {
            let now = self.clock.now();
            sweep(
                &mut self.shards.ledger(&mut shard),
                now,
                sweep::OTHER_SHARD_BUDGET,
            )?;
        }
        Ok(())
    }

    /// Writes a session that is known by its key alone.
    fn write_session<R>(
        &self,
        key: &SessionKey,
        write: impl FnOnce(&mut MemoryLedger<'_>, Timestamp) -> SessionResult<R>,
    ) -> SessionResult<R> {
        let mut write = Some(write);
        loop {
            let Some(owner) = self.shards.keys.read(key, |stored| stored.owner().clone()) else {
                return Err(not_found(key));
            };
            // Before the lock was taken, the key may have been given to another owner's session. Only
            // a session of the locked owner cannot change meanwhile.
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

    /// Removes an expired session of another owner that still occupies the key (C4, C12).
    fn evict_expired(&self, key: &SessionKey, owner: &Owner) -> SessionResult<()> {
        let holder = self.shards.keys.read(key, |stored| {
            let foreign = stored.owner() != owner;
            (foreign && self.if_live(stored).is_none()).then(|| stored.owner().clone())
        });
        let Some(holder) = holder.flatten() else {
            return Ok(());
        };
        self.shards
            .locked(&holder, |ledger| match ledger.head(key)? {
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
    const NAME: &'static str = "memory";

    fn watch(&self) -> &Watch {
        &self.watch
    }

    fn options(&self) -> &StoreOptions {
        &self.options
    }

    fn refused_waits(&self) -> &RefusedWaits {
        &self.refused_waits
    }

    async fn create(&self, request: request::Create) -> SessionResult<CreateOutcome> {
        self.evict_expired(request.session.key(), &request.owner)?;
        self.write(&request.owner.clone(), |ledger, now| {
            rules::create(ledger, now, request)
        })
    }

    async fn get(
        &self,
        key: &SessionKey,
        fence: Option<&Owner>,
    ) -> SessionResult<Option<Arc<Session>>> {
        let read = |stored: &Stored| match stored.owner().is_within(fence) {
            true => self.if_live(stored),
            false => None,
        };
        Ok(self.shards.keys.read(key, read).flatten())
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
        let (owner, limit) = (request.owner.clone(), request.max_waits);
        self.write_within(&owner, limit, |ledger, now| {
            rules::park(ledger, now, request)
        })
        .await
    }

    async fn find(&self, owner: &Owner, scope: &ScopeDigest) -> SessionResult<Option<SessionKey>> {
        self.read(owner, |ledger, now| rules::find(ledger, now, owner, scope))
    }

    async fn waits(&self, owner: &Owner) -> SessionResult<Vec<SessionKey>> {
        let (mut waits, mut after) = (WaitList::default(), None);
        loop {
            let page = |ledger: &MemoryLedger<'_>, now| {
                rules::list(ledger, now, owner, after.as_ref(), &mut waits)
            };
            after = self.read_swept(owner, page).await?;
            if after.is_none() {
                return Ok(waits.into_keys());
            }
            self.pause(owner).await;
        }
    }

    async fn latest(&self, owner: &Owner) -> SessionResult<Option<Arc<Session>>> {
        let sees = self.options.find_by_user;
        let read = |ledger: &MemoryLedger<'_>, now| rules::latest(ledger, now, owner, sees);
        self.read_swept(owner, read).await
    }

    async fn clear(&self, request: request::Clear) -> SessionResult<ClearOutcome> {
        self.write(&request.owner, |ledger, now| {
            rules::clear(ledger, now, &request)
        })
    }

    async fn claim(&self, request: request::Claim) -> SessionResult<ClaimOutcome> {
        let owner = request.owner.clone();
        let mut limit = 0;
        if let Some(start) = &request.start {
            let before = |ledger: &MemoryLedger<'_>, _now| ledger.start(&owner, &start.scope.ours);
            let before = self.read(&owner, before)?;
            self.evict_expired(
                before.as_ref().map_or(&start.key, |before| &before.key),
                &owner,
            )?;
            limit = start.max_waits;
        }
        self.write_within(&owner, limit, |ledger, now| {
            rules::claim(ledger, now, request)
        })
        .await
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

    fn release_dropped(&self, token: &ClaimToken) {
        let _released = self.write(&token.owner, |ledger, now| {
            rules::release(ledger, now, token)
        });
    }

    async fn commit(&self, request: request::Commit) -> SessionResult<Committed> {
        let options = self.options;
        if request.token.start.is_some() {
            self.evict_expired(&request.token.key, &request.token.owner)?;
        }
        let committed = self.write(&request.token.owner.clone(), |ledger, now| {
            rules::commit(ledger, now, &options, request)
        })?;
        committed.into_result()
    }

    async fn deliver(&self, request: request::Deliver) -> SessionResult<DeliverOutcome> {
        let (owner, options) = (request.owner.clone(), self.options);
        let limit = match &request.if_none {
            request::IfNone::Start(key) => {
                if let Some(key) = key {
                    self.evict_expired(key, &owner)?;
                }
                options.max_waits
            }
            request::IfNone::Buffer | request::IfNone::Refuse => 0,
        };
        self.write_within(&owner, limit, |ledger, now| {
            rules::deliver(ledger, now, &options, request)
        })
        .await
    }

    async fn next(&self, request: request::NextTurn) -> SessionResult<NextOutcome> {
        let options = self.options;
        self.write(&request.owner.clone(), |ledger, now| {
            rules::next(ledger, now, &options, request)
        })
    }

    async fn messages(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
    ) -> SessionResult<Vec<MessageInfo>> {
        self.read(owner, |ledger, now| {
            rules::messages(ledger, now, owner, scope)
        })
    }

    async fn discard(&self, request: request::OfQueue<request::Discarded>) -> SessionResult<u32> {
        self.write(&request.owner, |ledger, now| {
            rules::discard(ledger, now, &request)
        })
    }

    async fn retry(&self, request: request::OfQueue<request::Retried>) -> SessionResult<u32> {
        let options = self.options;
        self.write(&request.owner, |ledger, now| {
            rules::retry(ledger, now, &options, &request)
        })
    }

    async fn claim_due(&self, request: request::ClaimDue) -> SessionResult<DuePage> {
        let first = self.polls.fetch_add(1, Ordering::Relaxed);
        claim_due(&self.shards, &*self.clock, &self.options, first, &request)
    }

    async fn set_timeout(&self, request: request::SetTimeout) -> SessionResult<Option<Timestamp>> {
        self.write_session(&request.key, |ledger, now| {
            rules::set_timeout(ledger, now, &request)
        })
    }

    async fn health(&self) -> SessionResult<Health> {
        let started = Instant::now();
        let _probe = self.get_shared(&SessionKey::new("health"));
        let round_trip: Duration = started.elapsed();
        Ok(Health::new("memory", round_trip))
    }
}

impl Admin for InMemorySessionStore {
    async fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<WalkPage> {
        walk(&self.shards, self.clock.now(), depth, after, limit)
    }

    async fn walk_one(&self, key: &SessionKey) -> SessionResult<WalkPage> {
        walk_one(&self.shards, self.clock.now(), key)
    }

    async fn erase_owner(
        &self,
        owner: &Owner,
        request: request::EraseOwner,
    ) -> SessionResult<Erased> {
        let mut erasure = Erasure::new(owner.clone(), request);
        while !self.write(owner, |ledger, now| erasure.step(ledger, now))? {
            self.pause(owner).await;
        }
        Ok(erasure.erased)
    }

    async fn verify(
        &self,
        _mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        verify(&self.shards, &*self.clock, after, limit)
    }

    #[cfg(feature = "encryption")]
    async fn reseal(
        &self,
        _mode: ResealMode,
        _after: Option<&ScanCursor>,
        _limit: usize,
    ) -> SessionResult<ResealPage> {
        Err(invalid_input("the memory store keeps nothing at rest"))
    }

    async fn extend(&self, request: request::Extend) -> SessionResult<Option<Timestamp>> {
        self.write_session(&request.key, |ledger, now| {
            rules::extend(ledger, now, &request)
        })
    }

    async fn revoke(&self, request: request::Revoke) -> SessionResult<RevokeOutcome> {
        self.write_session(&request.key, |ledger, now| {
            rules::revoke(ledger, now, &request)
        })
    }

    async fn import(&self, request: request::Import) -> SessionResult<ImportOutcome> {
        self.evict_expired(request.session.key(), &request.owner)?;
        self.write(&request.owner.clone(), |ledger, now| {
            rules::import(ledger, now, request)
        })
    }

    async fn import_messages(&self, request: request::ImportMessages) -> SessionResult<()> {
        let options = *self.options();
        self.write(&request.owner.clone(), |ledger, now| {
            rules::import_messages(ledger, now, &options, request)
        })
    }
}
