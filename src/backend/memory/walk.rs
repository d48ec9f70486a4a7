//! Walks over both sets of shards, page by page.

use std::sync::Arc;

use greentic_types::SessionKey;

use super::hashing::OwnerHash;
use super::keys::KeyHash;
use super::sharding::SHARDS;
use super::shards::Shards;
use super::stored::Stored;
use crate::admin::{Progress, ScanCursor, unknown_cursor};
use crate::backend::{Depth, Detail, Entry, OwnerEntry, WalkPage};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::payload::{self, Summary};
use crate::rules::View;

/// A position in a walk. Sessions come first, then owners, each by shard and then by hash. Hashes do
/// not change when a table grows, so that no entry is missed or repeated.
#[derive(Clone, Copy)]
pub enum ScanPosition {
    Keys {
        shard: usize,
        after: Option<KeyHash>,
    },
    Owners {
        shard: usize,
        after: Option<OwnerHash>,
    },
}

impl ScanPosition {
    const START: Self = Self::Keys {
        shard: 0,
        after: None,
    };

    /// Reads a cursor: `k` or `o`, the shard, and the hash of the last entry of the page before.
    pub fn of(cursor: Option<&ScanCursor>) -> SessionResult<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self::START);
        };
        Self::parse(cursor.as_str()).ok_or_else(unknown_cursor)
    }

    fn parse(text: &str) -> Option<Self> {
        let (set, rest) = text.split_at_checked(1)?;
        let (shard, after) = rest.split_once(':')?;
        let shard = shard.parse().ok().filter(|shard| *shard < SHARDS)?;
        let after = match after {
            "" => None,
            hash => Some(u64::from_str_radix(hash, 16).ok()?),
        };
        match set {
            "k" => Some(Self::Keys {
                shard,
                after: after.map(KeyHash::from_number),
            }),
            "o" => Some(Self::Owners {
                shard,
                after: after.map(OwnerHash::from_number),
            }),
            _ => None,
        }
    }

    pub fn cursor(self) -> ScanCursor {
        let hash = |number: Option<u64>| number.map_or(String::new(), |hash| format!("{hash:x}"));
        ScanCursor::new(match self {
            Self::Keys { shard, after } => {
                format!("k{shard}:{}", hash(after.map(KeyHash::number)))
            }
            Self::Owners { shard, after } => {
                format!("o{shard}:{}", hash(after.map(OwnerHash::number)))
            }
        })
    }

    /// How much of a walk is done at this position, since hashes are distributed evenly.
    pub fn progress(self, with_owners: bool) -> Progress {
        let (sets, shards) = (if with_owners { 2 } else { 1 }, SHARDS);
        let (shard, hash) = match self {
            Self::Keys { shard, after } => (shard, after.map(KeyHash::number)),
            Self::Owners { shard, after } => (shards + shard, after.map(OwnerHash::number)),
        };
        let within = hash.unwrap_or(0) as f64 / u64::MAX as f64;
        Progress::part(shard as f64 + within, (sets * shards) as f64)
    }

    /// The start of the next shard. The owners follow the keys.
    fn next_shard(self) -> Option<Self> {
        let keys = |shard| Self::Keys { shard, after: None };
        let owners = |shard| Self::Owners { shard, after: None };
        match self {
            Self::Keys { shard, .. } if shard + 1 < SHARDS => Some(keys(shard + 1)),
            Self::Keys { .. } => Some(owners(0)),
            Self::Owners { shard, .. } if shard + 1 < SHARDS => Some(owners(shard + 1)),
            Self::Owners { .. } => None,
        }
    }
}

/// The entries of one shard that a page contains.
pub enum Part {
    Keys(Vec<(KeyHash, SessionKey)>),
    /// The owners of a part of this shard.
    Owners {
        shard: usize,
        is_first: bool,
        owners: Vec<(OwnerHash, Owner)>,
    },
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Keys(keys) => keys.len(),
            Self::Owners { owners, .. } => owners.len(),
        }
    }

    /// The position of the last entry.
    fn last(&self, position: ScanPosition) -> Option<ScanPosition> {
        let (ScanPosition::Keys { shard, .. } | ScanPosition::Owners { shard, .. }) = position;
        match self {
            Self::Keys(keys) => keys.last().map(|(hash, _)| ScanPosition::Keys {
                shard,
                after: Some(*hash),
            }),
            Self::Owners { owners, .. } => owners.last().map(|(hash, _)| ScanPosition::Owners {
                shard,
                after: Some(*hash),
            }),
        }
    }
}

