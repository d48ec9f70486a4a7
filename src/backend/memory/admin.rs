//! The operator's verbs: walks over both rings, shard by shard.

use std::sync::Arc;

use greentic_types::SessionKey;

use super::keys::KeyHash;
use super::owners::OwnerHash;
use super::store::InMemorySessionStore;
use super::{SHARDS, verify};
use crate::admin::{ImportOutcome, Progress, RevokeOutcome, ScanCursor, VerifyMode, VerifyPage};
use crate::backend::{Admin, Backend, Depth, Detail, Entry, OwnerEntry, WalkPage};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::owner::Owner;
use crate::payload::{self, Summary};
use crate::request;
use crate::rules::{self, Erased, View};

/// A place in the walk: sessions come first, then owners, each by shard and by hash. Hashes stay
/// where they are when a table grows, so that nothing is missed and nothing comes twice.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Keys {
        shard: usize,
        after: Option<KeyHash>,
    },
    Owners {
        shard: usize,
        after: Option<OwnerHash>,
    },
}

impl Place {
    const START: Self = Self::Keys {
        shard: 0,
        after: None,
    };

    /// Reads a cursor: `k` or `o`, the shard, and the hash of the last that was seen there.
    pub fn of(cursor: Option<&ScanCursor>) -> SessionResult<Self> {
        let Some(cursor) = cursor else {
            return Ok(Self::START);
        };
        Self::parse(cursor.as_str()).ok_or_else(crate::admin::unknown_cursor)
    }

    fn parse(text: &str) -> Option<Self> {
        let (ring, rest) = text.split_at_checked(1)?;
        let (shard, after) = rest.split_once(':')?;
        let shard = shard.parse().ok().filter(|shard| *shard < SHARDS)?;
        let after = match after {
            "" => None,
            hash => Some(u64::from_str_radix(hash, 16).ok()?),
        };
        match ring {
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

    /// How much of a walk is behind here: hashes are spread evenly.
    pub fn progress(self, with_owners: bool) -> Progress {
        let (rings, shards) = (if with_owners { 2 } else { 1 }, SHARDS);
        let (shard, hash) = match self {
            Self::Keys { shard, after } => (shard, after.map(KeyHash::number)),
            Self::Owners { shard, after } => (shards + shard, after.map(OwnerHash::number)),
        };
        let within = hash.unwrap_or(0) as f64 / u64::MAX as f64;
        Progress::part(shard as f64 + within, (rings * shards) as f64)
    }

    /// The shard that comes next; the owners follow the keys.
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

/// What one shard still has to show.
pub(super) enum Part {
    Keys(Vec<(KeyHash, SessionKey)>),
    Owners(Vec<(OwnerHash, Owner)>),
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Self::Keys(keys) => keys.len(),
            Self::Owners(owners) => owners.len(),
        }
    }

    /// The place of its last.
    fn last(&self, place: Place) -> Option<Place> {
        let (Place::Keys { shard, .. } | Place::Owners { shard, .. }) = place;
        match self {
            Self::Keys(keys) => keys.last().map(|(hash, _)| Place::Keys {
                shard,
                after: Some(*hash),
            }),
            Self::Owners(owners) => owners.last().map(|(hash, _)| Place::Owners {
                shard,
                after: Some(*hash),
            }),
        }
    }
}

impl InMemorySessionStore {
    /// Shows the next `limit` or so from a place on, shard by shard, and tells where to go on.
    pub(super) fn tour(
        &self,
        mut place: Place,
        limit: usize,
        with_owners: bool,
        mut show: impl FnMut(Part) -> SessionResult<()>,
    ) -> SessionResult<Option<Place>> {
        let mut left = limit;
        loop {
            let part = match place {
                Place::Keys { shard, after } => Part::Keys(self.keys.after(shard, after, left)),
                Place::Owners { shard, after } => {
                    let shard = self.owners.shard(shard).lock();
                    Part::Owners(shard.after(after, left))
                }
            };
            let seen = part.len();
            let last = part.last(place);
            show(part)?;
            if seen >= left {
                return Ok(last);
            }
            left -= seen;
            match place.next_shard() {
                Some(Place::Owners { .. }) if !with_owners => return Ok(None),
                Some(next) => place = next,
                None => return Ok(None),
            }
        }
    }

