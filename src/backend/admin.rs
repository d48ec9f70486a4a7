//! What an operator's verbs need of a backend, and how those verbs come about: once, for all.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use greentic_types::SessionKey;

use super::Backend;
#[cfg(feature = "redis")]
use crate::admin::ScopeDigest;
use crate::admin::{
    EraseMode, ErasePage, ExportPage, ExportRecord, ExportedMessage, ExportedMessages,
    ExportedSession, ExportedWait, Finding, ImportOutcome, OwnerSelection, Progress, RevokeOutcome,
    ScanCursor, ScanFilter, ScanPage, SessionInfo, SessionState, VerifyMode, VerifyPage,
};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::payload::Summary;
use crate::request;
use crate::rules::{Erased, Head, Remembered};
use crate::session::Session;

/// What a walk reads of a session besides its head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// What a scan tells. Owners are not walked.
    Summary,
    /// Nothing.
    Heads,
    /// All of it.
    Full,
}

/// A piece of a walk over all that is stored.
pub(crate) struct WalkPage {
    pub now: Timestamp,
    /// Sessions, also expired ones that are still there.
    pub sessions: Vec<Entry>,
    /// Owners with something that is no session of theirs.
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

    /// Takes in what was found elsewhere on the same walk.
    #[cfg(feature = "redis")]
    pub fn extend(&mut self, found: Self) {
        self.now = self.now.max(found.now);
        self.sessions.extend(found.sessions);
        self.owners.extend(found.owners);
        self.unreadable.extend(found.unreadable);
    }
}

pub(crate) struct Entry {
    pub key: SessionKey,
    pub head: Head,
    /// Its user created it last (C6).
    pub latest: bool,
    /// No claim of it had a higher number (C16).
    pub fencing: u64,
    pub detail: Detail,
}

pub(crate) enum Detail {
    None,
    Summary(Summary),
    Session(Arc<Session>),
}

pub(crate) struct OwnerEntry {
    pub owner: Owner,
    /// The scope under which greentic-session 1.2 filed a wait, if that is what was found.
    #[cfg(feature = "redis")]
    pub legacy_scope: Option<ScopeDigest>,
    /// Oldest first; also those whose window is over, if they are still there.
    pub messages: Vec<Remembered>,
}

impl OwnerEntry {
    pub const fn new(owner: Owner, messages: Vec<Remembered>) -> Self {
        Self {
            owner,
            #[cfg(feature = "redis")]
            legacy_scope: None,
            messages,
        }
    }
}

/// What a backend must be able to do for an operator. All arguments are checked already.
pub(crate) trait Admin: Send + Sync + 'static {
    /// Reads the next `limit` or so of what is stored.
    fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> impl Future<Output = SessionResult<WalkPage>> + Send;

    /// Reads one session, as a walk at the depth of a summary.
    fn walk_one(&self, key: &SessionKey) -> impl Future<Output = SessionResult<WalkPage>> + Send;

    /// Erases all of an owner, in one atomic step: these sessions, all that wait, and whatever else
    /// there is. Counts what was live.
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

    fn extend(
        &self,
        request: request::Extend,
    ) -> impl Future<Output = SessionResult<Option<Timestamp>>> + Send;

    fn revoke(&self, key: &SessionKey)
    -> impl Future<Output = SessionResult<RevokeOutcome>> + Send;

    fn import(
        &self,
        request: request::Import,
    ) -> impl Future<Output = SessionResult<ImportOutcome>> + Send;

    fn import_messages(
        &self,
        request: request::ImportMessages,
    ) -> impl Future<Output = SessionResult<()>> + Send;
}

