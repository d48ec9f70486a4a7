//! The durable store: which operations read a snapshot, and which are queued for the writer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use greentic_types::{ErrorCode, GreenticError, SessionKey};

use super::admin::{
    Inconsistency, count_held, inconsistencies, open_page, repair, verify_page, walk, walk_one,
};
use super::clock::StoreClock;
use super::config::DurableConfig;
use super::file::{FileLock, Opened, catch_corruption, open, rewrite};
use super::format::{
    FORMAT_VERSION, Table, decode_due, decode_queue_due, payload_row, unseal_payload,
};
use super::rows::{Rows, Snapshot, first_due, session_of};
use super::writer::{DurableLedger, Shared, Sweeper, Untaken, Writer, claim_due};
use crate::admin::{ImportOutcome, RevokeOutcome, ScanCursor, VerifyMode, VerifyPage};
#[cfg(feature = "encryption")]
use crate::admin::{ResealMode, ResealPage};
use crate::backend::{Admin, Backend, Depth, RefusedWaits, WalkPage, yield_now};
#[cfg(feature = "encryption")]
use crate::backend::{Exchange, StoredBody, reseal};
use crate::blocking::wait_for;
use crate::claim::{ClaimOutcome, ClaimToken, Committed};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::due::{DuePage, LONGEST_POLL};
use crate::error::SessionResult;
use crate::inbox::{DeliverOutcome, MessageInfo, NextOutcome};
use crate::message_id::MessageDigest;
use crate::observe::Watch;
use crate::options::StoreOptions;
use crate::owner::Owner;
use crate::reply::Reply;
use crate::request;
use crate::rules::{self, Erased, Erasure, View, WaitList};
use crate::scope::ScopeDigest;
#[cfg(feature = "encryption")]
use crate::sealing::Sealing;
use crate::session::{
    ClearOutcome, CreateOutcome, Health, HealthWarning, NewSession, ParkOutcome, Session,
};

/// How many sessions and messages an explicit sweep removes in one commit.
const SWEEP_BUDGET: usize = 256;
/// From which difference on a wall clock that was set back is reported.
const CLOCK_TOLERANCE_MILLIS: u64 = 60_000;

/// A store in one local file. Sessions survive the end of the process, and by default also a loss of
/// power.
///
/// One process at a time can open the file. A write waits for a commit, which concurrent writes
/// share. A read waits for no write. Dropping the store closes the file, which blocks until the last
/// commit is done.
///
/// After a write or a sync failed, all further writes are refused with `Unavailable` until the store
/// is opened again. Reads continue.
///
/// ```
/// use greentic_session::durable::{DurableConfig, DurableSessionStore};
/// use greentic_session::{SessionKey, SessionStore};
///
/// # let directory = tempfile::tempdir().map_err(|_| greentic_session::GreenticError::new(
/// #     greentic_session::ErrorCode::Unavailable, "no directory"))?;
/// # let path = directory.path().join("sessions.redb");
/// let store = DurableSessionStore::open(DurableConfig::new(path))?;
/// assert!(store.get_session(&SessionKey::new("unknown"))?.is_none());
/// store.close()?;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub struct DurableSessionStore {
    shared: Arc<Shared>,
    refused_waits: RefusedWaits,
    writer: Option<JoinHandle<SessionResult<()>>>,
    timer: Option<JoinHandle<()>>,
    // Released after the file is closed.
    _lock: Option<FileLock>,
}

impl DurableSessionStore {
    /// Opens the file, and creates it if it does not exist.
    ///
    /// Blocks up to [`DurableConfig::open_timeout`] while another process has the file open. If the
    /// file was not closed, it blocks until the whole file was read (see
    /// [`DurableConfig::quick_repair`]).
    ///
    /// # Errors
    /// Every error names the path, and nothing stored is changed.
    ///
    /// - `Unavailable` if the file is open already, cannot be read or written, or the disk is full.
    /// - `InvalidInput` if the directory does not exist, the file is no session store, or its format
    ///   version is unknown.
    /// - `Internal` if the file is damaged.
    pub fn open(config: DurableConfig) -> SessionResult<Self> {
        Self::open_with_clock(config, SystemClock::new())
    }

