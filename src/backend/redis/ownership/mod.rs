//! The location of an owner's keys, and the way from a session key to its owner.

mod check;
pub mod coverage;
pub mod pointer;
pub mod pointer_store;
pub mod sweep;

use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_types::SessionKey;

use self::check::PointerCheck;
use self::coverage::Coverage;
use self::pointer::{CONFIRMED_FOR, Reservation, ReservationKind, Retry};
use self::pointer_store::PointerStore;
use self::sweep::{Sweep, Sweeper};
use super::client::Client;
use super::config::RedisConfig;
use super::config::url::Deployment;
use super::hash_slot::slot_of;
use super::script::keys::Keys;
use super::script::record::Record;
use super::script::reply::Answer;
use crate::admin::{Finding, VerifyMode};
use crate::claim::ClaimToken;
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::{NextTtl, TtlMillis};
use crate::owner::Owner;
use crate::timeout::NextTimeout;

/// The layout of the keys of a store.
pub enum KeyLayout {
    /// One server: all owners share a prefix, and a session key leads to its keys directly.
    Flat(Keys),
    /// A Cluster: each owner's keys are in one slot, and pointers lead from session keys to owners.
    Clustered(Box<Clustered>),
}

/// What the layout on a Cluster takes.
pub struct Clustered {
    pub pointers: PointerStore,
    check: PointerCheck,
    sweep: Option<Sweep>,
    /// When the due index of each slot is looked at.
    pub coverage: Coverage,
}

/// The location of a session.
pub struct Location {
    pub keys: Keys,
    /// The owner of the session key; none in the flat layout.
    pub owner: Option<Owner>,
}

impl KeyLayout {
    pub fn new(config: &RedisConfig, client: &Arc<Client>) -> Self {
        match config.target.deployment {
            Deployment::Cluster { .. } => Self::Clustered(Box::new(Clustered::new(config, client))),
            _ => Self::Flat(Keys::new(&config.namespace)),
        }
    }

    /// The key names of an owner.
    pub fn keys(&self, owner: &Owner) -> Keys {
        match self {
            Self::Flat(keys) => keys.clone(),
            Self::Clustered(clustered) => clustered.pointers.keys(owner),
        }
    }

    /// The location of the session with a key. None if no owner has the key.
    pub async fn locate(&self, key: &SessionKey) -> SessionResult<Option<Location>> {
        let clustered = match self {
            Self::Flat(keys) => {
                return Ok(Some(Location {
                    keys: keys.clone(),
                    owner: None,
                }));
            }
            Self::Clustered(clustered) => clustered,
        };
        let owner = clustered.pointers.find_owner(key).await?;
        Ok(owner.map(|owner| Location {
            keys: clustered.pointers.keys(&owner),
            owner: Some(owner),
        }))
    }

    /// Whether a session of another owner has the key. False in the flat layout, where every script
    /// sees that.
    pub async fn is_foreign(&self, owner: &Owner, key: &SessionKey) -> SessionResult<bool> {
        let Self::Clustered(clustered) = self else {
            return Ok(false);
        };
        let found = clustered.pointers.find_owner(key).await?;
        match found.filter(|found| found != owner) {
            Some(other) => Ok(clustered.pointers.session_ttl(&other, key).await?.is_some()),
            None => Ok(false),
        }
    }

