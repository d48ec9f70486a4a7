//! The operator's part of a backend, and the operations that are built on it for all backends.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use greentic_types::SessionKey;
#[cfg(any(feature = "redis", feature = "durable"))]
use greentic_types::{ErrorCode, GreenticError};

use super::Backend;
#[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
use super::stored_body::StoredBody;
#[cfg(feature = "redis")]
use crate::admin::ScopeDigest;
use crate::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ExportedMessage, ExportedMessages,
    ExportedSession, ExportedWait, Finding, ImportOutcome, OwnerSelection, Progress, RevokeOutcome,
    ScanCursor, ScanFilter, ScanPage, SessionInfo, SessionState, VerifyMode, VerifyPage,
};
#[cfg(feature = "encryption")]
use crate::admin::{ResealMode, ResealPage};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::holder::Holder;
use crate::options::TtlMillis;
use crate::owner::{Owner, foreign_key};
use crate::payload::Summary;
use crate::request;
use crate::rules::{Erased, Head, Remembered};
#[cfg(any(feature = "redis", feature = "durable"))]
use crate::sealing::Sealing;
use crate::session::Session;

/// How much a walk reads of a session, besides its head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What a scan reports. Owners are not read.
    Summary,
    /// Nothing more.
    Heads,
    /// The whole session.
    Full,
    /// The whole session, as it is stored.
    #[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
    Stored,
}

/// One page of a walk over all stored entries.
pub(crate) struct WalkPage {
    pub now: Timestamp,
    /// Sessions, including expired ones that are still stored.
    pub sessions: Vec<Entry>,
    /// Owners that have entries other than sessions.
    pub owners: Vec<OwnerEntry>,
    pub unreadable: Vec<Finding>,
    pub progress: Progress,
    pub next: Option<ScanCursor>,
}

impl WalkPage {
    pub const fn new(now: Timestamp) -> Self {
        Self {
            now,
            sessions: Vec::new(),
            owners: Vec::new(),
            unreadable: Vec::new(),
            progress: Progress::COMPLETE,
            next: None,
        }
    }

    /// Adds the entries that another server returned for the same page.
    #[cfg(feature = "redis")]
    pub fn extend(&mut self, other: Self) {
        self.now = self.now.max(other.now);
        self.sessions.extend(other.sessions);
        self.owners.extend(other.owners);
        self.unreadable.extend(other.unreadable);
    }
}

/// A session that a walk found.
pub(crate) struct Entry {
    pub key: SessionKey,
    pub head: Head,
    /// True if its user created it last (C6).
    pub latest: bool,
    /// The highest fencing number of its claims (C16).
    pub fencing: u64,
    pub detail: Detail,
}

/// What a walk read of a session, according to its [`Depth`].
pub(crate) enum Detail {
    None,
    Summary(Summary),
    Session(Arc<Session>),
    /// The data of a session as it is stored, to be opened.
    #[cfg(any(feature = "durable", all(feature = "encryption", feature = "redis")))]
    Stored(Vec<u8>),
}

/// An owner that a walk found.
pub(crate) struct OwnerEntry {
    pub owner: Owner,
    /// The scope, if the entry is a wait that greentic-session 1.2 stored.
    #[cfg(feature = "redis")]
    pub legacy_scope: Option<ScopeDigest>,
    /// The remembered messages, oldest first, including forgotten ones that are still stored.
    pub messages: Vec<Remembered>,
    /// How many messages are in its queues, dead letters included.
    pub queued: u64,
    /// The bodies of these messages, at [`Depth::Stored`].
    #[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
    pub bodies: Vec<StoredBody>,
}

impl OwnerEntry {
    pub const fn new(owner: Owner, messages: Vec<Remembered>) -> Self {
        Self {
            owner,
            #[cfg(feature = "redis")]
            legacy_scope: None,
            messages,
            queued: 0,
            #[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
            bodies: Vec::new(),
        }
    }
}

#[cfg(any(feature = "redis", feature = "durable"))]
impl OwnerEntry {
    /// Opens the stored replies. Returns the errors of those that cannot be read, which are left out.
    ///
    /// # Errors
    /// `Unavailable` if the vault does not answer.
    pub async fn open_replies(&mut self, sealing: &Sealing) -> SessionResult<Vec<GreenticError>> {
        let mut unreadable = Vec::new();
        for known in &mut self.messages {
            let Some(stored) = known.reply.take() else {
                continue;
            };
            match sealing
                .opened_reply(&self.owner, &known.message, *stored)
                .await
            {
                Ok(reply) => known.reply = Some(Box::new(reply)),
                Err(error) if error.code == ErrorCode::Unavailable => return Err(error),
                Err(error) => unreadable.push(error),
            }
        }
        Ok(unreadable)
    }
}