    fn found(&self, key: &SessionKey, depth: Depth) -> SessionResult<Option<Entry>> {
        let look = |stored: &super::stored::Stored| (Arc::clone(&stored.session), stored.head());
        let Some((session, head)) = self.keys.read(key, look) else {
            return Ok(None);
        };
        let detail = match depth {
            Depth::Heads => Detail::None,
            Depth::Summary => {
                let bytes = payload::size(&session.data)?;
                Detail::Summary(Summary::of(&session.data, bytes))
            }
            Depth::Full => Detail::Session(session),
        };
        let mut found = Entry {
            key: key.clone(),
            head,
            latest: false,
            fencing: 0,
            detail,
        };
        if depth == Depth::Full {
            (found.fencing, found.latest) = self.locked(&found.head.owner, |ledger| {
                let latest = ledger.latest_created(&found.head.owner)?;
                SessionResult::Ok((ledger.shard.last_number(), latest.as_ref() == Some(key)))
            })?;
        }
        Ok(Some(found))
    }

    fn found_owner(&self, owner: Owner) -> SessionResult<OwnerEntry> {
        let messages = self.locked(&owner, |ledger| ledger.messages(&owner))?;
        Ok(OwnerEntry::new(owner, messages))
    }
}

impl Admin for InMemorySessionStore {
    async fn walk(
        &self,
        depth: Depth,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<WalkPage> {
        let mut walked = WalkPage::new(self.clock.now());
        let place = Place::of(after)?;
        // A scan is about sessions alone.
        let with_owners = depth != Depth::Summary;
        let next = self.tour(place, limit, with_owners, |part| {
            match part {
                Part::Keys(keys) => {
                    for (_, key) in keys {
                        walked.sessions.extend(self.found(&key, depth)?);
                    }
                }
                Part::Owners(owners) => {
                    for (_, owner) in owners {
                        walked.owners.push(self.found_owner(owner)?);
                    }
                }
            }
            Ok(())
        })?;
        walked.progress = next.map_or(Progress::COMPLETE, |place| place.progress(with_owners));
        walked.next = next.map(Place::cursor);
        Ok(walked)
    }

    async fn walk_one(&self, key: &SessionKey) -> SessionResult<WalkPage> {
        let mut walked = WalkPage::new(self.clock.now());
        walked.sessions.extend(self.found(key, Depth::Summary)?);
        Ok(walked)
    }

    async fn erase_owner(
        &self,
        owner: &Owner,
        request: request::EraseOwner,
    ) -> SessionResult<Erased> {
        self.write(owner, |ledger, now| {
            rules::erase_owner(ledger, now, owner, request)
        })
    }

    async fn verify(
        &self,
        _mode: VerifyMode,
        after: Option<&ScanCursor>,
        limit: usize,
    ) -> SessionResult<VerifyPage> {
        verify::page(self, Place::of(after)?, limit)
    }

    async fn extend(&self, request: request::Extend) -> SessionResult<Option<Timestamp>> {
        self.write_session(&request.key, |ledger, now| {
            rules::extend(ledger, now, &request)
        })
    }

    async fn revoke(&self, key: &SessionKey) -> SessionResult<RevokeOutcome> {
        self.write_session(key, |ledger, now| rules::revoke(ledger, now, key))
    }

    async fn import(&self, request: request::Import) -> SessionResult<ImportOutcome> {
        self.evict_expired(request.session.key(), &request.owner)?;
        self.write(&request.owner.clone(), |ledger, now| {
            rules::import(ledger, now, request)
        })
    }

    async fn import_messages(&self, request: request::ImportMessages) -> SessionResult<()> {
        let options = *self.options();
        self.write(&request.owner.clone(), |ledger, now| {
            rules::import_messages(ledger, now, &options, request)
        })
    }
}