/// C21: what is live, and what the filter means.
pub(super) async fn scan<B: Backend>(
    backend: &B,
    filter: &ScanFilter,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<ScanPage> {
    let walked = match &filter.key {
        Some(key) => backend.walk_one(key).await?,
        None => backend.walk(Depth::Summary, after, limit).await?,
    };
    let now = walked.now;
    let live = walked.sessions.into_iter();
    let live = live.filter(|found| found.head.is_live(now));
    let infos = live.filter_map(|found| info(found, now));
    Ok(ScanPage {
        sessions: infos.filter(|info| filter.matches(info, now)).collect(),
        unreadable: walked.unreadable,
        now,
        progress: walked.progress,
        next: walked.next,
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
        },
        _ => SessionState::Waiting {
            since,
            scope,
            attempt,
        },
    }
}

/// Where greentic-session 1.2 kept no time, the head says the epoch.
fn known(instant: Timestamp) -> Option<Timestamp> {
    (instant > Timestamp::from_millis(1)).then_some(instant)
}

/// C22: each selected owner that the walk comes by, at once.
pub(super) async fn erase<B: Backend>(
    backend: &B,
    selection: &OwnerSelection,
    mode: EraseMode,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<ErasePage> {
    let walked = backend.walk(Depth::Heads, after, limit).await?;
    let mut page = ErasePage {
        sessions: 0,
        messages: 0,
        unreadable: walked.unreadable,
        progress: walked.progress,
        next: walked.next,
    };
    let mut owners: BTreeMap<Owner, request::EraseOwner> = BTreeMap::new();
    for found in walked.sessions {
        if selection.matches(&found.head.owner.parts()) {
            page.sessions += u64::from(found.head.is_live(walked.now));
            let forget = owners.entry(found.head.owner).or_default();
            forget.keys.push(found.key);
        }
    }
    for found in walked.owners {
        if selection.matches(&found.owner.parts()) {
            let live = found.messages.iter();
            let live = live.filter(|message| walked.now < message.until);
            page.messages += live.count() as u64;
            let _forget = owners.entry(found.owner).or_default();
            #[cfg(feature = "redis")]
            _forget.legacy_scopes.extend(found.legacy_scope);
        }
    }
    if mode == EraseMode::DryRun {
        return Ok(page);
    }
    (page.sessions, page.messages) = (0, 0);
    for (owner, request) in owners {
        let erased = backend.erase_owner(&owner, request).await?;
        page.sessions += erased.sessions;
        page.messages += erased.messages;
    }
    Ok(page)
}

/// How much data an export reads before it ends its page.
const ENOUGH: usize = 8 * 1024 * 1024;
/// How many entries it looks at first; more follow as long as they are small.
const FIRST_STEP: usize = 16;

/// C26: what is live, in the form that another store imports. The walk goes in steps, so that a page
/// is bounded in bytes too.
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
        let walked = backend.walk(Depth::Full, page.next.as_ref(), step).await?;
        let next = walked.next.clone();
        let read = take(walked, &mut page);
        page.next = next;
        (left, bytes) = (left - step, bytes + read);
        if page.next.is_none() || left == 0 || bytes >= ENOUGH {
            return Ok(page);
        }
        // Four times as much may be read only if that is sure to be bearable.
        if read < ENOUGH / 16 {
            step *= 4;
        }
    }
}

/// Takes over what a step found, and tells about how many bytes of data that is.
fn take(walked: WalkPage, page: &mut ExportPage) -> usize {
    let now = walked.now;
    let mut bytes = 0;
    for found in walked.sessions {
        let live = found.head.is_live(now);
        if let Some(session) = live.then(|| exported(found)).flatten() {
            bytes += session.data.context_json.len();
            page.records.push(ExportRecord::Session(session));
        }
    }
    let owners = walked.owners.iter();
    let messages = owners.filter_map(|found| exported_messages(found, now));
    page.records.extend(messages.map(ExportRecord::Messages));
    page.unreadable.extend(walked.unreadable);
    page.progress = walked.progress;
    bytes
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
        deadline: head.deadline,
        latest: found.latest,
        fencing: found.fencing,
        wait: head.wait.map(|wait| ExportedWait {
            scope: wait.scope.to_string(),
            order: wait.order,
            since: known(wait.since),
            attempt: wait.attempt,
        }),
    }))
}

fn exported_messages(found: &OwnerEntry, now: Timestamp) -> Option<ExportedMessages> {
    let live = found.messages.iter().filter(|known| now < known.until);
    let messages: Vec<_> = live
        .map(|known| ExportedMessage {
            digest: hex::encode(known.message.0),
            until: known.until,
        })
        .collect();
    (!messages.is_empty()).then(|| ExportedMessages {
        owner: found.owner.parts(),
        messages,
    })
}