/// The operator's part of a backend. All arguments have been checked.
pub(crate) trait Admin: Send + Sync + 'static {
    /// Reads about `limit` of the stored entries.
    fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> impl Future<Output = SessionResult<WalkPage>> + Send;

    /// Reads one session, as a walk with [`Depth::Summary`] would.
    fn walk_one(&self, key: &SessionKey) -> impl Future<Output = SessionResult<WalkPage>> + Send;

    /// Erases everything of an owner, in bounded steps: the sessions of the request, all waiting
    /// sessions, look-ups, and the messages last. Counts what was live.
    fn erase_owner(
        &self,
        owner: &Owner,
        request: request::EraseOwner,
    ) -> impl Future<Output = SessionResult<Erased>> + Send;

    fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> impl Future<Output = SessionResult<VerifyPage>> + Send;

    /// Counts what is stored on a page by key, and seals it anew (C37).
    #[cfg(feature = "encryption")]
    fn reseal(
        &self,
        mode: ResealMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> impl Future<Output = SessionResult<ResealPage>> + Send;

    fn extend(
        &self,
        request: request::Extend,
    ) -> impl Future<Output = SessionResult<Option<Timestamp>>> + Send;

    fn revoke(
        &self,
        request: request::Revoke,
    ) -> impl Future<Output = SessionResult<RevokeOutcome>> + Send;

    fn import(
        &self,
        request: request::Import,
    ) -> impl Future<Output = SessionResult<ImportOutcome>> + Send;

    fn import_messages(
        &self,
        request: request::ImportMessages,
    ) -> impl Future<Output = SessionResult<()>> + Send;
}

