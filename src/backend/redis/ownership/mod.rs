//! The location of an owner's keys, and the way from a session key to its owner.

mod check;
pub mod claim_extension;
pub mod pointer;
pub mod pointer_store;
pub mod settle;
pub mod sweep;

use std::sync::Arc;
use std::time::Duration;

use greentic_types::SessionKey;

use self::check::PointerCheck;
use self::claim_extension::ClaimExtensions;
use self::pointer::{FencedPointer, Reservation, ReservationKind};
use self::pointer_store::PointerStore;
use self::settle::Settler;
use self::sweep::{Sweep, Sweeper};
use super::client::Client;
use super::config::RedisConfig;
use super::config::url::Deployment;
use super::script::keys::Keys;
use super::script::reply::Answer;
use super::script::status::Status;
use crate::admin::{Finding, VerifyMode};
use crate::claim::ClaimToken;
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::TtlMillis;
use crate::owner::Owner;

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
    pub settler: Settler,
    pub extensions: ClaimExtensions,
    check: PointerCheck,
    sweep: Option<Sweep>,
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

    /// As [`KeyLayout::locate`], for a call that is about to give the session that TTL.
    /// `refused_at` is the instant at which the owner's node refused an earlier attempt, in
    /// microseconds.
    pub async fn locate_and_extend(
        &self,
        key: &SessionKey,
        ttl: TtlMillis,
        refused_at: Option<u64>,
    ) -> SessionResult<Option<(Location, Option<Reservation>)>> {
        let Self::Clustered(clustered) = self else {
            let location = self.locate(key).await?;
            return Ok(location.map(|location| (location, None)));
        };
        let pointers = &clustered.pointers;
        let extended = pointers.extend(None, key, ttl, Duration::ZERO).await?;
        Ok(extended.map(|extended| {
            let from = refused_at.unwrap_or(extended.extended_at);
            let reservation = Reservation {
                // The script then checks for a fence, and not for the stamp in the record.
                kind: ReservationKind::Created,
                stamp: extended.stamp,
                write_deadline: pointers.write_deadline(from),
                outlives: extended.outlives,
            };
            let location = Location {
                keys: pointers.keys(&extended.owner),
                owner: Some(extended.owner),
            };
            (location, Some(reservation))
        }))
    }

    /// Reserves a session key for an owner: no other owner gets it while the session lives (C4).
    /// None in the flat layout, where the script of the write checks that. `fenced` is a pointer to
    /// replace.
    pub async fn reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: TtlMillis,
        fenced: Option<FencedPointer>,
    ) -> SessionResult<Option<Reservation>> {
        let Self::Clustered(clustered) = self else {
            return Ok(None);
        };
        let reservation = clustered.pointers.reserve(owner, key, ttl, fenced).await?;
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

    /// Settles the pointer of a reservation after its write, if it may outlive the session.
    pub fn settle(
        &self,
        owner: &Owner,
        key: &SessionKey,
        reservation: Option<Reservation>,
        answer: &SessionResult<Answer>,
    ) {
        let (Self::Clustered(clustered), Some(reservation)) = (self, reservation) else {
            return;
        };
        let is_written = answer
            .as_ref()
            .is_ok_and(|answer| answer.status == Status::Ok);
        if reservation.outlives || !is_written {
            // A write that was answered cannot come later; one without an answer can.
            let settled = answer.is_ok().then(|| reservation.exclusive_stamp());
            clustered.settler.settle(owner, key, settled.flatten());
        }
    }

    /// Removes the pointer of a session that does not exist. `stamp` is that of its pointer, if the
    /// call that removed the session knows it; otherwise the pointer is settled.
    pub fn forget(&self, owner: &Owner, key: &SessionKey, stamp: Option<u64>) {
        match (self, stamp) {
            (Self::Flat(_), _) => {}
            (Self::Clustered(clustered), Some(stamp)) => {
                clustered.settler.remove(owner, key, stamp);
            }
            (Self::Clustered(clustered), None) => clustered.settler.settle(owner, key, None),
        }
    }

    /// As [`KeyLayout::forget`], for a located session.
    pub fn forget_at(&self, location: &Location, key: &SessionKey, stamp: Option<u64>) {
        if let Some(owner) = &location.owner {
            self.forget(owner, key, stamp);
        }
    }

    /// Extends the pointer of a claimed session in the background; see [`ClaimExtensions::begin`].
    /// `ttl` is that of the session when it began to wait; a session without one needs nothing.
    pub fn begin_claim(
        &self,
        token: &ClaimToken,
        ttl: Option<Duration>,
        lease: Duration,
        until: Timestamp,
    ) {
        if let (Self::Clustered(clustered), Some(ttl)) = (self, ttl) {
            clustered.extensions.begin(token, ttl, lease, until);
        }
    }

    /// See [`ClaimExtensions::renew`].
    pub fn renew_claim(&self, token: &ClaimToken, lease: Duration, until: Timestamp) {
        if let Self::Clustered(clustered) = self {
            clustered.extensions.renew(token, lease, until);
        }
    }

    /// See [`ClaimExtensions::release`].
    pub fn release_claim(&self, token: &ClaimToken) {
        if let Self::Clustered(clustered) = self {
            clustered.extensions.release(token);
        }
    }

    /// Forgets a claim whose commit removed the session, and removes the pointer of that stamp.
    pub fn finish_claim(&self, token: &ClaimToken, stamp: Option<u64>) {
        if let Self::Clustered(clustered) = self {
            clustered.extensions.forget(token.secret);
        }
        self.forget(&token.owner, &token.key, stamp);
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
                let (_tag, rest) = rest.strip_prefix(":{")?.split_once("}:")?;
                let base = &name[..name.len() - rest.len()];
                Some((Keys::of_base(base), rest))
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
        let settler = Settler::new(&pointers);
        let sweep = |interval| Sweep::new(Sweeper::new(&pointers, interval));
        Self {
            extensions: ClaimExtensions::new(&pointers, &settler),
            check: PointerCheck::new(&pointers, &settler),
            sweep: config.pointer_sweep.map(sweep),
            settler,
            pointers,
        }
    }
}