    /// Reserves a session key for an owner: no other owner gets it while the session lives (C4).
    /// None in the flat layout, where the script of the write checks that.
    pub async fn reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: TtlMillis,
        retry: Retry,
    ) -> SessionResult<Option<Reservation>> {
        let Self::Clustered(clustered) = self else {
            return Ok(None);
        };
        let reservation = clustered.pointers.reserve(owner, key, ttl, retry).await?;
        Ok(Some(reservation))
    }

    /// The TTL of a session with that deadline, by the clock of its node, for a reservation.
    pub async fn ttl_until(
        &self,
        keys: &Keys,
        key: &SessionKey,
        deadline: Option<Timestamp>,
    ) -> SessionResult<TtlMillis> {
        let (Self::Clustered(clustered), Some(deadline)) = (self, deadline) else {
            return Ok(TtlMillis(None));
        };
        let now = clustered.pointers.session_time(keys, key).await?;
        Ok(TtlMillis(Some(whole_millis(deadline.since(now)).max(1))))
    }

    /// Extends the pointer of a session whose script refused a deadline that the pointer does not
    /// cover. Returns the argument with which the script is run again.
    pub async fn extend(
        &self,
        owner: Option<&Owner>,
        key: &SessionKey,
        ttl: NextTtl,
        refusal: &mut Answer,
    ) -> SessionResult<String> {
        let (Self::Clustered(clustered), Some(owner)) = (self, owner) else {
            return refusal.unexpected();
        };
        let (from, stamp) = (refusal.number()?, refusal.number()?);
        let ttl = refusal.needed_ttl(ttl)?;
        let extended = clustered.pointers.extend(owner, key, ttl, from).await?;
        Ok(match extended {
            Some(pointer) => format!("{stamp}={pointer}"),
            None => format!("{stamp}!"),
        })
    }

    /// Confirms the pointer of a session that was claimed or whose claim was renewed, in the
    /// background, if that was long ago: a failover may have lost its newest expiry.
    pub fn confirm(&self, token: &ClaimToken, record: &Record, lease: Duration) {
        let (Self::Clustered(clustered), Some(known)) = (self, record.pointer) else {
            return;
        };
        let until = record.lease_until.as_millis();
        let now = until.saturating_sub(whole_millis(lease));
        if now.saturating_sub(known.confirmed) <= whole_millis(CONFIRMED_FOR) {
            return;
        }
        let lifetime = record.lifetime(Timestamp::from_millis(now));
        let ttl = TtlMillis(lifetime.map(|time| whole_millis(time.saturating_add(lease))));
        let (owner, key) = (token.owner.clone(), token.key.clone());
        clustered.pointers.spawn(|pointers| async move {
            let from = now.saturating_mul(1000);
            // If it fails, the next claim or renewal confirms the pointer.
            let _ = pointers.confirm(&owner, &key, known.stamp, ttl, from).await;
        });
    }

    /// Removes the pointer that a refused write created, in the background.
    pub fn discard(&self, owner: &Owner, key: &SessionKey, reservation: Option<Reservation>) {
        let (Self::Clustered(clustered), Some(reservation)) = (self, reservation) else {
            return;
        };
        if reservation.kind == ReservationKind::Created {
            let (owner, key, stamp) = (owner.clone(), key.clone(), reservation.pointer.stamp);
            clustered.pointers.spawn(|pointers| async move {
                // If it fails, it is an orphan.
                let _ = pointers.remove_orphan(&owner, &key, stamp).await;
            });
        }
    }

    /// Removes the pointer of a session that does not exist, in the background. `stamp` is that of
    /// its pointer, if the call removed the session and set a fence.
    pub fn forget(&self, owner: &Owner, key: &SessionKey, stamp: Option<u64>) {
        let Self::Clustered(clustered) = self else {
            return;
        };
        let (owner, key) = (owner.clone(), key.clone());
        clustered.pointers.spawn(|pointers| async move {
            // If it fails, it is an orphan.
            let _ = match stamp {
                Some(stamp) => pointers.remove(&owner, &key, stamp).await,
                None => pointers.remove_if_orphan(&key).await,
            };
        });
    }

    /// As [`KeyLayout::forget`], for a located session.
    pub fn forget_at(&self, location: &Location, key: &SessionKey, stamp: Option<u64>) {
        if let Some(owner) = &location.owner {
            self.forget(owner, key, stamp);
        }
    }

    /// Notes the timeout that a wait of the owner has got, so that its slot is looked at in time.
    pub fn expect(&self, owner: &Owner, timeout: Option<NextTimeout>) {
        if let (Self::Clustered(clustered), Some(timeout)) = (self, timeout) {
            let after = Duration::from_millis(timeout.after_millis);
            let slot = slot_of(self.keys(owner).base().as_bytes());
            clustered.coverage.expect(slot, Instant::now(), after);
        }
    }

    /// Whether the name is that of a due index, and the key names for its checks.
    pub fn due_index(&self, name: &[u8]) -> Option<Keys> {
        let name = std::str::from_utf8(name).ok()?;
        let keys = match self {
            Self::Flat(keys) => keys.clone(),
            Self::Clustered(clustered) => {
                Keys::of_slot(clustered.pointers.namespace(), slot_of(name.as_bytes()))
            }
        };
        (keys.due() == name).then_some(keys)
    }

    /// A pattern that matches the names of an owner's keys whose kind begins with `kind`.
    pub fn pattern(&self, kind: &str) -> String {
        match self {
            Self::Flat(keys) => format!("{}{kind}*", keys.base()),
            Self::Clustered(clustered) => {
                format!("{}:{{*}}:{kind}*", clustered.pointers.namespace())
            }
        }
    }

    /// A pattern that matches the names of all keys, also of pointers.
    pub fn pattern_of_all(&self) -> String {
        match self {
            Self::Flat(_) => self.pattern(""),
            Self::Clustered(clustered) => format!("{}:*", clustered.pointers.namespace()),
        }
    }

    /// Splits the name of an owner's key into the owner's [`Keys`] and the rest, which begins with
    /// the kind.
    pub fn split_name<'n>(&self, name: &'n str) -> Option<(Keys, &'n str)> {
        match self {
            Self::Flat(keys) => Some((keys.clone(), name.strip_prefix(keys.base())?)),
            Self::Clustered(clustered) => {
                let rest = name.strip_prefix(clustered.pointers.namespace())?;
                let (tag, rest) = rest.strip_prefix(":{")?.split_once("}:")?;
                Some((Keys::tagged_as(clustered.pointers.namespace(), tag), rest))
            }
        }
    }

    /// The session key in the name of a pointer.
    pub fn pointer_key(&self, name: &[u8]) -> Option<SessionKey> {
        match self {
            Self::Flat(_) => None,
            Self::Clustered(clustered) => clustered.pointers.session_key(name),
        }
    }

    /// Finds pointers that lead to no session (C23).
    pub async fn check_pointers(
        &self,
        mode: VerifyMode,
        keys: &[SessionKey],
    ) -> SessionResult<Vec<Finding>> {
        match self {
            Self::Flat(_) => Ok(Vec::new()),
            Self::Clustered(clustered) => clustered.check.check_pointers(mode, keys).await,
        }
    }

    /// Finds sessions without a pointer (C23).
    pub async fn check_sessions(
        &self,
        mode: VerifyMode,
        sessions: &[(Keys, SessionKey)],
    ) -> SessionResult<Vec<Finding>> {
        match self {
            Self::Flat(_) => Ok(Vec::new()),
            Self::Clustered(clustered) => clustered.check.check_sessions(mode, sessions).await,
        }
    }

    /// The background sweep of pointers, where there is one.
    pub fn sweep(&self) -> Option<&Sweep> {
        match self {
            Self::Flat(_) => None,
            Self::Clustered(clustered) => clustered.sweep.as_ref(),
        }
    }
}

impl Clustered {
    fn new(config: &RedisConfig, client: &Arc<Client>) -> Self {
        let pointers = PointerStore::new(client, config);
        let sweep = |interval| Sweep::new(Sweeper::new(&pointers, interval));
        Self {
            check: PointerCheck::new(&pointers),
            sweep: config.pointer_sweep.map(sweep),
            coverage: Coverage::new(config.due_coverage, Instant::now()),
            pointers,
        }
    }
}
