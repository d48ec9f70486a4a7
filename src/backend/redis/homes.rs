//! Where the keys of each owner are, and how a session key leads there.

use std::sync::Arc;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use tokio::sync::oneshot;

use super::config::RedisConfig;
use super::connection::Connections;
use super::keys::Keys;
use super::pointers::{Pointers, Seal};
use super::reply::Answer;
use super::url::Place;
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::owner::Owner;

/// Where the keys of each owner are.
pub(super) enum Homes {
    /// All together.
    Shared(Keys),
    /// On a Cluster: each owner's in one slot, to which pointers lead.
    Tagged(Pointers),
}

/// Where a session would be.
pub(super) struct Home {
    pub keys: Keys,
    /// Whose the session key is; none where every owner's keys are together.
    pub owner: Option<Owner>,
}

/// A session's lifetime that is being given to its pointer.
type Extension = Option<oneshot::Receiver<SessionResult<bool>>>;

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

    /// Makes sure that no other owner gets the session key meanwhile. `stale` is a seal for which
    /// the session was not there.
    pub async fn reserve(
        &self,
        owner: &Owner,
        key: &SessionKey,
        stale: Option<Seal>,
    ) -> SessionResult<Seal> {
        match self {
            Self::Shared(_) => Ok(Seal::None),
            Self::Tagged(pointers) => {
                let stale = stale.and_then(Seal::stamp);
                pointers.reserve(owner, key, stale).await
            }
        }
    }

    /// As [`Homes::reserve`], with a seal of the call's own.
    pub async fn reserve_anew(&self, owner: &Owner, key: &SessionKey) -> SessionResult<Seal> {
        match self.reserve(owner, key, None).await? {
            found @ Seal::Found(_) => self.reserve(owner, key, Some(found)).await,
            seal => Ok(seal),
        }
    }

    /// Has what leads to a session live as long as it does, after the call of this seal.
    pub async fn settle(&self, owner: &Owner, key: &SessionKey, seal: Seal) -> SessionResult<()> {
        match self {
            Self::Shared(_) => Ok(()),
            Self::Tagged(pointers) => pointers.settle_now(owner, key, seal.stamp()).await,
        }
    }

    /// Begins to give a pointer the lifetime of the session that is about to be written.
    pub fn extend(
        &self,
        owner: &Owner,
        key: &SessionKey,
        seal: Seal,
        ttl: Ttl,
    ) -> SessionResult<Extension> {
        match self {
            Self::Shared(_) => Ok(None),
            Self::Tagged(pointers) => pointers.extend(owner, key, seal, ttl).map(Some),
        }
    }

    /// Waits for the end of that; `answer` is what came of the session.
    ///
    /// # Errors
    /// `Timeout` if the session was written and its pointer may end too early.
    pub async fn extended(
        &self,
        owner: &Owner,
        key: &SessionKey,
        seal: Seal,
        extension: Extension,
        answer: &SessionResult<Answer>,
    ) -> SessionResult<()> {
        let (Some(extension), Self::Tagged(pointers)) = (extension, self) else {
            return Ok(());
        };
        let is_written = answer.as_ref().is_ok_and(|answer| answer.status == "OK");
        let kept = extension.await.unwrap_or_else(|_| Err(not_kept()));
        match (is_written, kept) {
            (true, Ok(false)) => Ok(()),
            (true, Ok(true)) => {
                pointers.settle(owner, key, None);
                Ok(())
            }
            (true, Err(error)) => {
                pointers.settle(owner, key, None);
                let message = format!("the session is written, its pointer not: {}", error.message);
                Err(GreenticError::new(ErrorCode::Timeout, message))
            }
            (false, _) => {
                // What was refused will not be written; what got no answer may be.
                let ended = answer.is_ok().then(|| seal.stamp()).flatten();
                pointers.settle(owner, key, ended);
                Ok(())
            }
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

fn not_kept() -> GreenticError {
    GreenticError::new(ErrorCode::Timeout, "the I/O threads have ended")
}
