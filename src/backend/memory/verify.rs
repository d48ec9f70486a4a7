//! Compares what leads to a session with the session (C23).
//!
//! All of it changes under one lock, so that a fault here is a fault of this code: it is told, and
//! nothing is repaired.

use greentic_types::SessionKey;

use super::admin::{Part, Place};
use super::ledger::MemoryLedger;
use super::store::InMemorySessionStore;
use crate::admin::{Finding, FindingKind, Progress, VerifyPage};
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::rules::View;

pub(super) fn page(
    store: &InMemorySessionStore,
    place: Place,
    limit: usize,
) -> SessionResult<VerifyPage> {
    let mut page = VerifyPage {
        checked: 0,
        findings: Vec::new(),
        progress: Progress::COMPLETE,
        next: None,
    };
    let next = store.tour(place, limit, true, |part| {
        let found = match part {
            Part::Keys(keys) => {
                page.checked += keys.len() as u64;
                let check = |(_, key)| store.check_session(&key);
                keys.into_iter()
                    .map(check)
                    .collect::<SessionResult<Vec<_>>>()?
            }
            Part::Owners(owners) => {
                page.checked += owners.len() as u64;
                let check =
                    |(_, owner): (_, Owner)| store.locked(&owner, |l| owner_faults(l, &owner));
                owners
                    .into_iter()
                    .map(check)
                    .collect::<SessionResult<Vec<_>>>()?
            }
        };
        page.findings.extend(found.into_iter().flatten());
        Ok(())
    })?;
    page.progress = next.map_or(Progress::COMPLETE, |place| place.progress(true));
    page.next = next.map(Place::cursor);
    Ok(page)
}

impl InMemorySessionStore {
    fn check_session(&self, key: &SessionKey) -> SessionResult<Vec<Finding>> {
        match self.keys.read(key, |stored| stored.owner().clone()) {
            Some(owner) => self.locked(&owner, |ledger| session_faults(ledger, &owner, key)),
            None => Ok(Vec::new()),
        }
    }
}

/// Nothing if the session went to another owner before the lock was taken.
fn session_faults(
    ledger: &MemoryLedger<'_>,
    owner: &Owner,
    key: &SessionKey,
) -> SessionResult<Vec<Finding>> {
    let Some(head) = ledger.head(key)?.filter(|head| head.owner == *owner) else {
        return Ok(Vec::new());
    };
    let missing =
        |place, reason: &str| Finding::new(FindingKind::Missing, place, Some(key.clone()), reason);
    let mut found = Vec::new();
    let scheduled = |deadline| ledger.shard.is_scheduled(ledger.keys.hash(key), deadline);
    if head.deadline.is_some_and(|deadline| !scheduled(deadline)) {
        found.push(missing("due", "the deadline is not indexed"));
    }
    if let Some(wait) = &head.wait {
        let routed = ledger.routed(owner, &wait.scope, None)?;
        if routed.is_none_or(|(routed, _)| routed != *key) {
            found.push(missing("routes", "the wait is not routed to"));
        }
        if !ledger.lists(key, &head) {
            found.push(missing("order", "the wait is not listed"));
        }
    }
    Ok(found)
}

fn owner_faults(ledger: &MemoryLedger<'_>, owner: &Owner) -> SessionResult<Vec<Finding>> {
    let mut found = Vec::new();
    let waits = ledger.all_routed(owner)?.len();
    if ledger.waits(owner) != waits {
        let reason = "a route leads nowhere";
        found.push(Finding::new(FindingKind::Dangling, "routes", None, reason));
    }
    if let Some(latest) = ledger.latest_created(owner)? {
        let head = ledger.head(&latest)?;
        if head.is_none_or(|head| head.owner != *owner) {
            let reason = "the latest created session is another's or none";
            found.push(Finding::new(FindingKind::Dangling, "owners", None, reason));
        }
    }
    Ok(found)
}
