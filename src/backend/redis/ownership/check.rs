//! C23 on a Cluster: finds pointers whose session is not there and sessions to which no pointer leads,
//! and repairs both.

use std::time::Duration;

use greentic_types::{ErrorCode, SessionKey};
use redis::FromRedisValue;

use super::Homes;
use super::pointers::Pointers;
use crate::admin::{Finding, FindingKind, VerifyMode};
use crate::backend::redis::admin::walk::Name;
use crate::backend::redis::client::side_by_side::side_by_side;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::record::owner_and_stamp;
use crate::backend::redis::script::reply::unexpected;
use crate::error::SessionResult;
use crate::owner::Owner;

/// A session to which no pointer leads as long as it lives.
#[derive(PartialEq, Eq)]
struct Unled {
    owner: Owner,
    stamp: u64,
    reason: &'static str,
}

impl Homes {
    /// The session key of a pointer's name.
    pub fn pointer_of(&self, name: &[u8]) -> Option<SessionKey> {
        match self {
            Self::Shared(_) => None,
            Self::Tagged(pointers) => pointers.key_of(name),
        }
    }

    /// Looks whether pointers lead to a session.
    pub async fn check_pointers(
        &self,
        mode: VerifyMode,
        keys: &[SessionKey],
    ) -> SessionResult<Vec<Finding>> {
        match self {
            Self::Shared(_) => Ok(Vec::new()),
            Self::Tagged(pointers) => pointers.check(mode, keys).await,
        }
    }

    /// Looks whether a pointer leads to each session, as long as it lives.
    pub async fn check_sessions(
        &self,
        mode: VerifyMode,
        names: &[Name],
    ) -> SessionResult<Vec<Finding>> {
        let Self::Tagged(pointers) = self else {
            return Ok(Vec::new());
        };
        let sessions = names.iter().filter(|name| name.kind == "session");
        let checks = sessions.map(|name| pointers.check_session(mode, name));
        Ok(side_by_side(checks.collect())
            .await?
            .into_iter()
            .flatten()
            .collect())
    }
}

impl Pointers {
    /// Looks whether pointers lead to a session.
    pub async fn check(
        &self,
        mode: VerifyMode,
        keys: &[SessionKey],
    ) -> SessionResult<Vec<Finding>> {
        let looks = keys
            .iter()
            .map(|key| async { Ok(self.left_behind(key).await) });
        let (mut findings, mut suspects) = (Vec::new(), Vec::new());
        for (key, found) in keys.iter().zip(side_by_side(looks.collect()).await?) {
            match found {
                Ok(found) => suspects.extend(found.map(|suspect| (key, suspect))),
                Err(error) if error.code == ErrorCode::Internal => {
                    let reason = "the pointer cannot be read";
                    findings.push(finding(FindingKind::Unreadable, key, reason));
                }
                Err(error) => return Err(error),
            }
        }
        if suspects.is_empty() {
            return Ok(findings);
        }
        // The pointer of a session that was removed just now goes by itself.
        self.wait_for_steps().await?;
        let checks = suspects
            .into_iter()
            .map(|(key, suspect)| self.check_suspect(mode, key, suspect));
        let found = side_by_side(checks.collect()).await?;
        findings.extend(found.into_iter().flatten());
        Ok(findings)
    }

    async fn check_suspect(
        &self,
        mode: VerifyMode,
        key: &SessionKey,
        suspect: (Owner, u64),
    ) -> SessionResult<Option<Finding>> {
        if self.left_behind(key).await?.as_ref() != Some(&suspect) {
            return Ok(None);
        }
        let mut finding = finding(FindingKind::Dangling, key, "the session is missing");
        if mode == VerifyMode::Repair {
            let (owner, stamp) = suspect;
            finding.repaired = self.clear_away(&owner, key, stamp).await?;
        }
        Ok(Some(finding))
    }

    /// The owner and the stamp of a pointer that nobody needs any more, and nobody is about to remove.
    pub async fn left_behind(&self, key: &SessionKey) -> SessionResult<Option<(Owner, u64)>> {
        let Some(found) = self.inspect(key).await? else {
            return Ok(None);
        };
        if self.is_passing(&found) || self.life_of_session(&found.owner, key).await?.is_some() {
            return Ok(None);
        }
        Ok(Some((found.owner, found.stamp)))
    }

    async fn check_session(&self, mode: VerifyMode, name: &Name) -> SessionResult<Option<Finding>> {
        let key = SessionKey::new(&*name.of);
        let Some((unled, _)) = self.unled(&name.keys, &key).await? else {
            return Ok(None);
        };
        // A session that was removed meanwhile, and its pointer with it, is none of them.
        let Some((same, life)) = self.unled(&name.keys, &key).await? else {
            return Ok(None);
        };
        if same != unled {
            return Ok(None);
        }
        let mut finding = finding(FindingKind::Missing, &key, unled.reason);
        if mode == VerifyMode::Repair {
            let Unled { owner, stamp, .. } = &unled;
            finding.repaired = self.restore(owner, &key, *stamp, life).await?;
            self.settle(owner, &key, None);
        }
        Ok(Some(finding))
    }

    /// What the record of a session tells: its owner, and the stamp of its pointer.
    async fn owner_and_stamp(
        &self,
        keys: &Keys,
        key: &SessionKey,
    ) -> SessionResult<Option<(Owner, u64)>> {
        let name = keys.record(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let reply = self.connections.command(command, name.as_bytes()).await?;
        let found = Option::<String>::from_redis_value(reply.value).map_err(|_| unexpected())?;
        Ok(found.and_then(|found| owner_and_stamp(&found)))
    }

    /// A session to which no pointer leads, with how long it lives on.
    async fn unled(
        &self,
        keys: &Keys,
        key: &SessionKey,
    ) -> SessionResult<Option<(Unled, Option<Duration>)>> {
        let Some((owner, stamp)) = self.owner_and_stamp(keys, key).await? else {
            return Ok(None);
        };
        // The session first: whoever makes it live longer begins with the pointer.
        let Some(life) = self.life_of_session(&owner, key).await? else {
            return Ok(None);
        };
        let found = match self.inspect(key).await {
            // The check of the pointer itself tells of that.
            Err(error) if error.code == ErrorCode::Internal => return Ok(None),
            found => found?,
        };
        let reason = match found {
            None => "no pointer leads to it",
            Some(found) if found.owner != owner => "its pointer leads to another owner",
            Some(found)
                if found
                    .left
                    .is_some_and(|left| life.is_none_or(|life| left < life)) =>
            {
                "its pointer ends before it"
            }
            Some(_) => return Ok(None),
        };
        let unled = Unled {
            owner,
            stamp,
            reason,
        };
        Ok(Some((unled, life)))
    }
}

fn finding(kind: FindingKind, key: &SessionKey, reason: &str) -> Finding {
    Finding::new(kind, "owner", Some(key.clone()), reason)
}