    /// Opens the file with `clock` as the source of time.
    ///
    /// The time of the store continues from the latest instant that the file has seen, also if the
    /// clock is behind it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_clock(config: DurableConfig, clock: impl Clock) -> SessionResult<Self> {
        let opened = open(&config)?;
        Self::start(config, opened, clock)
    }

    pub(super) fn start(
        config: DurableConfig,
        mut opened: Opened,
        clock: impl Clock,
    ) -> SessionResult<Self> {
        let clock = StoreClock::new(clock, opened.state.clock);
        let shared = Arc::new(Shared::new(config, clock, opened.failure.clone())?);
        let lock = opened.lock.take();
        let writer = Writer::new(Arc::clone(&shared), opened)?;
        let mut store = Self {
            shared,
            refused_waits: RefusedWaits::default(),
            writer: None,
            timer: None,
            _lock: lock,
        };
        let shared = Arc::clone(&store.shared);
        store.timer = Some(store.spawn("session-timer", move || shared.queue.run_deadlines())?);
        store.writer = Some(store.spawn("session-writer", move || writer.run())?);
        Ok(store)
    }

    fn spawn<T: Send + 'static>(
        &self,
        name: &str,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> SessionResult<JoinHandle<T>> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
        thread.map_err(|error| {
            let reason = format!("cannot be opened: no thread can be started: {error}");
            self.shared.file.error(ErrorCode::Unavailable, reason)
        })
    }

    /// Completes all queued operations, syncs and closes the file.
    ///
    /// # Errors
    /// `Unavailable` if a write failed, now or before. Writes that returned `Ok` under
    /// [`Durability::SurvivesPowerLoss`](super::Durability::SurvivesPowerLoss) are on the disk
    /// nevertheless.
    pub fn close(mut self) -> SessionResult<()> {
        self.stop()
    }

    fn stop(&mut self) -> SessionResult<()> {
        self.shared.queue.close();
        let closed = self.writer.take().map(JoinHandle::join);
        if let Some(timer) = self.timer.take() {
            let _ = timer.join();
        }
        match closed {
            Some(Ok(closed)) => closed,
            Some(Err(_panic)) => Err(self.shared.file.writes_stopped("its writer ended")),
            None => Ok(()),
        }
    }

    /// Compacts the file, and returns how many bytes it became shorter.
    ///
    /// Blocks, for long if the file is large. All other calls wait meanwhile, and end in `Timeout`
    /// after [`DurableConfig::timeout`].
    ///
    /// # Errors
    /// `Unavailable` if a write failed, now or before, or a read does not end within 5 s.
    pub fn compact(&self) -> SessionResult<u64> {
        wait_for(self.shared.queue.submit_compaction())
    }

    /// Replaces the file with a new one that contains only what is stored, for the right to erasure:
    /// free pages of the old file still contain removed data.
    ///
    /// The store must be closed. Reads and writes everything that is stored, and needs as much space
    /// again beside the file. A crash leaves either the old or the new file. The old file's blocks on
    /// the disk are not overwritten.
    ///
    /// # Errors
    /// As [`open`](Self::open). The old file is then unchanged.
    pub fn rewrite(config: DurableConfig) -> SessionResult<()> {
        rewrite(config)
    }

    /// Removes everything that has expired, and returns how many sessions, messages and start claims
    /// that was.
    ///
    /// Not needed in normal use: the writer removes expired rows in small steps, also when it is idle.
    ///
    /// # Errors
    /// As for every write.
    pub fn sweep(&self) -> SessionResult<usize> {
        let mut swept = 0;
        loop {
            let step = wait_for(
                self.shared
                    .queue
                    .submit(|ledger, now| Sweeper::default().sweep(ledger, now, SWEEP_BUDGET)),
            )?;
            swept += step;
            if step < SWEEP_BUDGET {
                return Ok(swept);
            }
        }
    }

    /// Counts stored sessions, and owners with state of their own. Both counts include what has expired
    /// and is not removed yet.
    ///
    /// Both are 0 once everything has expired and was removed (C13).
    ///
    /// # Errors
    /// As for every read.
    pub fn held(&self) -> SessionResult<(u64, u64)> {
        wait_for(self.read(|snapshot, _now| {
            count_held(&snapshot.tables).map_err(|error| snapshot.file.storage_error(&error))
        }))
    }

    /// Checks all rows of one commit against each other. An empty list means that all are consistent.
    ///
    /// Changes nothing, and takes long for a large file.
    ///
    /// # Errors
    /// As for every read.
    pub fn inconsistencies(&self) -> SessionResult<Vec<Inconsistency>> {
        wait_for(self.read(inconsistencies))
    }

    /// Queues an operation for the writer, and returns its result after its commit.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut DurableLedger<'_, '_>, Timestamp) -> SessionResult<T> + Send + 'static,
    ) -> SessionResult<T> {
        self.shared.queue.submit(write).await
    }

    /// Writes for an owner that may have at most `max_waits` waits. The limit counts what is live alone,
    /// so what is expired is removed first, in steps.
    async fn write_within<T: Send + 'static>(
        &self,
        owner: Owner,
        max_waits: usize,
        write: impl FnOnce(&mut DurableLedger<'_, '_>, Timestamp) -> SessionResult<T> + Send + 'static,
    ) -> SessionResult<T> {
        let mut call = (owner, write);
        loop {
            let written = self.write(move |ledger, now| {
                let (owner, write) = call;
                let is_full = max_waits > 0 && ledger.wait_count(&owner)? >= max_waits;
                if is_full && !ledger.expired_keys(now, 1)?.is_empty() {
                    let swept = Sweeper::default().sweep(ledger, now, SWEEP_BUDGET)?;
                    if swept == SWEEP_BUDGET {
                        return Ok(Err((owner, write)));
                    }
                }
                write(ledger, now).map(Ok)
            });
            match written.await? {
                Ok(outcome) => return Ok(outcome),
                Err(again) => call = again,
            }
        }
    }

    /// The value of the row with the data of a session.
    async fn payload_of(&self, session: &NewSession) -> SessionResult<Vec<u8>> {
        let stored = self.shared.sealing.session(session).await?;
        Ok(payload_row(session.key(), &stored))
    }

    /// Seals the reply of a commit for the other messages of its turn: each is a place of its own.
    async fn replies_of_others(
        &self,
        request: &request::Commit,
    ) -> SessionResult<Option<BTreeMap<MessageDigest, Reply>>> {
        let (sealing, token) = (&self.shared.sealing, &request.token);
        let Some(reply) = request.reply.as_ref().filter(|_| sealing.is_on()) else {
            return Ok(None);
        };
        let others = self.read(|snapshot, _now| {
            let inbox = snapshot.inbox(&token.owner)?.unwrap_or_default();
            let turn = inbox.marked(token.secret).map(|queued| queued.message);
            Ok(turn
                .filter(|message| *message != token.message)
                .collect::<Vec<_>>())
        });
        let mut replies = BTreeMap::new();
        for message in others.await? {
            let stored = sealing.reply(&token.owner, &message, reply.clone());
            replies.insert(message, stored.await?);
        }
        Ok(Some(replies))
    }

    /// Asks the vault for the keys of what is due, since the writer waits for nobody. Returns the error
    /// of a vault that does not answer.
    async fn fetch_due_keys(&self, limit: usize) -> SessionResult<Option<GreenticError>> {
        let sealing = &self.shared.sealing;
        if !sealing.is_on() {
            return Ok(None);
        }
        let lacking = self.read(|snapshot, now| {
            let (mut lacking, mut due) = (Vec::new(), Vec::new());
            for row in snapshot.due_keys(Table::Due, now, limit)? {
                let Ok((_, key)) = decode_due(&row) else {
                    continue;
                };
                let head = snapshot.head(&key).ok().flatten();
                due.extend(head.map(|head| (key, head)));
            }
            for row in snapshot.due_keys(Table::QueuesDue, now, limit)? {
                let Ok((_, owner)) = decode_queue_due(&row) else {
                    continue;
                };
                let inbox = snapshot.inbox(&owner).ok().flatten();
                if let Some((_, scope)) = inbox.and_then(|inbox| inbox.first_due()) {
                    due.extend(snapshot.routed(&owner, &scope, None).ok().flatten());
                }
            }
            for (key, head) in due {
                let name = key.as_str().as_bytes();
                let error = snapshot.get(Table::Payloads, name, |value| {
                    let stored = unseal_payload(&key, value);
                    Ok(stored.map_or(None, |stored| sealing.lacking(&head.owner, &key, stored)))
                })?;
                lacking.extend(error.flatten());
            }
            Ok(lacking)
        });
        for error in lacking.await? {
            match sealing.fetch(error).await {
                Err(error) if error.code == ErrorCode::Unavailable => return Ok(Some(error)),
                _known_or_unknown => {}
            }
        }
        Ok(None)
    }

    /// Reads the last commit on the caller's thread.
    pub(super) async fn read<T: Send>(
        &self,
        read: impl FnOnce(&Snapshot, Timestamp) -> SessionResult<T> + Send,
    ) -> SessionResult<T> {
        let (snapshot, now) = self.current_snapshot().await?;
        self.guard(|| read(&snapshot, now))
    }

    /// Runs a read, and turns a damaged page into an error.
    fn guard<T>(&self, read: impl FnOnce() -> SessionResult<T>) -> SessionResult<T> {
        catch_corruption(read).unwrap_or_else(|reason| Err(self.shared.file.damaged(reason)))
    }

    /// The last commit.
    async fn current_snapshot(&self) -> SessionResult<(Arc<Snapshot>, Timestamp)> {
        match self.shared.snapshot_now() {
            Some(current) => Ok(current),
            None => self.next_snapshot().await,
        }
    }

    /// The snapshot after the compaction in progress.
    async fn next_snapshot(&self) -> SessionResult<(Arc<Snapshot>, Timestamp)> {
        self.write(|_ledger, _now| Ok(())).await?;
        let current = self.shared.snapshot_now();
        current.ok_or_else(|| self.unreadable())
    }

    fn unreadable(&self) -> GreenticError {
        let reason = "cannot be read until it is opened again";
        self.shared.file.error(ErrorCode::Unavailable, reason)
    }

    fn warnings(&self) -> Vec<HealthWarning> {
        let mut warnings = Vec::new();
        if let Some(cause) = self.shared.failure.cause() {
            let message = self.shared.file.writes_stopped(cause).message;
            warnings.push(HealthWarning::new("writes_stopped", message));
        }
        for path in self.shared.file.open_to_others() {
            let path = path.display();
            let message = format!(
                "{path} contains conversations and is open to other users of this machine; \
                 chmod 600 closes it"
            );
            warnings.push(HealthWarning::new("open_to_others", message));
        }
        let ahead = self.shared.clock.ahead_millis();
        if ahead > CLOCK_TOLERANCE_MILLIS {
            let message = format!(
                "the clock was set back: the time of the store is {} s ahead of it",
                ahead / 1000
            );
            warnings.push(HealthWarning::new("clock_set_back", message));
        }
        warnings
    }
}