/// C21: returns the live sessions that match the filter.
pub(super) async fn scan<B: Backend>(
    backend: &B,
    filter: &ScanFilter,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<ScanPage> {
    let walk = match &filter.key {
        Some(key) => backend.walk_one(key).await?,
        None => backend.walk(Depth::Summary, after, limit).await?,
    };
    let now = walk.now;
    let live = walk.sessions.into_iter();
    let live = live.filter(|found| found.head.is_live(now));
    let infos = live.filter_map(|found| info(found, now));
    Ok(ScanPage {
        sessions: infos.filter(|info| filter.matches(info, now)).collect(),
        unreadable: walk.unreadable,
        now,
        progress: walk.progress,
        next: walk.next,
    })
}

fn info(found: Entry, now: Timestamp) -> Option<SessionInfo> {
    let Detail::Summary(summary) = found.detail else {
        return None;
    };
    Some(SessionInfo {
        key: found.key,
        state: state(&found.head, now),
        owner: found.head.owner.parts(),
        flow: summary.flow,
        pack: summary.pack,
        node: summary.node,
        revision: found.head.revision,
        created: known(found.head.created),
        deadline: found.head.deadline,
        timeout: found
            .head
            .wait
            .and_then(|wait| wait.timeout)
            .map(|stored| stored.timeout),
        bytes: summary.bytes,
    })
}

fn state(head: &Head, now: Timestamp) -> SessionState {
    let Some(wait) = &head.wait else {
        return SessionState::Idle;
    };
    let (since, attempt) = (known(wait.since), wait.attempt);
    let scope = wait.is_known().then_some(wait.scope);
    match &wait.lease {
        Some(lease) if now < lease.until => SessionState::Claimed {
            since,
            scope,
            attempt,
            until: lease.until,
            holder: lease.holder.as_ref().map(Holder::name),
        },
        _ => SessionState::Waiting {
            since,
            scope,
            attempt,
        },
    }
}

/// Returns `None` for the epoch, which stands for a time that greentic-session 1.2 did not store.
fn known(instant: Timestamp) -> Option<Timestamp> {
    (instant > Timestamp::from_millis(1)).then_some(instant)
}

/// C22: erases each selected owner on the page, each in bounded steps.
pub(super) async fn erase<B: Backend>(
    backend: &B,
    selection: &OwnerSelection,
    mode: EraseMode,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<ErasePage> {
    let walk = backend.walk(Depth::Heads, after, limit).await?;
    let mut page = ErasePage {
        sessions: 0,
        messages: 0,
        queued: 0,
        unreadable: walk.unreadable,
        progress: walk.progress,
        next: walk.next,
    };
    let mut owners: BTreeMap<Owner, request::EraseOwner> = BTreeMap::new();
    for found in walk.sessions {
        if selection.matches(&found.head.owner.parts()) {
            page.sessions += u64::from(found.head.is_live(walk.now));
            let forget = owners.entry(found.head.owner).or_default();
            forget.keys.push(found.key);
        }
    }
    for found in walk.owners {
        if selection.matches(&found.owner.parts()) {
            let live = found.messages.iter();
            let live = live.filter(|message| walk.now < message.until);
            page.messages += live.count() as u64;
            page.queued += found.queued;
            let _forget = owners.entry(found.owner).or_default();
            #[cfg(feature = "redis")]
            _forget.legacy_scopes.extend(found.legacy_scope);
        }
    }
    if mode == EraseMode::DryRun {
        return Ok(page);
    }
    (page.sessions, page.messages, page.queued) = (0, 0, 0);
    for (owner, request) in owners {
        let erased = backend.erase_owner(&owner, request).await?;
        page.sessions += erased.sessions;
        page.messages += erased.messages;
        page.queued += erased.queued;
    }
    Ok(page)
}

/// The size of the data after which an export page ends.
const PAGE_BYTES: usize = 8 * 1024 * 1024;
/// The number of entries that an export reads first; it grows while the entries are small.
const FIRST_STEP: usize = 16;

/// C26: returns what is live, in the form that another store imports. A page is read in steps, so
/// that it is bounded in bytes too.
pub(super) async fn export<B: Backend>(
    backend: &B,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<ExportPage> {
    let mut page = ExportPage {
        records: Vec::new(),
        unreadable: Vec::new(),
        progress: Progress::COMPLETE,
        next: after.cloned(),
    };
    let (mut left, mut step, mut bytes) = (limit, FIRST_STEP, 0);
    loop {
        step = step.min(left);
        let walk = backend.walk(Depth::Full, page.next.as_ref(), step).await?;
        let next = walk.next.clone();
        let read = add_step(walk, &mut page);
        page.next = next;
        (left, bytes) = (left - step, bytes + read);
        if page.next.is_none() || left == 0 || bytes >= PAGE_BYTES {
            return Ok(page);
        }
        // Read four times as much only if the page then stays bounded.
        if read < PAGE_BYTES / 16 {
            step *= 4;
        }
    }
}

/// Adds the entries of a step to the page, and returns the approximate size of their data in bytes.
fn add_step(walk: WalkPage, page: &mut ExportPage) -> usize {
    let now = walk.now;
    let mut bytes = 0;
    for found in walk.sessions {
        let live = found.head.is_live(now);
        if let Some(session) = live.then(|| exported(found)).flatten() {
            bytes += session.data.context_json.len();
            page.records.push(ExportRecord::Session(session));
        }
    }
    for found in &walk.owners {
        if let Some(messages) = exported_messages(found, now) {
            let replies = messages.messages.iter();
            let replies = replies.filter_map(|known| known.reply.as_ref());
            bytes += replies.map(|reply| reply.len()).sum::<usize>();
            page.records.push(ExportRecord::Messages(messages));
        }
    }
    page.unreadable.extend(walk.unreadable);
    page.progress = walk.progress;
    bytes
}

/// C26: says what an import would do, if what key or scope is taken by is to stay.
pub(super) async fn import_dry_run<B: Backend>(
    backend: &B,
    request: &request::Import,
) -> SessionResult<ImportOutcome> {
    let key = request.session.key();
    let found = backend.walk_one(key).await?;
    if request
        .deadline
        .is_some_and(|deadline| deadline <= found.now)
    {
        return Ok(ImportOutcome::Expired);
    }
    let mut live = found.sessions.iter();
    if let Some(taken) = live.find(|taken| taken.head.is_live(found.now)) {
        return match taken.head.owner == request.owner {
            true => Ok(ImportOutcome::Exists),
            false => Err(foreign_key()),
        };
    }
    let holder = match &request.wait {
        Some(wait) => backend.find(&request.owner, &wait.scope).await?,
        None => None,
    };
    Ok(match holder {
        Some(_) => ImportOutcome::Exists,
        None => ImportOutcome::Imported,
    })
}

fn exported(found: Entry) -> Option<Box<ExportedSession>> {
    let Detail::Session(session) = found.detail else {
        return None;
    };
    let head = found.head;
    Some(Box::new(ExportedSession {
        key: found.key,
        owner: head.owner.parts(),
        data: Session::into_data(session),
        revision: head.revision,
        created: known(head.created),
        deadline: head.own_deadline(),
        ttl_millis: head.ttl.map(TtlMillis::to_number),
        latest: found.latest,
        fencing: found.fencing,
        wait: head.wait.map(|wait| ExportedWait {
            scope: wait.scope.to_string(),
            order: wait.order,
            since: known(wait.since),
            attempt: wait.attempt,
            timeout: wait.timeout.map(|stored| stored.timeout),
        }),
    }))
}

fn exported_messages(found: &OwnerEntry, now: Timestamp) -> Option<ExportedMessages> {
    let live = found.messages.iter().filter(|known| now < known.until);
    let messages: Vec<_> = live
        .map(|known| ExportedMessage {
            digest: hex::encode(known.message.0),
            until: known.until,
            reply: known.reply.clone().map(|reply| reply.into_bytes()),
        })
        .collect();
    (!messages.is_empty()).then(|| ExportedMessages {
        owner: found.owner.parts(),
        messages,
    })
}
