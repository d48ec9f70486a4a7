//! The reads and writes of the contract's rules while a shard of owners is locked.

use std::sync::Arc;

use greentic_types::SessionKey;

use super::due::DueItem;
use super::hashing::OwnerHash;
use super::keys::{KeyHash, Keys};
use super::owners::{OwnerShard, OwnerState, Owners};
use super::routes::Route;
use super::stored::Stored;
use crate::clock::Timestamp;
use crate::error::{SessionResult, not_found};
use crate::message_id::MessageDigest;
use crate::owner::{Owner, foreign_key};
use crate::rules::{Body, Forgotten, Head, Inbox, Ledger, Remembered, RoutedPage, Start, View};
use crate::scope::ScopeDigest;
use crate::session::{NewSession, Session};

pub struct MemoryLedger<'a> {
    pub keys: &'a Keys,
    pub owners: &'a Owners,
    pub shard: &'a mut OwnerShard,
    /// The owner of the call, if it has one, with its hash.
    pub hashed_owner: Option<(&'a Owner, OwnerHash)>,
}

impl MemoryLedger<'_> {
    /// Counts those of the next `limit` routes that lead to no session, and returns the position of the
    /// last route, if there are more.
    pub fn dangling_routes(
        &self,
        owner: &Owner,
        after: Option<&Route>,
        limit: usize,
    ) -> (usize, Option<Route>) {
        let routes = self.routes_after(owner, after, limit);
        let next = routes.get(limit.saturating_sub(1)).copied();
        let leads = |route: &&Route| follow(self.keys, owner, route, |_| ()).is_none();
        (routes.iter().filter(leads).count(), next)
    }

    fn routes_after(&self, owner: &Owner, after: Option<&Route>, limit: usize) -> Vec<Route> {
        let state = self.state(owner);
        state.map_or_else(Vec::new, |state| state.routes.after(after.copied(), limit))
    }

    fn hash(&self, owner: &Owner) -> OwnerHash {
        match self.hashed_owner {
            Some((known, hash)) if known == owner => hash,
            _ => self.owners.hash(owner),
        }
    }

    /// Whether the indexes have the queues of an owner.
    pub fn schedules_inbox(&self, owner: &Owner) -> bool {
        self.shard.schedules_inbox(self.hash(owner), owner)
    }

    pub fn is_ours(&self, owner: &Owner) -> bool {
        self.owners.index(self.hash(owner)) == self.shard.index
    }

    fn state(&self, owner: &Owner) -> Option<&OwnerState> {
        self.shard.get(self.hash(owner), owner)
    }

    /// Whether the list of the owner contains the wait of this session.
    pub fn lists(&self, key: &SessionKey, head: &Head) -> bool {
        let route = route_of(self.keys.hash(key), head);
        let state = self.state(&head.owner);
        state
            .zip(route)
            .is_some_and(|(state, route)| state.routes.has(route))
    }

    fn followed(&self, owner: &Owner, route: &Route) -> Option<(SessionKey, Head)> {
        let read = |stored: &Stored| (stored.session.key.clone(), stored.head());
        follow(self.keys, owner, route, read)
    }

    fn index(&mut self, hash: KeyHash, old: Option<&Head>, new: &Head) {
        let before = old.and_then(|head| head.deadline);
        self.shard.reschedule_session(hash, before, new.deadline);
        self.reschedule_due(hash, old.and_then(Head::due_at), new.due_at());
        if old.and_then(position) == position(new) {
            return;
        }
        let old = old.and_then(|old| route_of(hash, old));
        let Some((scope, order)) = position(new) else {
            return self.unroute(&new.owner, old);
        };
        let owner = self.hash(&new.owner);
        let routes = &mut self.shard.get_or_insert(owner, &new.owner).routes;
        if let Some(old) = old {
            routes.remove(old);
        }
        routes.insert(Route { order, key: hash }, scope, |other| {
            follow(self.keys, &new.owner, other, Stored::scope)?
        });
    }

    fn reschedule_due(
        &mut self,
        hash: KeyHash,
        before: Option<Timestamp>,
        after: Option<Timestamp>,
    ) {
        if before != after {
            let item = DueItem::Wait(hash);
            self.shard.due.reschedule(item, before, after);
            self.owners.publish_due(self.shard);
        }
    }

    fn unroute(&mut self, owner: &Owner, route: Option<Route>) {
        if let Some(route) = route {
            let hash = self.hash(owner);
            self.shard
                .change(hash, owner, |state| state.routes.remove(route));
        }
    }
}

