//! How pointers come to live as long as their sessions again, in the background.

use std::time::Duration;

use greentic_types::SessionKey;
use tokio::time::sleep;

use super::pointer::{self, Pointer};
use super::pointers::{LATEST, Pointers, number, text};
use crate::backend::redis::script::registry;
use crate::backend::redis::transport::backoff::pause;
use crate::clock::whole_millis;
use crate::error::SessionResult;
use crate::options::Ttl;
use crate::owner::Owner;

/// How often the background looks whether a pointer and its session have come to rest, at most. After
/// each look it may wait twice as long, so that they are few also while a long lease runs.
const ROUNDS: u32 = 16;

/// What is known of a pointer from look to look.
#[derive(Default)]
struct Known {
    /// The stamp of one for which no call is to write a session any more.
    ended: Option<u64>,
    /// When a call was about to write the session, as it was seen first. Once another call is, the
    /// rest is up to that.
    awaited: Option<u64>,
    /// What the last call for a claim left there, which is over.
    over: Option<u64>,
}

impl Pointers {
    /// Removes the pointer of a session that is gone, and was fenced off with the step that removed it.
    pub fn retire(&self, owner: &Owner, key: &SessionKey, stamp: u64) {
        let (pointers, owner, key) = (self.clone(), owner.clone(), key.clone());
        self.in_background(async move {
            let answer = pointers.remove(&owner, &key, stamp).await;
            // A call is under way that brings the key again, or was.
            if answer.is_err() || answer.is_ok_and(|answer| answer == "OTHER") {
                pointers.come_to_rest(&owner, &key, Known::default()).await;
            }
        });
    }

    /// Has the pointer live as long as its session. `ended` is the stamp of a pointer for which no call
    /// is to write a session any more.
    pub fn settle(&self, owner: &Owner, key: &SessionKey, ended: Option<u64>) {
        let (pointers, owner, key) = (self.clone(), owner.clone(), key.clone());
        let known = Known {
            ended,
            ..Known::default()
        };
        self.in_background(async move { pointers.come_to_rest(&owner, &key, known).await });
    }

    /// As [`Pointers::settle`], for a claim that is over; `over` is what its last call left as
    /// `awaited`.
    pub fn settle_claim(
        &self,
        owner: &Owner,
        key: &SessionKey,
        over: impl Future<Output = Option<u64>> + Send + 'static,
    ) {
        let (pointers, owner, key) = (self.clone(), owner.clone(), key.clone());
        self.in_background(async move {
            let over = over.await;
            let known = Known {
                ended: None,
                awaited: over,
                over,
            };
            // Calls that told that they are about to write before the claim have ended by then. In a
            // chat the next claim has come, and this is all.
            sleep(pointers.quiet()).await;
            pointers.come_to_rest(&owner, &key, known).await;
        });
    }

    pub fn in_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Ok(runtime) = self.connections.runtime() {
            runtime.spawn(task);
        }
    }

    /// A call that told that it is about to write a session has ended after that time, also one of a
    /// store with other settings.
    fn quiet(&self) -> Duration {
        (self.longest_write() * 2).max(LATEST + LATEST / 5)
    }

    async fn come_to_rest(&self, owner: &Owner, key: &SessionKey, mut known: Known) {
        let mut longest = self.quiet();
        for round in 1..=ROUNDS {
            // Boxed: many sleep here, and none needs the room of a look meanwhile.
            match Box::pin(self.adjust(owner, key, &mut known)).await {
                Ok(None) => return,
                Ok(Some(wait)) => {
                    sleep(wait.min(longest)).await;
                    longest *= 2;
                }
                Err(_) => sleep(pause(round)).await,
            }
        }
    }

    /// One look at pointer and session; how long to wait before the next, if it takes one.
    async fn adjust(
        &self,
        owner: &Owner,
        key: &SessionKey,
        known: &mut Known,
    ) -> SessionResult<Option<Duration>> {
        let Some(found) = self.read(key).await?.filter(|found| found.owner == *owner) else {
            return Ok(None);
        };
        let is_first = known.awaited.is_none();
        if *known.awaited.get_or_insert(found.awaited) != found.awaited {
            return Ok(None);
        }
        match self.life_of_session(owner, key).await? {
            None if known.ended == Some(found.stamp) => {
                self.clear_away(owner, key, found.stamp).await?;
            }
            None if self.ends_soon(key).await? => {}
            // Time for the call that is about to write the session: the fence would make it begin anew.
            // And for one that gave the session an earlier deadline, and needs no fence.
            None if is_first => return Ok(Some(self.quiet())),
            None => {
                self.clear_away(owner, key, found.stamp).await?;
            }
            // The session was looked at within the time of a write, so a call that was about to write
            // it must have ended before that.
            Some(life) => {
                known.ended = Some(found.stamp);
                return self.keep(owner, key, &found, life, known.over).await;
            }
        }
        Ok(None)
    }

    /// Gives a pointer the lifetime that its session was seen to have; none is for ever. Tells how long
    /// to wait if a call may be about to write the session.
    pub async fn keep(
        &self,
        owner: &Owner,
        key: &SessionKey,
        found: &Pointer,
        life: Option<Duration>,
        over: Option<u64>,
    ) -> SessionResult<Option<Duration>> {
        let ttl = Ttl(life.map(whole_millis));
        let args = [
            owner.as_str().to_owned(),
            found.stamp.to_string(),
            pointer::life(ttl, self.longest_write()),
            whole_millis(self.quiet()).to_string(),
            over.map_or_else(String::new, |over| over.to_string()),
        ];
        let answer = self.run(&registry::SET_POINTER_EXPIRY, key, &args).await?;
        if text(&answer, 0)? != "WAIT" {
            return Ok(None);
        }
        number(&answer, 1).map(|wait| Some(Duration::from_millis(wait)))
    }

    /// Whether a pointer goes by itself.
    async fn ends_soon(&self, key: &SessionKey) -> SessionResult<bool> {
        let found = self.inspect(key).await?;
        Ok(found.is_none_or(|found| found.ends_within(self.longest_write())))
    }
}
