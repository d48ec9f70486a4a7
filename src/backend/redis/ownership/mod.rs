//! Where the keys of each owner are, and how a session key leads there.

mod check;
pub mod holds;
pub mod pointer;
pub mod pointers;
mod settling;
pub mod sweep;

use std::sync::Arc;
use std::time::Duration;

use greentic_types::SessionKey;

use self::pointer::{Reservation, Seal, Stale};
use self::pointers::Pointers;
use super::client::Connections;
use super::config::RedisConfig;
use super::config::url::Place;
use super::script::keys::Keys;
use super::script::reply::Answer;
use crate::clock::{Timestamp, whole_millis};
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::owner::Owner;

/// Where the keys of each owner are.
pub(crate) enum Homes {
    /// All together.
    Shared(Keys),
    /// On a Cluster: each owner's in one slot, to which pointers lead.
    Tagged(Pointers),
}

/// Where a session would be.
pub(crate) struct Home {
    pub keys: Keys,
    /// Whose the session key is; none where every owner's keys are together.
    pub owner: Option<Owner>,
}

impl Homes {
    pub fn of(config: &RedisConfig, connections: &Arc<Connections>) -> Self {
        match config.reach.place {
            Place::Cluster { .. } => Self::Tagged(Pointers::new(connections, config)),
            _ => Self::Shared(Keys::new(&config.namespace)),
        }
    }

    /// The keys of an owner.
    pub fn keys(&self, owner: &Owner) -> Keys {
        match self {
            Self::Shared(keys) => keys.clone(),
            Self::Tagged(pointers) => pointers.keys(owner),
        }
    }

    /// Where the session of a key would be. None if nobody has the key.
    pub async fn locate(&self, key: &SessionKey) -> SessionResult<Option<Home>> {
        match self {
            Self::Shared(keys) => Ok(Some(Home {
                keys: keys.clone(),
                owner: None,
            })),
            Self::Tagged(pointers) => Ok(pointers.locate(key).await?.map(|owner| Home {
                keys: pointers.keys(&owner),
                owner: Some(owner),
            })),
        }
    }

    /// Matches all names that begin with `only` behind what stands before the kind.
    pub fn pattern(&self, only: &str) -> String {
        match self {
            Self::Shared(keys) => format!("{}{only}*", keys.base()),
            Self::Tagged(pointers) => format!("{}:{{*}}:{only}*", pointers.namespace()),
        }
    }

    /// Matches all names.
    pub fn pattern_of_all(&self) -> String {
        match self {
            Self::Shared(_) => self.pattern(""),
            Self::Tagged(pointers) => format!("{}:*", pointers.namespace()),
        }
    }

    /// The keys that a name is one of, and the rest of the name, which begins with its kind.
    pub fn names_of<'n>(&self, name: &'n str) -> Option<(Keys, &'n str)> {
        match self {
            Self::Shared(keys) => Some((keys.clone(), name.strip_prefix(keys.base())?)),
            Self::Tagged(pointers) => {
                let tagged = name
                    .strip_prefix(pointers.namespace())?
                    .strip_prefix(":{")?;
                let (_tag, rest) = tagged.split_once("}:")?;
                let base = &name[..name.len() - rest.len()];
                Some((Keys::of_base(base), rest))
            }
        }
    }

    /// As [`Homes::locate`]; what leads to the session lives as long as that is about to. `late` is when an
    /// earlier attempt came too late, by the clock of the session's node.
    pub async fn locate_for(
        &self,
        key: &SessionKey,
        ttl: Ttl,
        late: Option<u64>,
    ) -> SessionResult<Option<(Home, Reservation)>> {
        let Self::Tagged(pointers) = self else {
            let home = self.locate(key).await?;
            return Ok(home.map(|home| (home, Reservation::NONE)));
        };
        let found = pointers.lengthen(None, key, ttl, Duration::ZERO).await?;
        Ok(found.map(|found| {
            let reserved = Reservation {
                seal: Seal::Written(found.stamp),
                outlives: found.outlives,
                until: Some(pointers.until(late.unwrap_or(found.at))),
            };
            let keys = pointers.keys(&found.owner);
            let owner = Some(found.owner);
            (Home { keys, owner }, reserved)
        }))
    }

    /// Makes sure that no other owner gets the session key as long as the session lives. `stale` is
    /// a pointer for which the session was not there.
    pub async fn reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ttl: Ttl,
        stale: Option<Stale>,
    ) -> SessionResult<Reservation> {
        match self {
            Self::Shared(_) => Ok(Reservation::NONE),
            Self::Tagged(pointers) => pointers.reserve(owner, key, ttl, stale).await,
        }
    }

    /// How long a session with that deadline is to live, by the clock of its node: that of what leads to it
    /// may differ.
    pub async fn ttl(
        &self,
        keys: &Keys,
        key: &SessionKey,
        deadline: Option<Timestamp>,
    ) -> SessionResult<Ttl> {
        let (Self::Tagged(pointers), Some(deadline)) = (self, deadline) else {
            return Ok(Ttl(None));
        };
        let now = pointers.time_of(keys, key).await?;
        Ok(Ttl(Some(whole_millis(deadline.since(now)).max(1))))
    }

    /// Has what leads to a session live no longer than it does, in the background, if a call's
    /// `answer` tells that it may.
    pub fn settle(
        &self,
        owner: &Owner,
        key: &SessionKey,
        reserved: Reservation,
        answer: &SessionResult<Answer>,
    ) {
        if let (Self::Tagged(pointers), true) = (self, reserved.may_stay(answer)) {
            pointers.settle(owner, key, reserved.ended(answer));
        }
    }

    /// Removes what leads to a session that is not there. Without the stamp of its pointer it is seen
    /// to later.
    pub fn forget_at(&self, home: &Home, key: &SessionKey, stamp: Option<u64>) {
        if let Some(owner) = &home.owner {
            self.forget(owner, key, stamp);
        }
    }

    /// As [`Homes::forget_at`], for a known owner.
    pub fn forget(&self, owner: &Owner, key: &SessionKey, stamp: Option<u64>) {
        match (self, stamp) {
            (Self::Shared(_), _) => {}
            (Self::Tagged(pointers), Some(stamp)) => pointers.retire(owner, key, stamp),
            (Self::Tagged(pointers), None) => pointers.settle(owner, key, None),
        }
    }
}

impl Reservation {
    /// Whether the pointer may live longer than the session.
    fn may_stay(self, answer: &SessionResult<Answer>) -> bool {
        let is_written = answer.as_ref().is_ok_and(|answer| answer.status == "OK");
        self.outlives || !is_written
    }

    /// What was refused will not be written; what got no answer may be.
    fn ended(self, answer: &SessionResult<Answer>) -> Option<u64> {
        answer.is_ok().then(|| self.seal.only()).flatten()
    }
}