impl Drop for DurableSessionStore {
    fn drop(&mut self) {
        // The writer has logged any error.
        let _ = self.stop();
    }
}

/// Shows no session (C18).
impl std::fmt::Debug for DurableSessionStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DurableSessionStore")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl Backend for DurableSessionStore {
    const NAME: &'static str = "durable";

    fn watch(&self) -> &Watch {
        &self.shared.config.watch
    }

    fn options(&self) -> &StoreOptions {
        &self.shared.config.options
    }

    fn refused_waits(&self) -> &RefusedWaits {
        &self.refused_waits
    }

    async fn create(&self, request: request::Create) -> SessionResult<CreateOutcome> {
        let payload = self.payload_of(&request.session).await?;
        self.write(|ledger, now| rules::create(ledger.with_payload(Some(payload)), now, request))
            .await
    }

    async fn get(
        &self,
        key: &SessionKey,
        fence: Option<&Owner>,
    ) -> SessionResult<Option<Arc<Session>>> {
        let read = |snapshot: &Snapshot, now| {
            let head = snapshot.head(key)?;
            match head.filter(|head| head.is_live(now) && head.owner.is_within(fence)) {
                Some(head) => session_of(snapshot, key, &head).map(Some),
                None => Ok(None),
            }
        };
        self.shared.sealing.with_keys(|| self.read(read)).await
    }

    async fn update(&self, request: request::Update) -> SessionResult<u64> {
        let payload = self.payload_of(&request.session).await?;
        self.write(|ledger, now| rules::update(ledger.with_payload(Some(payload)), now, request))
            .await
    }

    async fn remove(&self, request: request::Remove) -> SessionResult<()> {
        self.write(move |ledger, now| rules::remove(ledger, now, &request))
            .await
    }

    async fn park(&self, request: request::Park) -> SessionResult<ParkOutcome> {
        let payload = self.payload_of(&request.session).await?;
        let (owner, limit) = (request.owner.clone(), request.max_waits);
        self.write_within(owner, limit, |ledger, now| {
            rules::park(ledger.with_payload(Some(payload)), now, request)
        })
        .await
    }

    async fn find(&self, owner: &Owner, scope: &ScopeDigest) -> SessionResult<Option<SessionKey>> {
        self.read(|snapshot, now| rules::find(snapshot, now, owner, scope))
            .await
    }

    async fn waits(&self, owner: &Owner) -> SessionResult<Vec<SessionKey>> {
        let (snapshot, now) = self.current_snapshot().await?;
        let (mut waits, mut after) = (WaitList::default(), None);
        loop {
            let page = || rules::list(&*snapshot, now, owner, after.as_ref(), &mut waits);
            after = self.guard(page)?;
            if after.is_none() {
                return Ok(waits.into_keys());
            }
            yield_now().await;
        }
    }

    async fn latest(&self, owner: &Owner) -> SessionResult<Option<Arc<Session>>> {
        let sees = self.options().find_by_user;
        let read = |snapshot: &Snapshot, now| rules::latest(snapshot, now, owner, sees);
        self.shared.sealing.with_keys(|| self.read(read)).await
    }

    async fn clear(&self, request: request::Clear) -> SessionResult<ClearOutcome> {
        self.write(move |ledger, now| rules::clear(ledger, now, &request))
            .await
    }

    async fn claim(&self, request: request::Claim) -> SessionResult<ClaimOutcome> {
        let sealing = &self.shared.sealing;
        sealing.ready(&request.owner).await?;
        let limit = request.start.as_ref().map_or(0, |start| start.max_waits);
        let (owner, message) = (request.owner.clone(), request.message);
        let claim = || {
            let (request, shared) = (request.clone(), Arc::downgrade(&self.shared));
            self.write_within(owner.clone(), limit, |ledger, now| {
                let outcome = rules::claim(ledger, now, request)?;
                Ok(Untaken::new(outcome, shared))
            })
        };
        match sealing.with_keys(claim).await?.take() {
            ClaimOutcome::Duplicate { reply } => {
                let reply = sealing.opened_if_any(&owner, &message, reply.map(Reply::stored));
                Ok(ClaimOutcome::duplicate_with(
                    reply.await?.map(Reply::into_bytes),
                ))
            }
            outcome => Ok(outcome),
        }
    }

    async fn renew(&self, request: request::Renew) -> SessionResult<Timestamp> {
        self.write(move |ledger, now| rules::renew(ledger, now, &request))
            .await
    }

    async fn release(&self, token: &ClaimToken) -> SessionResult<()> {
        let token = token.clone();
        self.write(move |ledger, now| rules::release(ledger, now, &token))
            .await
    }

    fn release_dropped(&self, token: &ClaimToken) {
        self.shared.release_dropped(token.clone());
    }

    async fn commit(&self, mut request: request::Commit) -> SessionResult<Committed> {
        let options = self.shared.config.options;
        let payload = match &request.next {
            request::Next::Park { session, .. } => Some(self.payload_of(session).await?),
            request::Next::Finish => None,
        };
        let sealing = &self.shared.sealing;
        request.hand_over.replies = self.replies_of_others(&request).await?;
        let reply = sealing.reply_of_commit(&request.token, request.reply.as_ref());
        request.reply = reply.await?;
        let shared = Arc::downgrade(&self.shared);
        let committed = self.write(move |ledger, now| {
            let outcome = rules::commit(ledger.with_payload(payload), now, &options, request)?;
            // A refusal keeps its writes.
            let committed = outcome.into_result();
            Ok(committed.map(|committed| Untaken::new(committed, shared)))
        });
        // The turn has ended, also if the next cannot be handed out now.
        let (committed, _withheld) = committed.await??.opened(sealing).await;
        Ok(committed)
    }

    async fn deliver(&self, mut request: request::Deliver) -> SessionResult<DeliverOutcome> {
        let (sealing, options) = (&self.shared.sealing, self.shared.config.options);
        let sealed = sealing.body(&request.owner, &request.message, request.body);
        request.body = sealed.await?;
        let limit = match &request.if_none {
            request::IfNone::Start(_) => options.max_waits,
            request::IfNone::Buffer | request::IfNone::Refuse => 0,
        };
        let (owner, message) = (request.owner.clone(), request.message);
        let deliver = || {
            let (request, shared) = (request.clone(), Arc::downgrade(&self.shared));
            self.write_within(owner.clone(), limit, move |ledger, now| {
                let outcome = rules::deliver(ledger, now, &options, request)?;
                Ok(Untaken::new(outcome, shared))
            })
        };
        match sealing.with_keys(deliver).await?.opened(sealing).await {
            (_, Some(error)) => Err(error),
            (DeliverOutcome::Duplicate { reply }, None) => {
                let reply = sealing.opened_if_any(&owner, &message, reply.map(Reply::stored));
                Ok(DeliverOutcome::duplicate_with(
                    reply.await?.map(Reply::into_bytes),
                ))
            }
            (outcome, None) => Ok(outcome),
        }
    }

    async fn next(&self, request: request::NextTurn) -> SessionResult<NextOutcome> {
        let (sealing, options) = (&self.shared.sealing, self.shared.config.options);
        sealing.ready(&request.owner).await?;
        let next = || {
            let (request, shared) = (request.clone(), Arc::downgrade(&self.shared));
            self.write(move |ledger, now| {
                let outcome = rules::next(ledger, now, &options, request)?;
                Ok(Untaken::new(outcome, shared))
            })
        };
        match sealing.with_keys(next).await?.opened(sealing).await {
            (_, Some(error)) => Err(error),
            (outcome, None) => Ok(outcome),
        }
    }

    async fn messages(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
    ) -> SessionResult<Vec<MessageInfo>> {
        self.read(|snapshot, now| rules::messages(snapshot, now, owner, scope))
            .await
    }

    async fn discard(&self, request: request::OfQueue<request::Discarded>) -> SessionResult<u32> {
        self.write(move |ledger, now| rules::discard(ledger, now, &request))
            .await
    }

    async fn retry(&self, request: request::OfQueue<request::Retried>) -> SessionResult<u32> {
        let options = self.shared.config.options;
        self.write(move |ledger, now| rules::retry(ledger, now, &options, &request))
            .await
    }

    async fn claim_due(&self, request: request::ClaimDue) -> SessionResult<DuePage> {
        let first = self.read(|snapshot, now| Ok((first_due(snapshot)?, now)));
        let (first, now) = first.await?;
        match first.map(|at| at.since(now)) {
            Some(Duration::ZERO) => {}
            later => {
                let next = later.unwrap_or(LONGEST_POLL);
                return Ok(DuePage::new(Vec::new(), false, next));
            }
        }
        let unavailable = self.fetch_due_keys(request.limit).await?;
        let (shared, options) = (Arc::downgrade(&self.shared), self.shared.config.options);
        // A key that the vault does not have is not waited for.
        let puts_off = unavailable.is_none();
        let claim = self.write(move |ledger, now| {
            let page = claim_due(ledger, now, &options, &request, puts_off)?;
            Ok(Untaken::new(page, shared))
        });
        let (page, withheld) = claim.await?.opened(&self.shared.sealing).await;
        let withheld = withheld.filter(|error| error.code == ErrorCode::Unavailable);
        match unavailable.or(withheld) {
            Some(error) if page.turns.is_empty() => Err(error),
            _ => Ok(page),
        }
    }

    async fn set_timeout(&self, request: request::SetTimeout) -> SessionResult<Option<Timestamp>> {
        self.write(move |ledger, now| rules::set_timeout(ledger, now, &request))
            .await
    }

    async fn health(&self) -> SessionResult<Health> {
        let started = Instant::now();
        if self.shared.failure.cause().is_none() {
            self.write(|_ledger, _now| Ok(())).await?;
        }
        let round_trip: Duration = started.elapsed();
        let mut health = Health::new("durable", round_trip);
        health.version = Some(format!("format {FORMAT_VERSION}"));
        health.warnings = self.warnings();
        Ok(health)
    }
}

