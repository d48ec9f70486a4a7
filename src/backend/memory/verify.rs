//! Verification of the indexes against the sessions (C23).
//!
//! Everything changes under one lock, so a finding is an error of this code: it is reported, and
//! nothing is repaired.

use greentic_types::SessionKey;

use super::due::DueItem;
use super::ledger::MemoryLedger;
use super::shards::Shards;
use super::stored::Stored;
use super::walk::{Part, ScanPosition, walk_shards};
use crate::admin::{Finding, FindingKind, Progress, ScanCursor, VerifyPage};
use crate::clock::{Clock, Timestamp};
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::rules::{View, queue_fault};

/// How many routes or timeouts are looked at under one lock.
const ROUTES_PER_STEP: usize = 256;

/// Checks the next sessions and owners.
pub fn verify(
    shards: &Shards,
    clock: &dyn Clock,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<VerifyPage> {
    let mut page = VerifyPage {
        checked: 0,
        findings: Vec::new(),
        progress: Progress::COMPLETE,
        next: None,
    };
    let position = ScanPosition::of(after)?;
    let next = walk_shards(shards, position, limit, true, |part| {
        match part {
            Part::Keys(keys) => {
                page.checked += keys.len() as u64;
                for (_, key) in keys {
                    page.findings.extend(check_session(shards, &key)?);
                }
            }
            Part::Owners {
                shard,
                is_first,
                owners,
            } => {
                if is_first {
                    page.findings.extend(dangling_due(shards, shard));
                }
                page.checked += owners.len() as u64;
                for (_, owner) in owners {
                    page.findings.extend(dangling_routes(shards, &owner));
                    let faults = shards.locked(&owner, |ledger| latest_faults(ledger, &owner))?;
                    page.findings.extend(faults);
                    page.findings.extend(queue_faults(shards, clock, &owner)?);
                }
            }
        }
        Ok(())
    })?;
    page.progress = next.map_or(Progress::COMPLETE, |next| next.progress(true));
    page.next = next.map(ScanPosition::cursor);
    Ok(page)
}

fn check_session(shards: &Shards, key: &SessionKey) -> SessionResult<Vec<Finding>> {
    match shards.keys.read(key, |stored| stored.owner().clone()) {
        Some(owner) => shards.locked(&owner, |ledger| session_faults(ledger, &owner, key)),
        None => Ok(Vec::new()),
    }
}

/// Returns nothing if the key was given to another owner's session before the lock was taken.
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
        found.push(missing("expiry", "the deadline is not indexed"));
    }
    if let Some(at) = head.due_at()
        && !ledger
            .shard
            .due
            .contains(DueItem::Wait(ledger.keys.hash(key)), at)
    {
        found.push(missing("due", "the timeout is not indexed"));
    }
    if let Some(wait) = head.routed_wait() {
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

/// Looks at the timeouts of a shard in steps, each under the lock.
fn dangling_due(shards: &Shards, shard: usize) -> Option<Finding> {
    let (mut dangling, mut after) = (0, None);
    loop {
        let mut shard = shards.owners.shard(shard).lock();
        let ledger = shards.ledger(&mut shard);
        let step = ledger.shard.due.after(after, ROUTES_PER_STEP);
        let leads = |(at, item): &&(Timestamp, DueItem)| match item {
            DueItem::Wait(hash) => {
                let is_meant = |stored: &Stored| stored.head().due_at() == Some(*at);
                ledger.keys.read_hashed(*hash, is_meant, |_| ()).is_some()
            }
            DueItem::Queue(hash) => ledger.shard.owner_due(*hash, *at).is_some(),
        };
        dangling += step.iter().filter(|entry| !leads(entry)).count();
        after = step.last().copied();
        if step.len() < ROUTES_PER_STEP {
            break;
        }
    }
    let reason = "an entry leads to no timeout and no queue";
    (dangling > 0).then(|| Finding::new(FindingKind::Dangling, "due", None, reason))
}

/// Looks at the routes of an owner in steps, each under the lock.
fn dangling_routes(shards: &Shards, owner: &Owner) -> Option<Finding> {
    let (mut dangling, mut after) = (0, None);
    loop {
        let step = |ledger: &mut MemoryLedger<'_>| {
            ledger.dangling_routes(owner, after.as_ref(), ROUTES_PER_STEP)
        };
        let (found, next) = shards.locked(owner, step);
        dangling += found;
        after = next;
        if after.is_none() {
            break;
        }
    }
    let reason = "a route leads nowhere";
    (dangling > 0).then(|| Finding::new(FindingKind::Dangling, "routes", None, reason))
}

fn latest_faults(ledger: &MemoryLedger<'_>, owner: &Owner) -> SessionResult<Option<Finding>> {
    let Some(latest) = ledger.latest_created(owner)? else {
        return Ok(None);
    };
    let head = ledger.head(&latest)?;
    let foreign = head.is_none_or(|head| head.owner != *owner);
    let reason = "the latest created session is another's or none";
    Ok(foreign.then(|| Finding::new(FindingKind::Dangling, "owners", None, reason)))
}

/// Looks at when the queues of an owner are due.
fn queue_faults(
    shards: &Shards,
    clock: &dyn Clock,
    owner: &Owner,
) -> SessionResult<Option<Finding>> {
    shards.locked(owner, |ledger| {
        let fault = match ledger.schedules_inbox(owner) {
            true => queue_fault(ledger, clock.now(), owner)?,
            false => Some("the queues of an owner are not indexed"),
        };
        Ok(fault.map(|reason| Finding::new(FindingKind::Missing, "inbox", None, reason)))
    })
}
