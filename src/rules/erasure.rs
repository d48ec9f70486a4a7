//! The erasure of an owner, in bounded steps (C22).

use greentic_types::SessionKey;

use super::{Ledger, Remembered, delete_session};
use crate::clock::Timestamp;
use crate::error::{ErrorCode, SessionResult};
use crate::owner::Owner;
use crate::request;

/// How many sessions or messages one step erases.
const STEP: usize = 64;

/// The number of live sessions, remembered messages and queued messages of an owner that were erased.
#[derive(Clone, Copy, Default)]
pub(crate) struct Erased {
    pub sessions: u64,
    pub messages: u64,
    /// Messages of queues, dead letters included.
    pub queued: u64,
}

/// Messages that an owner's erasure has forgotten.
pub(crate) struct Forgotten {
    /// Those that could be read.
    pub messages: Vec<Remembered>,
    /// Whether the owner has no others.
    pub is_last: bool,
}

/// The erasure of one owner: first the start claims and queues, then the sessions that the caller knows, then
/// those that wait, and the messages last. A claim does not prevent it.
pub(crate) struct Erasure<P> {
    pub erased: Erased,
    owner: Owner,
    keys: Vec<SessionKey>,
    /// The position in the owner's routes; none once all were visited.
    routes: Option<Option<P>>,
}

impl<P: Clone> Erasure<P> {
    pub fn new(owner: Owner, request: request::EraseOwner) -> Self {
        Self {
            erased: Erased::default(),
            owner,
            keys: request.keys,
            routes: Some(None),
        }
    }

    /// Makes one step, which is atomic. Returns true if it was the last. What is left of the owner is
    /// often no more than one step.
    pub fn step<L>(&mut self, ledger: &mut L, now: Timestamp) -> SessionResult<bool>
    where
        L: Ledger<Position = P>,
    {
        // First, so that no worker stores a session behind the erasure.
        let mut left = STEP - ledger.drop_starts(&self.owner, STEP)?;
        left -= self.erase_queues(ledger, now, left)?;
        let keys = self.keys.split_off(self.keys.len().saturating_sub(left));
        for key in &keys {
            self.erase_session(ledger, now, key)?;
        }
        left -= keys.len();
        if left == 0 {
            return Ok(false);
        }
        if let Some(after) = self.routes.take() {
            let page = ledger.routed_after(&self.owner, after.as_ref(), left)?;
            for (key, _) in &page.sessions {
                self.erase_session(ledger, now, key)?;
            }
            self.routes = page.next.map(Some);
            left -= page.sessions.len();
            if left == 0 || self.routes.is_some() {
                return Ok(false);
            }
        }
        self.erase_look_up(ledger)?;
        let forgotten = ledger.forget_messages(&self.owner, left)?;
        let live = forgotten.messages.iter().filter(|known| now < known.until);
        self.erased.messages += live.count() as u64;
        Ok(forgotten.is_last)
    }

    /// Removes some messages of the queues, and returns how many.
    fn erase_queues<L: Ledger>(
        &mut self,
        ledger: &mut L,
        now: Timestamp,
        limit: usize,
    ) -> SessionResult<usize> {
        let mut inbox = match ledger.inbox(&self.owner) {
            Ok(Some(inbox)) => inbox,
            Ok(None) => return Ok(0),
            // An erasure removes also what it cannot read, and does not count it.
            Err(error) if error.code == ErrorCode::Internal => {
                return ledger.drop_inbox(&self.owner).map(|()| 0);
            }
            Err(error) => return Err(error),
        };
        inbox.drop_ended(now);
        let dropped = inbox.drop_some(limit);
        self.erased.queued += dropped as u64;
        ledger.put_inbox(&self.owner, inbox, Vec::new())?;
        Ok(dropped)
    }

    fn erase_session<L: Ledger>(
        &mut self,
        ledger: &mut L,
        now: Timestamp,
        key: &SessionKey,
    ) -> SessionResult<()> {
        let Some(head) = ledger.head(key)?.filter(|head| head.owner == self.owner) else {
            return Ok(());
        };
        delete_session(ledger, key, &head)?;
        self.erased.sessions += u64::from(head.is_live(now));
        Ok(())
    }

    /// Clears a look-up that leads to no session of the owner. The look-up of a session goes with it.
    fn erase_look_up<L: Ledger>(&self, ledger: &mut L) -> SessionResult<()> {
        let Some(key) = ledger.latest_created(&self.owner)? else {
            return Ok(());
        };
        match ledger.head(&key)? {
            Some(head) if head.owner == self.owner => Ok(()),
            _ => ledger.set_latest_created(&self.owner, None),
        }
    }
}