#[cfg(feature = "encryption")]
impl Exchange for DurableSessionStore {
    fn sealing(&self) -> &Sealing {
        &self.shared.sealing
    }

    async fn exchange_session(
        &self,
        _owner: &Owner,
        key: &SessionKey,
        old: &[u8],
        new: Vec<u8>,
    ) -> SessionResult<bool> {
        let (key, old) = (key.clone(), payload_row(key, old));
        let new = payload_row(&key, &new);
        self.write(move |ledger, _now| ledger.exchange_payload(&key, &old, new))
            .await
    }

    async fn exchange_reply(
        &self,
        owner: &Owner,
        message: &MessageDigest,
        old: &Reply,
        new: Reply,
    ) -> SessionResult<bool> {
        let (owner, message, old) = (owner.clone(), *message, old.clone());
        self.write(move |ledger, _now| ledger.exchange_reply(&owner, &message, &old, &new))
            .await
    }

    async fn exchange_body(
        &self,
        owner: &Owner,
        old: StoredBody,
        new: Vec<u8>,
    ) -> SessionResult<bool> {
        let owner = owner.clone();
        self.write(move |ledger, _now| ledger.exchange_body(&owner, old.number, &old.bytes, &new))
            .await
    }
}

impl Admin for DurableSessionStore {
    async fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<WalkPage> {
        let walked = self.read(|snapshot, now| walk(snapshot, now, depth, after, limit));
        match depth {
            Depth::Full => open_page(&self.shared.sealing, walked.await?).await,
            _ => walked.await,
        }
    }

