//! Resealing, for all backends that store something (C37).

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use greentic_types::{ErrorCode, SessionKey};

use super::stored_body::StoredBody;
use super::{Admin, Backend, Depth, Detail};
use crate::admin::{Finding, FindingKind, ResealMode, ResealPage, ScanCursor};
use crate::error::{SessionResult, invalid_input};
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::reply::Reply;
use crate::sealing::{Part, Sealed, Sealing};

/// How many sessions and owners of a page are read at once: their payloads are in memory together.
const STEP: usize = 16;

/// A backend whose stored values can be exchanged for others of the same content.
pub(crate) trait Exchange: Admin {
    /// How the backend seals and opens.
    fn sealing(&self) -> &Sealing;

    /// Replaces the stored data of a session, if it is still `old`, and changes nothing else. Returns
    /// false if it is not.
    fn exchange_session(
        &self,
        owner: &Owner,
        key: &SessionKey,
        old: &[u8],
        new: Vec<u8>,
    ) -> impl Future<Output = SessionResult<bool>> + Send;

    /// Replaces a stored reply, if it is still `old`, and changes nothing else. Returns false if it is
    /// not.
    fn exchange_reply(
        &self,
        owner: &Owner,
        message: &MessageDigest,
        old: &Reply,
        new: Reply,
    ) -> impl Future<Output = SessionResult<bool>> + Send;

    /// Replaces the stored body of a message of a queue, if it is still the old one, and changes nothing
    /// else. Returns false if it is not. A backend without queues has none.
    fn exchange_body(
        &self,
        _owner: &Owner,
        _old: StoredBody,
        _new: Vec<u8>,
    ) -> impl Future<Output = SessionResult<bool>> + Send {
        async { Ok(false) }
    }
}

/// Counts what is stored on a page by key, and rewrites it if `mode` says so.
pub(crate) async fn reseal<B: Backend + Exchange>(
    backend: &B,
    mode: ResealMode,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<ResealPage> {
    let sealing = backend.sealing();
    if !sealing.is_on() {
        return Err(invalid_input("the store was opened without encryption"));
    }
    if mode == ResealMode::Clear && !sealing.accepts_clear() {
        return Err(invalid_input(
            "the store refuses data in clear; open it with `plaintext` set to `accept`",
        ));
    }
    let mut page = backend.walk(Depth::Stored, after, limit.min(STEP)).await?;
    let mut resealed = Page {
        backend,
        mode,
        report: ResealPage {
            by_key: BTreeMap::new(),
            unknown: BTreeSet::new(),
            rewritten: 0,
            skipped: 0,
            unreadable: std::mem::take(&mut page.unreadable),
            progress: page.progress,
            next: page.next,
        },
    };
    for found in page.sessions {
        if let (true, Detail::Stored(stored)) = (found.head.is_live(page.now), found.detail) {
            resealed
                .session(&found.head.owner, &found.key, &stored)
                .await?;
        }
    }
    for owner in page.owners {
        for known in owner.messages {
            if let (true, Some(reply)) = (page.now < known.until, known.reply) {
                resealed.reply(&owner.owner, &known.message, *reply).await?;
            }
        }
        for body in owner.bodies {
            resealed.body(&owner.owner, body).await?;
        }
    }
    Ok(resealed.report)
}

/// A page that is worked on.
struct Page<'a, B> {
    backend: &'a B,
    mode: ResealMode,
    report: ResealPage,
}