/// Passes the session that a route leads to to `read`.
fn follow<R>(
    keys: &Keys,
    owner: &Owner,
    route: &Route,
    read: impl FnOnce(&Stored) -> R,
) -> Option<R> {
    let is_meant = |stored: &Stored| stored.order() == Some(route.order) && stored.owner() == owner;
    keys.read_hashed(route.key, is_meant, read)
}

fn route_of(key: KeyHash, head: &Head) -> Option<Route> {
    let order = head.order()?;
    Some(Route { order, key })
}

fn position(head: &Head) -> Option<(ScopeDigest, u64)> {
    head.routed_wait().map(|wait| (wait.scope, wait.order))
}

impl View for MemoryLedger<'_> {
    type Position = Route;

    /// A session of another shard is returned without its deadline, because it must not be swept under
    /// this shard's lock. If it had expired, the store has removed it before.
    fn head(&self, key: &SessionKey) -> SessionResult<Option<Head>> {
        let mut head = self.keys.read(key, Stored::head);
        if let Some(head) = head.as_mut().filter(|head| !self.is_ours(&head.owner)) {
            head.deadline = None;
        }
        Ok(head)
    }

    fn session(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        Ok(self.keys.read(key, |stored| Arc::clone(&stored.session)))
    }

    fn routed(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
        except: Option<&SessionKey>,
    ) -> SessionResult<Option<(SessionKey, Head)>> {
        let state = self.state(owner);
        let Some(route) = state.and_then(|state| state.routes.find(scope)) else {
            return Ok(None);
        };
        let if_waiting = |stored: &Stored| {
            let waits = stored.scope().as_ref() == Some(scope);
            let key = &stored.session.key;
            (waits && except != Some(key)).then(|| (key.clone(), stored.head()))
        };
        Ok(follow(self.keys, owner, route, if_waiting).flatten())
    }

    fn routed_after(
        &self,
        owner: &Owner,
        after: Option<&Route>,
        limit: usize,
    ) -> SessionResult<RoutedPage<Route>> {
        let routes = self.routes_after(owner, after, limit);
        let followed = routes.iter().map(|route| self.followed(owner, route));
        Ok(RoutedPage {
            sessions: followed.flatten().collect(),
            next: routes.get(limit.saturating_sub(1)).copied(),
        })
    }

    fn start(&self, owner: &Owner, scope: &ScopeDigest) -> SessionResult<Option<Start>> {
        let state = self.state(owner);
        Ok(state.and_then(|state| state.start(scope).cloned()))
    }

    fn wait_count(&self, owner: &Owner) -> SessionResult<usize> {
        Ok(self.state(owner).map_or(0, OwnerState::wait_count))
    }

    fn latest_created(&self, owner: &Owner) -> SessionResult<Option<SessionKey>> {
        let state = self.state(owner);
        Ok(state.and_then(|state| state.latest_created.as_deref().cloned()))
    }

    fn remembered(
        &self,
        owner: &Owner,
        message: &MessageDigest,
    ) -> SessionResult<Option<Remembered>> {
        let state = self.state(owner);
        Ok(state.and_then(|state| state.remembered(message).cloned()))
    }

    fn messages(&self, owner: &Owner) -> SessionResult<Vec<Remembered>> {
        let state = self.state(owner).into_iter();
        Ok(state.flat_map(OwnerState::messages).cloned().collect())
    }

    fn has_inbox(&self, owner: &Owner) -> SessionResult<bool> {
        let state = || self.state(owner).and_then(OwnerState::inbox);
        Ok(self.shard.has_inboxes() && state().is_some())
    }

    fn inbox(&self, owner: &Owner) -> SessionResult<Option<Inbox>> {
        // Most stores have no queues, and need no look-up.
        if !self.shard.has_inboxes() {
            return Ok(None);
        }
        Ok(self.state(owner).and_then(OwnerState::inbox).cloned())
    }

    fn body(&self, owner: &Owner, number: u64) -> SessionResult<Option<Arc<[u8]>>> {
        let state = self.state(owner);
        Ok(state.and_then(|state| state.body(number).cloned()))
    }
}

