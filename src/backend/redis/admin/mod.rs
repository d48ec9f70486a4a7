//! The operations of administrators.

mod names;
mod verify;
mod walk;

use greentic_types::SessionKey;

use super::ownership::Location;
use super::ownership::pointer::Reservation;
use super::script::arguments::{self, ImportedReply};
use super::script::reply::Answer;
use super::script::status::Status;
use super::script::wire::{MessageLimits, OwnerCall, StoredTtl};
use super::store::RedisSessionStore;
use crate::admin::{ImportMode, ImportOutcome, RevokeOutcome, ScanCursor, VerifyMode, VerifyPage};
#[cfg(feature = "encryption")]
use crate::admin::{ResealMode, ResealPage};
use crate::backend::{Admin, Backend, Depth, WalkPage};
#[cfg(feature = "encryption")]
use crate::backend::{Exchange, reseal};
use crate::clock::Timestamp;
#[cfg(feature = "encryption")]
use crate::envelope::distinct;
use crate::error::{SessionResult, invalid_input, not_found};
use crate::message_id::MessageDigest;
use crate::options::{NextTtl, OperationId};
use crate::owner::{Identity, Owner};
use crate::reply::Reply;
use crate::request::{self, ImportedMessage};
use crate::rules::Erased;
#[cfg(feature = "encryption")]
use crate::sealing::Sealing;

/// How many session keys or legacy scopes one script of an erasure gets. Few, because other calls wait
/// behind it.
const ERASED_AT_ONCE: usize = 32;
/// How many messages one script of an import gets.
const IMPORTED_AT_ONCE: usize = 128;

