//! The operator's verbs: which script each runs, and with what.

pub mod walk;

use greentic_types::SessionKey;

use self::walk::{Name, by_home};
use super::client::scan::Names;
use super::client::side_by_side::side_by_side;
use super::ownership::pointer::Reservation;
use super::script::args::{Args, named};
use super::script::registry;
use super::script::reply::Answer;
use super::store::calls::refused;
use super::store::{LONGEST_WINDOW, RedisSessionStore};
use crate::admin::{
    Finding, FindingKind, ImportMode, ImportOutcome, RevokeOutcome, ScanCursor, VerifyMode,
    VerifyPage,
};
use crate::backend::{Admin, Backend, Depth, WalkPage};
use crate::clock::{Timestamp, whole_millis};
use crate::error::{SessionResult, invalid_input, not_found};
use crate::owner::{Identity, Owner};
use crate::payload;
use crate::request;
use crate::rules::Erased;

/// How many names one script checks, so that it is short for those who wait behind it.
const BATCH: usize = 50;

impl Admin for RedisSessionStore {
    async fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<WalkPage> {
        self.walk_keys(depth, after, limit).await
    }

    async fn walk_one(&self, key: &SessionKey) -> SessionResult<WalkPage> {
        self.look_at(Depth::Summary, key).await
    }

    async fn erase_owner(
        &self,
        owner: &Owner,
        request: request::EraseOwner,
    ) -> SessionResult<Erased> {
        let keys = self.homes.keys(owner);
        let mut args = Args::writing(&keys, &registry::FORGET, keys.route(owner))
            .text(owner.as_str())
            .number(request.keys.len() as u64);
        for key in &request.keys {
            args = args.text(key.as_str());
        }
        for scope in &request.legacy_scopes {
            args = args.owned(scope.to_string());
        }
        let mut answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => {
                let (sessions, messages) = (answer.number()?, answer.number()?);
                for pointed in answer.values()? {
                    let mut pointed = Answer::read(keys.clone(), pointed)?;
                    let key = pointed.session_key()?;
                    self.homes.forget(owner, &key, pointed.stamp());
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
        let Names {
            names,
            pointers,
            progress,
            next,
        } = self.all_names(after, limit).await?;
        let mut findings = self.homes.check_pointers(mode, &pointers).await?;
        findings.extend(self.homes.check_sessions(mode, &names).await?);
        let homes = by_home(&names).map(|names| self.check_home(mode, names));
        findings.extend(side_by_side(homes.collect()).await?.into_iter().flatten());
        Ok(VerifyPage {
            checked: (names.len() + pointers.len()) as u64,
            findings,
            progress,
            next,
        })
    }

    async fn extend(&self, request: request::Extend) -> SessionResult<Option<Timestamp>> {
        let (key, ttl) = (&request.key, request.ttl);
        let mut late = None;
        let mut answer = loop {
            let found = self.homes.locate_for(key, ttl, late).await?;
            let (home, reserved) = found.ok_or_else(|| not_found(key))?;
            let args = Args::writing(&home.keys, &registry::EXTEND, home.keys.session(key))
                .text(key.as_str())
                .number(ttl.0)
                .owned(reserved.text());
            let answer = self.answer(args).await;
            if let Some(owner) = &home.owner {
                self.homes.settle(owner, key, reserved, &answer);
            }
            let mut answer = answer?;
            match refused(&mut answer)? {
                None => break answer,
                Some(refused) => late = refused.late(),
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

    /// A repeat that finds no claim says so: the token is void either way (C14, C25).
    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        let home = self.locate(key).await?;
        let keys = home.ok_or_else(|| not_found(key))?.keys;
        let args = Args::writing(&keys, &registry::REVOKE, keys.session(key))
            .text(key.as_str())
            .owned(named(None));
        let mut answer = self.answer(args).await?;
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
        let keys = self.homes.keys(owner);
        let (operation, data) = (named(None), payload::encode(data)?);
        let args = |reserved: Reservation| {
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
                .owned(reserved.text());
            match &request.wait {
                None => args,
                Some(wait) => args
                    .owned(wait.scope.to_string())
                    .number(wait.order)
                    .number(wait.since.map(Timestamp::as_millis))
                    .number(u64::from(wait.attempt)),
            }
        };
        let ttl = self.homes.ttl(&keys, key, request.deadline).await?;
        let answer = self.bring(owner, key, ttl, args).await?;
        match answer.status.as_str() {
            "OK" => Ok(ImportOutcome::Imported),
            "EXISTS" => Ok(ImportOutcome::Exists),
            "EXPIRED" => Ok(ImportOutcome::Expired),
            _ => answer.unexpected(),
        }
    }

    async fn import_messages(&self, request: request::ImportMessages) -> SessionResult<()> {
        let options = self.options();
        let limit = u64::try_from(options.max_messages.max(1)).unwrap_or(u64::MAX);
        let keys = self.homes.keys(&request.owner);
        let mut args = Args::writing(
            &keys,
            &registry::IMPORT_MESSAGES,
            keys.route(&request.owner),
        )
        .text(request.owner.as_str())
        .number(whole_millis(options.message_window).min(LONGEST_WINDOW))
        .number(limit);
        for (message, until) in &request.messages {
            args = args.owned(hex::encode(message.0)).number(until.as_millis());
        }
        let answer = self.answer(args).await?;
        match answer.status.as_str() {
            "OK" => Ok(()),
            _ => answer.unexpected(),
        }
    }
}

impl RedisSessionStore {
    async fn check_home(&self, mode: VerifyMode, names: &[Name]) -> SessionResult<Vec<Finding>> {
        let mut findings = Vec::new();
        for batch in names.chunks(BATCH) {
            findings.extend(self.check(mode, batch).await?);
        }
        Ok(findings)
    }

    async fn check(&self, mode: VerifyMode, names: &[Name]) -> SessionResult<Vec<Finding>> {
        let Some(first) = names.first() else {
            return Ok(Vec::new());
        };
        let repair = mode == VerifyMode::Repair;
        let name = first.keys.session(&SessionKey::new(&*first.of));
        let mut args =
            Args::writing(&first.keys, &registry::CHECK, name).text(if repair { "1" } else { "0" });
        for name in names {
            args = args.text(name.kind).text(&name.of);
        }
        let mut answer = self.answer(args).await?;
        let findings = answer.values()?.into_iter();
        findings
            .map(|value| match Answer::read(first.keys.clone(), value) {
                Ok(mut answer) => finding(&mut answer),
                Err(error) => Ok(Finding::new(
                    FindingKind::Unreadable,
                    "keys",
                    None,
                    error.message,
                )),
            })
            .collect()
    }
}

fn finding(answer: &mut Answer) -> SessionResult<Finding> {
    let kind = match answer.status.as_str() {
        "DANGLING" => FindingKind::Dangling,
        "MISSING" => FindingKind::Missing,
        "ORPHAN" => FindingKind::Orphan,
        _ => return answer.unexpected(),
    };
    let (place, key) = (answer.text()?, answer.text()?);
    let places = super::config::namespace::KINDS.into_iter();
    let place = places.into_iter().find(|known| *known == place);
    let key = (!key.is_empty()).then(|| SessionKey::new(key));
    let mut finding = Finding::new(kind, place.unwrap_or("keys"), key, answer.text()?);
    finding.repaired = answer.number()? == 1;
    Ok(finding)
}