/// Passes about `limit` entries from a position on, shard by shard, to `visit`. Returns the position of
/// the next page.
pub fn walk_shards(
    shards: &Shards,
    mut position: ScanPosition,
    limit: usize,
    with_owners: bool,
    mut visit: impl FnMut(Part) -> SessionResult<()>,
) -> SessionResult<Option<ScanPosition>> {
    let mut left = limit;
    loop {
        let part = match position {
            ScanPosition::Keys { shard, after } => {
                Part::Keys(shards.keys.after(shard, after, left))
            }
            ScanPosition::Owners { shard, after } => {
                let owners = shards.owners.shard(shard).lock().after(after, left);
                Part::Owners {
                    shard,
                    is_first: after.is_none(),
                    owners,
                }
            }
        };
        let seen = part.len();
        let last = part.last(position);
        visit(part)?;
        if seen >= left {
            return Ok(last);
        }
        left -= seen;
        match position.next_shard() {
            Some(ScanPosition::Owners { .. }) if !with_owners => return Ok(None),
            Some(next) => position = next,
            None => return Ok(None),
        }
    }
}

/// Reads the next sessions, and after them the owners unless the walk is for a scan.
pub fn walk(
    shards: &Shards,
    now: Timestamp,
    depth: Depth,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<WalkPage> {
    let mut page = WalkPage::new(now);
    let position = ScanPosition::of(after)?;
    // A scan lists sessions alone.
    let with_owners = depth != Depth::Summary;
    let next = walk_shards(shards, position, limit, with_owners, |part| {
        match part {
            Part::Keys(keys) => {
                for (_, key) in keys {
                    page.sessions.extend(entry(shards, &key, depth)?);
                }
            }
            Part::Owners { owners, .. } => {
                for (_, owner) in owners {
                    page.owners.push(owner_entry(shards, owner)?);
                }
            }
        }
        Ok(())
    })?;
    page.progress = next.map_or(Progress::COMPLETE, |next| next.progress(with_owners));
    page.next = next.map(ScanPosition::cursor);
    Ok(page)
}

/// Reads one session, as a walk for a scan does.
pub fn walk_one(shards: &Shards, now: Timestamp, key: &SessionKey) -> SessionResult<WalkPage> {
    let mut page = WalkPage::new(now);
    page.sessions.extend(entry(shards, key, Depth::Summary)?);
    Ok(page)
}

fn entry(shards: &Shards, key: &SessionKey, depth: Depth) -> SessionResult<Option<Entry>> {
    let read = |stored: &Stored| (Arc::clone(&stored.session), stored.head());
    let Some((session, head)) = shards.keys.read(key, read) else {
        return Ok(None);
    };
    let detail = match depth {
        Depth::Heads => Detail::None,
        #[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
        Depth::Stored => Detail::None,
        Depth::Summary => {
            let bytes = payload::size(&session.data)?;
            Detail::Summary(Summary::of(&session.data, bytes))
        }
        Depth::Full => Detail::Session(session),
    };
    let mut entry = Entry {
        key: key.clone(),
        head,
        latest: false,
        fencing: 0,
        detail,
    };
    if depth == Depth::Full {
        (entry.fencing, entry.latest) = shards.locked(&entry.head.owner, |ledger| {
            let latest = ledger.latest_created(&entry.head.owner)?;
            SessionResult::Ok((ledger.shard.last_number(), latest.as_ref() == Some(key)))
        })?;
    }
    Ok(Some(entry))
}

fn owner_entry(shards: &Shards, owner: Owner) -> SessionResult<OwnerEntry> {
    let (messages, inbox) = shards.locked(&owner, |ledger| {
        SessionResult::Ok((ledger.messages(&owner)?, ledger.inbox(&owner)?))
    })?;
    Ok(OwnerEntry {
        queued: inbox.map_or(0, |inbox| inbox.len() as u64),
        ..OwnerEntry::new(owner, messages)
    })
}