/// A message as the script gets it.
fn imported(known: &ImportedMessage) -> (MessageDigest, (Timestamp, ImportedReply<'_>)) {
    let reply = known.reply.as_ref().map(Reply::bytes);
    (known.message, (known.until, ImportedReply(reply)))
}

#[cfg(feature = "encryption")]
impl Exchange for RedisSessionStore {
    fn sealing(&self) -> &Sealing {
        &self.dispatcher.sealing
    }

    async fn exchange_session(
        &self,
        owner: &Owner,
        key: &SessionKey,
        old: &[u8],
        new: Vec<u8>,
    ) -> SessionResult<bool> {
        let keys = self.dispatcher.layout.keys(owner);
        let arguments = arguments::Exchange {
            key,
            expected: distinct(old),
            size: old.len(),
            payload: &new,
        };
        let call = OwnerCall::new(&keys, keys.session(key), arguments);
        is_exchanged(&self.dispatcher.answer(call).await?)
    }

    async fn exchange_reply(
        &self,
        owner: &Owner,
        message: &MessageDigest,
        old: &Reply,
        new: Reply,
    ) -> SessionResult<bool> {
        let keys = self.dispatcher.layout.keys(owner);
        let arguments = arguments::ExchangeReply {
            owner,
            message: *message,
            expected: old.bytes(),
            reply: new.bytes(),
        };
        let call = OwnerCall::new(&keys, keys.route(owner), arguments);
        is_exchanged(&self.dispatcher.answer(call).await?)
    }
}

#[cfg(feature = "encryption")]
fn is_exchanged(answer: &Answer) -> SessionResult<bool> {
    match answer.status {
        Status::Ok => Ok(true),
        Status::NotFound => Ok(false),
        _ => answer.unexpected(),
    }
}

impl Admin for RedisSessionStore {
    async fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<WalkPage> {
        walk::next_page(&self.dispatcher, depth, after, limit).await
    }

    async fn walk_one(&self, key: &SessionKey) -> SessionResult<WalkPage> {
        walk::look_up(&self.dispatcher, Depth::Summary, key).await
    }

    async fn erase_owner(
        &self,
        owner: &Owner,
        request: request::EraseOwner,
    ) -> SessionResult<Erased> {
        let names = self.dispatcher.layout.keys(owner);
        let mut keys = request.keys.chunks(ERASED_AT_ONCE).peekable();
        let mut scopes = request.legacy_scopes.chunks(ERASED_AT_ONCE).peekable();
        let (mut part, mut cursor) = ("sessions".to_owned(), "0".to_owned());
        let mut erased = Erased::default();
        loop {
            // A scope is erased behind its session.
            let is_last = part == "messages";
            let legacy_scopes = if is_last { scopes.next() } else { None };
            let arguments = arguments::EraseOwner {
                owner,
                part,
                cursor,
                keys_and_scopes: arguments::KeysAndScopes {
                    keys: keys.next().unwrap_or_default(),
                    legacy_scopes: legacy_scopes.unwrap_or_default(),
                },
                more: keys.peek().is_some(),
            };
            let call = OwnerCall::new(&names, names.route(owner), arguments);
            let mut answer = self.dispatcher.answer(call).await?;
            if answer.status != Status::Ok {
                return answer.unexpected();
            }
            erased.sessions += answer.number()?;
            erased.messages += answer.number()?;
            for removed in answer.values()? {
                let mut removed = Answer::read(names.clone(), removed)?;
                let key = removed.session_key()?;
                self.dispatcher.layout.forget(owner, &key, removed.stamp());
            }
            (part, cursor) = (answer.text()?, answer.text()?);
            match (part.is_empty(), scopes.peek()) {
                (true, None) => return Ok(erased),
                (true, Some(_)) => "messages".clone_into(&mut part),
                (false, _) => {}
            }
        }
    }

    async fn verify(
        &self,
        mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        verify::next_page(&self.dispatcher, mode, after, limit).await
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
        let (key, fence, ttl) = (&request.key, request.fence.as_ref(), request.ttl);
        let location = self.dispatcher.locate(key, fence).await?;
        let Location { keys, owner } = location.ok_or_else(|| not_found(key))?;
        let call = |extended| {
            let arguments = arguments::Extend {
                key,
                fence,
                ttl,
                extended,
            };
            OwnerCall::new(&keys, keys.session(key), arguments)
        };
        let mut answer = self
            .dispatcher
            .write_extending_pointer(owner.as_ref(), key, ttl, call)
            .await?;
        match answer.status {
            Status::Ok => Ok(match answer.number()? {
                0 => None,
                deadline => Some(Timestamp::from_millis(deadline)),
            }),
            Status::NotFound => Err(not_found(&request.key)),
            Status::Legacy => Err(invalid_input(
                "greentic-session 1.2 parked the session; its deadline stays until it is parked again",
            )),
            _ => answer.unexpected(),
        }
    }

    /// A repeat answers `NotClaimed`; the token is void in both cases (C14, C25).
    async fn revoke(&self, request: request::Revoke) -> SessionResult<RevokeOutcome> {
        let (key, fence) = (&request.key, request.fence.as_ref());
        let location = self.dispatcher.locate(key, fence).await?;
        let keys = location.ok_or_else(|| not_found(key))?.keys;
        let arguments = arguments::Revoke {
            key,
            fence,
            operation: OperationId::random(),
        };
        let call = OwnerCall::new(&keys, keys.session(key), arguments);
        let mut answer = self.dispatcher.answer(call).await?;
        match answer.status {
            Status::Ok => Ok(RevokeOutcome::Revoked {
                until: answer.timestamp()?,
                attempt: u32::try_from(answer.number()?).unwrap_or(u32::MAX),
            }),
            Status::NotClaimed => Ok(RevokeOutcome::NotClaimed),
            Status::NotFound => Err(not_found(key)),
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
        let (owner, key) = (&request.owner, request.session.key());
        let keys = self.dispatcher.layout.keys(owner);
        let (operation, payload) = (
            OperationId::random(),
            self.dispatcher.sealing.session(&request.session).await?,
        );
        let call = |reservation: Option<Reservation>| {
            let arguments = arguments::Import {
                owner,
                key,
                flags,
                revision: request.revision,
                created: request.created,
                deadline: request.deadline,
                ttl: StoredTtl(request.ttl),
                fencing: request.fencing,
                if_absent: request.mode == ImportMode::IfAbsent,
                operation,
                payload: &payload,
                reservation: Reservation::argument(reservation),
                wait: request.wait.as_ref().map(|wait| arguments::ImportedWait {
                    scope: wait.scope,
                    order: wait.order,
                    since: wait.since,
                    attempt: wait.attempt,
                    timeout: wait.timeout,
                }),
            };
            OwnerCall::new(&keys, keys.session(key), arguments)
        };
        let ttl = self
            .dispatcher
            .layout
            .ttl_until(&keys, key, request.deadline)
            .await?;
        let answer = self
            .dispatcher
            .write_reserving_key(owner, key, NextTtl::Given(ttl), call)
            .await?;
        match answer.status {
            Status::Ok => Ok(ImportOutcome::Imported),
            Status::Exists => Ok(ImportOutcome::Exists),
            Status::Expired => Ok(ImportOutcome::Expired),
            _ => answer.unexpected(),
        }
    }

    async fn import_messages(&self, mut request: request::ImportMessages) -> SessionResult<()> {
        request.seal(&self.dispatcher.sealing).await?;
        let owner = &request.owner;
        let keys = self.dispatcher.layout.keys(owner);
        let MessageLimits { window, limit } = MessageLimits::new(self.options());
        for messages in request.messages.chunks(IMPORTED_AT_ONCE) {
            let arguments = arguments::ImportMessages {
                owner,
                window,
                limit,
                messages: messages.iter().map(imported).collect(),
            };
            let call = OwnerCall::new(&keys, keys.route(owner), arguments);
            let answer = self.dispatcher.answer(call).await?;
            if answer.status != Status::Ok {
                return answer.unexpected();
            }
        }
        Ok(())
    }
}