impl<B: Backend + Exchange> Page<'_, B> {
    async fn session(
        &mut self,
        owner: &Owner,
        key: &SessionKey,
        stored: &[u8],
    ) -> SessionResult<()> {
        let unreadable = |reason: String| {
            Finding::new(
                FindingKind::Unreadable,
                "session",
                Some(key.clone()),
                reason,
            )
        };
        let rewrites = match self.count(owner, stored).await? {
            Ok(rewrites) => rewrites,
            Err(why) => {
                self.report.unreadable.push(unreadable(why.to_owned()));
                return Ok(());
            }
        };
        if !rewrites {
            return Ok(());
        }
        let sealing = self.backend.sealing();
        let next = match sealing.opened_session(owner, key, stored).await {
            Ok(data) if self.mode == ResealMode::Clear => Sealing::session_in_clear(&data),
            Ok(data) => {
                sealing
                    .session(&crate::session::NewSession::new(key.clone(), data))
                    .await
            }
            Err(error) => Err(error),
        };
        match next {
            Ok(next) => {
                let done = self.backend.exchange_session(owner, key, stored, next);
                self.done(done.await?);
            }
            Err(error) if error.code == ErrorCode::Internal => {
                self.report.unreadable.push(unreadable(error.message));
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn reply(
        &mut self,
        owner: &Owner,
        message: &MessageDigest,
        stored: Reply,
    ) -> SessionResult<()> {
        let next = self.part(Part::Reply, owner, message, stored.bytes());
        if let Some(next) = next.await? {
            let next = Reply::stored(next.into());
            let done = self.backend.exchange_reply(owner, message, &stored, next);
            self.done(done.await?);
        }
        Ok(())
    }

    async fn body(&mut self, owner: &Owner, stored: StoredBody) -> SessionResult<()> {
        let next = self.part(Part::Body, owner, &stored.message, &stored.bytes);
        if let Some(next) = next.await? {
            let done = self.backend.exchange_body(owner, stored, next);
            self.done(done.await?);
        }
        Ok(())
    }

    /// Counts a part of a message, and returns what it is to be exchanged for.
    async fn part(
        &mut self,
        part: Part,
        owner: &Owner,
        message: &MessageDigest,
        stored: &[u8],
    ) -> SessionResult<Option<Vec<u8>>> {
        let unreadable =
            |reason: String| Finding::new(FindingKind::Unreadable, part.place(), None, reason);
        let rewrites = match self.count(owner, stored).await? {
            Ok(rewrites) => rewrites,
            Err(why) => {
                self.report.unreadable.push(unreadable(why.to_owned()));
                return Ok(None);
            }
        };
        if !rewrites {
            return Ok(None);
        }
        match self.rewritten(part, owner, message, stored).await {
            Ok(next) => Ok(Some(next)),
            Err(error) if error.code == ErrorCode::Internal => {
                self.report.unreadable.push(unreadable(error.message));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The new stored form of a part of a message.
    async fn rewritten(
        &self,
        part: Part,
        owner: &Owner,
        message: &MessageDigest,
        stored: &[u8],
    ) -> SessionResult<Vec<u8>> {
        let sealing = self.backend.sealing();
        let opened = sealing.opened_part(part, owner, message, stored).await?;
        let clear = opened.as_deref().unwrap_or(stored);
        if self.mode == ResealMode::Clear {
            return Ok(Sealing::part_in_clear(clear));
        }
        let next = sealing.stored_part(part, owner, message, clear).await?;
        Ok(next.unwrap_or_else(|| clear.to_vec()))
    }

    fn done(&mut self, is_done: bool) {
        match is_done {
            true => self.report.rewritten += 1,
            false => self.report.skipped += 1,
        }
    }

    /// Counts a value, and tells whether it is to be rewritten, or why it cannot be read.
    async fn count(
        &mut self,
        owner: &Owner,
        stored: &[u8],
    ) -> SessionResult<Result<bool, &'static str>> {
        let sealed = match self.backend.sealing().sealed_with(owner, stored).await {
            Ok(sealed) => sealed?,
            Err(malformed) => return Ok(Err(malformed)),
        };
        let (id, rewrites) = match sealed {
            Sealed::Clear => (None, self.mode == ResealMode::Seal),
            Sealed::Current(id) => (Some(id), self.mode == ResealMode::Clear),
            Sealed::Old(id) => (Some(id), self.mode != ResealMode::Count),
            Sealed::Unknown(id) => {
                self.report.unknown.insert(id);
                (Some(id), false)
            }
        };
        *self.report.by_key.entry(id).or_default() += 1;
        Ok(Ok(rewrites))
    }
}