impl Ledger for MemoryLedger<'_> {
    fn put(&mut self, session: NewSession, old: Option<&Head>, new: Head) -> SessionResult<()> {
        let hash = self.keys.hash(session.key());
        let session = session.stored(new.revision, new.deadline);
        if old.is_none() {
            if !self.keys.insert(hash, Stored::new(session, new.clone())) {
                return Err(foreign_key());
            }
        } else {
            let mut replaced = None;
            let changed = self.keys.change(hash, &session.key, |stored| {
                stored.set_head(new.clone());
                let fresh = Arc::clone(&session);
                replaced = Some(std::mem::replace(&mut stored.session, fresh));
            });
            // The old data is dropped here, outside the lock of its key.
            drop(replaced);
            if !changed {
                return Err(not_found(&session.key));
            }
        }
        self.index(hash, old, &new);
        Ok(())
    }

    fn put_head(&mut self, key: &SessionKey, old: &Head, new: Head) -> SessionResult<()> {
        let hash = self.keys.hash(key);
        let mut replaced = None;
        let changed = self.keys.change(hash, key, |stored| {
            stored.set_head(new.clone());
            let moved = stored.with_deadline(new.deadline);
            replaced = moved.map(|session| std::mem::replace(&mut stored.session, session));
        });
        drop(replaced);
        if !changed {
            return Err(not_found(key));
        }
        self.index(hash, Some(old), &new);
        Ok(())
    }

    fn delete(&mut self, key: &SessionKey, head: &Head) -> SessionResult<()> {
        let hash = self.keys.hash(key);
        drop(self.keys.remove(hash, key));
        self.shard.reschedule_session(hash, head.deadline, None);
        self.reschedule_due(hash, head.due_at(), None);
        self.unroute(&head.owner, route_of(hash, head));
        Ok(())
    }

    fn set_start(
        &mut self,
        owner: &Owner,
        scope: &ScopeDigest,
        start: Option<Start>,
    ) -> SessionResult<()> {
        let hash = self.hash(owner);
        self.shard.set_start(hash, owner, scope, start);
        Ok(())
    }

    fn drop_starts(&mut self, owner: &Owner, limit: usize) -> SessionResult<usize> {
        let hash = self.hash(owner);
        Ok(self.shard.drop_starts(hash, owner, limit))
    }

    fn set_latest_created(&mut self, owner: &Owner, key: Option<&SessionKey>) -> SessionResult<()> {
        let hash = self.hash(owner);
        match key {
            Some(key) => {
                let state = self.shard.get_or_insert(hash, owner);
                state.latest_created = Some(Box::new(key.clone()));
            }
            None => self
                .shard
                .change(hash, owner, |state| state.latest_created = None),
        }
        Ok(())
    }

    fn forget_latest_created(&mut self, owner: &Owner, key: &SessionKey) -> SessionResult<()> {
        let hash = self.hash(owner);
        let state = self.shard.get(hash, owner);
        let latest = state.and_then(|state| state.latest_created.as_deref());
        if latest == Some(key) {
            self.set_latest_created(owner, None)?;
        }
        Ok(())
    }

    fn next_number(&mut self, _owner: &Owner, now: Timestamp) -> SessionResult<u64> {
        Ok(self.shard.next_number(now))
    }

    fn skip_numbers(&mut self, number: u64) {
        self.shard.skip_numbers(number);
    }

    fn forget_messages(&mut self, owner: &Owner, limit: usize) -> SessionResult<Forgotten> {
        let hash = self.hash(owner);
        let messages = self.shard.forget_messages(hash, owner, limit);
        Ok(Forgotten {
            is_last: messages.len() < limit,
            messages,
        })
    }

    fn put_inbox(&mut self, owner: &Owner, inbox: Inbox, added: Vec<Body>) -> SessionResult<()> {
        let hash = self.hash(owner);
        self.shard.put_inbox(hash, owner, inbox, added);
        self.owners.publish_due(self.shard);
        Ok(())
    }

    fn drop_inbox(&mut self, owner: &Owner) -> SessionResult<()> {
        self.put_inbox(owner, Inbox::default(), Vec::new())
    }

    fn remember(
        &mut self,
        owner: &Owner,
        message: Remembered,
        since: Timestamp,
        limit: usize,
        now: Timestamp,
    ) -> SessionResult<()> {
        let hash = self.hash(owner);
        self.shard.remember(hash, owner, message, since, limit, now);
        Ok(())
    }
}