    async fn walk_one(&self, key: &SessionKey) -> SessionResult<WalkPage> {
        self.read(|snapshot, now| walk_one(snapshot, now, Depth::Summary, key))
            .await
    }

    async fn erase_owner(
        &self,
        owner: &Owner,
        request: request::EraseOwner,
    ) -> SessionResult<Erased> {
        let mut erasure = Erasure::new(owner.clone(), request);
        loop {
            let step = self.write(move |ledger, now| {
                let is_last = erasure.step(ledger, now)?;
                Ok((erasure, is_last))
            });
            let (stepped, is_last) = step.await?;
            if is_last {
                return Ok(stepped.erased);
            }
            erasure = stepped;
        }
    }

    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        let (mut page, faulty) = self
            .read(|snapshot, now| verify_page(snapshot, now, after, limit))
            .await?;
        if mode != VerifyMode::Check && !faulty.is_empty() {
            page.findings = self
                .write(move |ledger, now| repair(ledger, now, mode, faulty))
                .await?;
        }
        Ok(page)
    }

    #[cfg(feature = "encryption")]
    async fn reseal(
        &self,
        mode: ResealMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<ResealPage> {
        reseal(self, mode, after, limit).await
    }

    async fn extend(&self, request: request::Extend) -> SessionResult<Option<Timestamp>> {
        self.write(move |ledger, now| rules::extend(ledger, now, &request))
            .await
    }

    async fn revoke(&self, request: request::Revoke) -> SessionResult<RevokeOutcome> {
        self.write(move |ledger, now| rules::revoke(ledger, now, &request))
            .await
    }

    async fn import(&self, request: request::Import) -> SessionResult<ImportOutcome> {
        let payload = self.payload_of(&request.session).await?;
        self.write(|ledger, now| rules::import(ledger.with_payload(Some(payload)), now, request))
            .await
    }

    async fn import_messages(&self, mut request: request::ImportMessages) -> SessionResult<()> {
        request.seal(&self.shared.sealing).await?;
        let options = *self.options();
        self.write(move |ledger, now| rules::import_messages(ledger, now, &options, request))
            .await
    }
}
