//! The operations of administrators.

mod names;
mod verify;
mod walk;

use greentic_types::SessionKey;

use super::executor::Refusal;
use super::ownership::pointer::Reservation;
use super::script::args::{Args, named};
use super::script::registry;
use super::script::reply::Answer;
use super::store::RedisSessionStore;
use crate::admin::{ImportMode, ImportOutcome, RevokeOutcome, ScanCursor, VerifyMode, VerifyPage};
use crate::backend::{Admin, Backend, Depth, WalkPage};
use crate::clock::Timestamp;
use crate::error::{SessionResult, invalid_input, not_found};
use crate::owner::{Identity, Owner};
use crate::payload;
use crate::request;
use crate::rules::Erased;

impl Admin for RedisSessionStore {
    async fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<WalkPage> {
        walk::next_page(&self.executor, depth, after, limit).await
    }

    async fn walk_one(&self, key: &SessionKey) -> SessionResult<WalkPage> {
        walk::look_up(&self.executor, Depth::Summary, key).await
    }

    async fn erase_owner(
        &self,
        owner: &Owner,
        request: request::EraseOwner,
    ) -> SessionResult<Erased> {
        let keys = self.executor.layout.keys(owner);
        let mut args = Args::writing(&keys, &registry::FORGET, keys.route(owner))
            .text(owner.as_str())
            .number(request.keys.len() as u64);
        for key in &request.keys {
            args = args.text(key.as_str());
        }
        for scope in &request.legacy_scopes {
            args = args.owned(scope.to_string());
        }
        let mut answer = self.executor.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {
                let (sessions, messages) = (answer.number()?, answer.number()?);
                for removed in answer.values()? {
                    let mut removed = Answer::read(keys.clone(), removed)?;
                    let key = removed.session_key()?;
                    self.executor.layout.forget(owner, &key, removed.stamp());
                }
                Ok(Erased { sessions, messages })
            }
            _ => answer.unexpected(),
        }
    }

    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        verify::next_page(&self.executor, mode, after, limit).await
    }

    async fn extend(&self, request: request::Extend) -> SessionResult<Option<Timestamp>> {
        let (key, ttl) = (&request.key, request.ttl);
        let layout = &self.executor.layout;
        let mut refused_at = None;
        let mut answer = loop {
            let found = layout.locate_and_extend(key, ttl, refused_at).await?;
            let (location, reservation) = found.ok_or_else(|| not_found(key))?;
            let name = location.keys.session(key);
            let args = Args::writing(&location.keys, &registry::EXTEND, name)
                .text(key.as_str())
                .number(ttl.0)
                .owned(Reservation::argument(reservation));
            let answer = self.executor.answer(args).await;
            if let Some(owner) = &location.owner {
                layout.settle(owner, key, reservation, &answer);
            }
            let mut answer = answer?;
            match Refusal::of(&mut answer)? {
                None => break answer,
                Some(refusal) => refused_at = refusal.refused_at(),
            }
        };
        match answer.status.as_str() {
            "OK" => Ok(match answer.number()? {
                0 => None,
                deadline => Some(Timestamp::from_millis(deadline)),
            }),
            "NOT_FOUND" => Err(not_found(&request.key)),
            "LEGACY" => Err(invalid_input(
                "greentic-session 1.2 parked the session; its deadline stays until it is parked again",
            )),
            _ => answer.unexpected(),
        }
    }

    /// A repeat answers `NotClaimed`; the token is void in both cases (C14, C25).
    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        let location = self.executor.locate(key).await?;
        let keys = location.ok_or_else(|| not_found(key))?.keys;
        let args = Args::writing(&keys, &registry::REVOKE, keys.session(key))
            .text(key.as_str())
            .owned(named(None));
        let mut answer = self.executor.answer(args).await?;
        match answer.status.as_str() {
            "OK" => Ok(RevokeOutcome::Revoked {
                until: answer.timestamp()?,
                attempt: u32::try_from(answer.number()?).unwrap_or(u32::MAX),
            }),
            "NOT_CLAIMED" => Ok(RevokeOutcome::NotClaimed),
            "NOT_FOUND" => Err(not_found(key)),
            _ => answer.unexpected(),
        }
    }

    async fn import(&self, request: request::Import) -> SessionResult<ImportOutcome> {
        let data = request.session.data();
        let names_user = Identity::of(&data.tenant_ctx)?.user.is_some();
        let flags = match (names_user, request.latest) {
            (true, true) => "-uc",
            (true, false) => "-u",
            (false, true) => "-c",
            (false, false) => "-",
        };
        let if_absent = request.mode == ImportMode::IfAbsent;
        let (owner, key) = (&request.owner, request.session.key());
        let keys = self.executor.layout.keys(owner);
        let (operation, data) = (named(None), payload::encode(data)?);
        let args = |reservation: Option<Reservation>| {
            let args = Args::writing(&keys, &registry::IMPORT, keys.session(key))
                .text(owner.as_str())
                .text(key.as_str())
                .text(flags)
                .number(request.revision)
                .number(request.created.map(Timestamp::as_millis))
                .number(request.deadline.map(Timestamp::as_millis))
                .number(request.fencing)
                .text(if if_absent { "1" } else { "0" })
                .text(&operation)
                .bytes(&data)
                .owned(Reservation::argument(reservation));
            match &request.wait {
                None => args,
                Some(wait) => args
                    .owned(wait.scope.to_string())
                    .number(wait.order)
                    .number(wait.since.map(Timestamp::as_millis))
                    .number(u64::from(wait.attempt)),
            }
        };
        let ttl = self
            .executor
            .layout
            .ttl_until(&keys, key, request.deadline)
            .await?;
        let answer = self
            .executor
            .write_reserving_key(owner, key, ttl, args)
            .await?;
        match answer.status.as_str() {
            "OK" => Ok(ImportOutcome::Imported),
            "EXISTS" => Ok(ImportOutcome::Exists),
            "EXPIRED" => Ok(ImportOutcome::Expired),
            _ => answer.unexpected(),
        }
    }

    async fn import_messages(&self, request: request::ImportMessages) -> SessionResult<()> {
        let keys = self.executor.layout.keys(&request.owner);
        let mut args = Args::writing(
            &keys,
            &registry::IMPORT_MESSAGES,
            keys.route(&request.owner),
        )
        .text(request.owner.as_str())
        .message_limits(self.options());
        for (message, until) in &request.messages {
            args = args.owned(hex::encode(message.0)).number(until.as_millis());
        }
        let answer = self.executor.answer(args).await?;
        match answer.status.as_str() {
            "OK" => Ok(()),
            _ => answer.unexpected(),
        }
    }
}
