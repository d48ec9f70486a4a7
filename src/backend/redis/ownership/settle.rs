//! Settling of pointers in the background, until their expiry fits their sessions.

use std::future::Future;
use std::time::Duration;

use greentic_types::SessionKey;
use tokio::time::sleep;

use super::pointer_store::{MAX_WRITE_TIME, PointerStore, Removal};
use crate::backend::redis::transport::backoff::pause;
use crate::error::SessionResult;
use crate::owner::Owner;

/// How often a task looks at a pointer and its session, at most. The longest pause doubles after
/// each look, so the looks are few also while a long lease runs.
const MAX_LOOKS: u32 = 16;

/// Settles pointers, each in a background task. Cheap to clone.
#[derive(Clone)]
pub struct Settler {
    pointers: PointerStore,
}

/// What a task knows of a pointer from look to look.
#[derive(Default)]
struct Known {
    /// The stamp of a pointer for which no call can write a session any more.
    settled_stamp: Option<u64>,
    /// `awaited` at the first look. Once it has another value, a later call is responsible.
    awaited: Option<u64>,
    /// The value of `awaited` that a claim wrote which is over.
    ended: Option<u64>,
}

impl Settler {
    pub fn new(pointers: &PointerStore) -> Self {
        Self {
            pointers: pointers.clone(),
        }
    }

    /// Removes the pointer of a session that was removed and fenced in one step.
    pub fn remove(&self, owner: &Owner, key: &SessionKey, stamp: u64) {
        let (this, owner, key) = (self.clone(), owner.clone(), key.clone());
        self.spawn(async move {
            let removal = this.pointers.remove(&owner, &key, stamp).await;
            // With another stamp, a call reserved the key again, or had reserved it before.
            if removal.is_err() || removal.is_ok_and(|removal| removal == Removal::OtherStamp) {
                this.settle_pointer(&owner, &key, Known::default()).await;
            }
        });
    }

    /// Settles a pointer. `settled_stamp` is the stamp of a pointer for which no call can write a
    /// session any more.
    pub fn settle(&self, owner: &Owner, key: &SessionKey, settled_stamp: Option<u64>) {
        let (this, owner, key) = (self.clone(), owner.clone(), key.clone());
        let known = Known {
            settled_stamp,
            ..Known::default()
        };
        self.spawn(async move { this.settle_pointer(&owner, &key, known).await });
    }

    /// Settles a pointer after a claim. `ended` is the value of `awaited` that the claim wrote.
    pub fn settle_after_claim(
        &self,
        owner: &Owner,
        key: &SessionKey,
        ended: impl Future<Output = Option<u64>> + Send + 'static,
    ) {
        let (this, owner, key) = (self.clone(), owner.clone(), key.clone());
        self.spawn(async move {
            let ended = ended.await;
            let known = Known {
                settled_stamp: None,
                awaited: ended,
                ended,
            };
            // Writes that were announced before the claim have ended then. In a conversation the
            // next claim has changed `awaited` by then, and the first look is the last.
            sleep(this.quiet_period()).await;
            this.settle_pointer(&owner, &key, known).await;
        });
    }

    /// Starts a background task; does nothing if the I/O threads did not start.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = self.pointers.client().runtime() {
            runtime.spawn(task);
        }
    }

    /// The time after which a call that announced a write has ended, also in a store with other
    /// settings.
    pub fn quiet_period(&self) -> Duration {
        (self.pointers.write_time() * 2).max(MAX_WRITE_TIME + MAX_WRITE_TIME / 5)
    }

    async fn settle_pointer(&self, owner: &Owner, key: &SessionKey, mut known: Known) {
        let mut longest_pause = self.quiet_period();
        for look in 1..=MAX_LOOKS {
            // Boxed, because many tasks sleep here, and none needs the memory of a look meanwhile.
            match Box::pin(self.look(owner, key, &mut known)).await {
                Ok(None) => return,
                Ok(Some(wait)) => {
                    sleep(wait.min(longest_pause)).await;
                    longest_pause *= 2;
                }
                Err(_) => sleep(pause(look)).await,
            }
        }
    }

    /// Looks at pointer and session once. Returns how long to wait before the next look; none if it
    /// was the last.
    async fn look(
        &self,
        owner: &Owner,
        key: &SessionKey,
        known: &mut Known,
    ) -> SessionResult<Option<Duration>> {
        let pointers = &self.pointers;
        let found = pointers.read(key).await?;
        let Some(found) = found.filter(|found| found.owner == *owner) else {
            return Ok(None);
        };
        let is_first = known.awaited.is_none();
        if *known.awaited.get_or_insert(found.awaited) != found.awaited {
            return Ok(None);
        }
        match pointers.session_ttl(owner, key).await? {
            None if known.settled_stamp == Some(found.stamp) => {
                pointers.remove_orphan(owner, key, found.stamp).await?;
            }
            None if self.expires_soon(key).await? => {}
            // A fence would refuse a call that is about to write the session. And the pointer of a
            // session that got an earlier deadline may expire meanwhile, without a fence.
            None if is_first => return Ok(Some(self.quiet_period())),
            None => {
                pointers.remove_orphan(owner, key, found.stamp).await?;
            }
            Some(session) => {
                // A call that announced a write before this look has ended before the next one.
                known.settled_stamp = Some(found.stamp);
                let quiet_period = self.quiet_period();
                return pointers
                    .set_expiry(&found, key, session, quiet_period, known.ended)
                    .await;
            }
        }
        Ok(None)
    }

    async fn expires_soon(&self, key: &SessionKey) -> SessionResult<bool> {
        let found = self.pointers.inspect(key).await?;
        Ok(found.is_none_or(|found| found.expires_within(self.pointers.write_time())))
    }
}
