//! The check of pointers and sessions against each other on a Cluster (C23), with repair.

use std::time::Duration;

use greentic_types::{ErrorCode, SessionKey};
use redis::FromRedisValue;

use super::pointer::Orphan;
use super::pointer_store::PointerStore;
use crate::admin::{Finding, FindingKind, VerifyMode};
use crate::backend::redis::client::fan_out::fan_out;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::record::Record;
use crate::backend::redis::script::reply::unexpected;
use crate::error::SessionResult;
use crate::options::TtlMillis;
use crate::owner::Owner;

/// Checks pointers and sessions against each other.
pub struct PointerCheck {
    pointers: PointerStore,
}

/// The lack of a pointer that leads to a session and lives as long.
#[derive(PartialEq, Eq)]
struct MissingPointer {
    owner: Owner,
    stamp: u64,
    reason: &'static str,
}

impl PointerCheck {
    pub fn new(pointers: &PointerStore) -> Self {
        Self {
            pointers: pointers.clone(),
        }
    }

    /// Finds pointers that lead to no session and have no expiry. With one a pointer stays after a
    /// session that expired.
    pub async fn check_pointers(
        &self,
        mode: VerifyMode,
        keys: &[SessionKey],
    ) -> SessionResult<Vec<Finding>> {
        let searches = keys
            .iter()
            .map(|key| async { Ok(self.pointers.find_orphan(key).await) });
        let (mut findings, mut suspects) = (Vec::new(), Vec::new());
        for (key, found) in keys.iter().zip(fan_out(searches.collect()).await?) {
            match found {
                Ok(found) => {
                    let stays = found.filter(|orphan| !orphan.expires);
                    suspects.extend(stays.map(|orphan| (key, orphan)));
                }
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
        // If the session was removed just now, its pointer is removed meanwhile.
        self.pointers.wait_for_running_steps().await?;
        let checks = suspects
            .into_iter()
            .map(|(key, orphan)| self.check_suspect(mode, key, orphan));
        let found = fan_out(checks.collect()).await?;
        findings.extend(found.into_iter().flatten());
        Ok(findings)
    }

    async fn check_suspect(
        &self,
        mode: VerifyMode,
        key: &SessionKey,
        orphan: Orphan,
    ) -> SessionResult<Option<Finding>> {
        if self.pointers.find_orphan(key).await?.as_ref() != Some(&orphan) {
            return Ok(None);
        }
        let mut finding = finding(FindingKind::Dangling, key, "the session is missing");
        if mode.repairs() {
            let Orphan { owner, stamp, .. } = orphan;
            finding.repaired = self.pointers.remove_orphan(&owner, key, stamp).await?;
        }
        Ok(Some(finding))
    }

    /// Finds sessions without a pointer that leads to them and lives as long.
    pub async fn check_sessions(
        &self,
        mode: VerifyMode,
        sessions: &[(Keys, SessionKey)],
    ) -> SessionResult<Vec<Finding>> {
        let sessions = sessions.iter();
        let checks = sessions.map(|(keys, key)| self.check_session(mode, keys, key));
        let found = fan_out(checks.collect()).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn check_session(
        &self,
        mode: VerifyMode,
        keys: &Keys,
        key: &SessionKey,
    ) -> SessionResult<Option<Finding>> {
        let Some((missing, _)) = self.find_missing(keys, key).await? else {
            return Ok(None);
        };
        // The session and its pointer may have been removed between the steps.
        let Some((same, session)) = self.find_missing(keys, key).await? else {
            return Ok(None);
        };
        if same != missing {
            return Ok(None);
        }
        let mut finding = finding(FindingKind::Missing, key, missing.reason);
        if mode.repairs() {
            let MissingPointer { owner, stamp, .. } = &missing;
            let confirmed = self.pointers.confirm(owner, key, *stamp, session, 0);
            finding.repaired = confirmed.await?;
        }
        Ok(Some(finding))
    }

    /// What a session lacks, and its remaining TTL; none if it lacks nothing or does not exist.
    async fn find_missing(
        &self,
        keys: &Keys,
        key: &SessionKey,
    ) -> SessionResult<Option<(MissingPointer, TtlMillis)>> {
        let Some((owner, stamp)) = self.owner_and_stamp(keys, key).await? else {
            return Ok(None);
        };
        // The session first: a call that extends its life begins with the pointer.
        let Some(session) = self.pointers.session_ttl(&owner, key).await? else {
            return Ok(None);
        };
        let found = match self.pointers.inspect(key).await {
            // The check of the pointer reports that.
            Err(error) if error.code == ErrorCode::Internal => return Ok(None),
            found => found?,
        };
        let session_ttl = session.0.map(Duration::from_millis);
        let ends_before = |left| session_ttl.is_none_or(|session| left < session);
        let reason = match found {
            None => "no pointer leads to it",
            Some(found) if found.owner != owner => "its pointer leads to another owner",
            Some(found) if found.expires_in.is_some_and(ends_before) => {
                "its pointer ends before it"
            }
            Some(_) => return Ok(None),
        };
        let missing = MissingPointer {
            owner,
            stamp,
            reason,
        };
        Ok(Some((missing, session)))
    }

    /// The owner in the record of a session, and the stamp of its pointer.
    async fn owner_and_stamp(
        &self,
        keys: &Keys,
        key: &SessionKey,
    ) -> SessionResult<Option<(Owner, u64)>> {
        let name = keys.record(key);
        let mut command = redis::cmd("GET");
        command.arg(&name);
        let client = self.pointers.client();
        let reply = client.command(command, name.as_bytes()).await?;
        let found = Option::<String>::from_redis_value(reply.value).map_err(|_| unexpected())?;
        // The check of the session reports a record that cannot be read.
        let record = found.and_then(|found| Record::parse(keys, key.as_str(), &found).ok());
        Ok(record.and_then(|record| Some((record.owner, record.pointer?.stamp))))
    }
}

fn finding(kind: FindingKind, key: &SessionKey, reason: &str) -> Finding {
    Finding::new(kind, "owner", Some(key.clone()), reason)
}
