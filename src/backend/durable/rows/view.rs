//! The reads of the contract's rules, over any [`Rows`].

use std::sync::Arc;

use greentic_types::SessionKey;

use super::Rows;
use super::lookup::{
    body, inbox, leads_to, message, oldest_messages, owner_state, reply, route, session_of, start,
};
use crate::backend::durable::format::{
    Table, decode_head, decode_session_key, owner_key, route_key, unseal,
};
use crate::error::SessionResult;
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::payload;
use crate::rules::{Head, Inbox, Remembered, RoutedPage, Start, View};
use crate::scope::ScopeDigest;
use crate::session::Session;

/// Reads the head of a session; `None` also if it cannot be decoded.
fn readable_head<R: Rows>(rows: &R, key: &SessionKey) -> SessionResult<Option<Head>> {
    let bytes = key.as_str().as_bytes();
    let head = rows.get(Table::Sessions, bytes, |value| {
        Ok(unseal(bytes, value).and_then(decode_head).ok())
    });
    head.map(Option::flatten)
}

impl<R: Rows> View for R {
    /// The key of a row of `routes`.
    type Position = Vec<u8>;

    fn head(&self, key: &SessionKey) -> SessionResult<Option<Head>> {
        let bytes = key.as_str().as_bytes();
        self.get(Table::Sessions, bytes, |value| {
            unseal(bytes, value)
                .and_then(decode_head)
                .map_err(|damage| payload::unreadable(key, damage.0))
        })
    }

    fn session(&self, key: &SessionKey) -> SessionResult<Option<Arc<Session>>> {
        let head = self.head(key)?;
        head.map(|head| session_of(self, key, &head)).transpose()
    }

    /// A route whose session does not wait on the scope is ignored.
    fn routed(
        &self,
        owner: &Owner,
        scope: &ScopeDigest,
        except: Option<&SessionKey>,
    ) -> SessionResult<Option<(SessionKey, Head)>> {
        let routed = route(self, owner, scope)?.filter(|key| except != Some(key));
        let Some(key) = routed else { return Ok(None) };
        let head = self
            .head(&key)?
            .filter(|head| leads_to(&route_key(owner, scope), head));
        Ok(head.map(|head| (key, head)))
    }

    fn routed_after(
        &self,
        owner: &Owner,
        after: Option<&Vec<u8>>,
        limit: usize,
    ) -> SessionResult<RoutedPage<Vec<u8>>> {
        let (prefix, after) = (owner_key(owner).into_vec(), after.map(Vec::as_slice));
        let rows = self.with_prefix(Table::Routes, &prefix, after, limit)?;
        let mut sessions = Vec::new();
        for row in &rows {
            // What cannot be read does not hide the owner's other waits; `verify` reports it (C10).
            let Ok(key) = unseal(&row.key, &row.value).and_then(decode_session_key) else {
                continue;
            };
            let head = readable_head(self, &key)?.filter(|head| leads_to(&row.key, head));
            sessions.extend(head.map(|head| (key, head)));
        }
        let is_last = rows.len() < limit;
        let last = rows.into_iter().next_back().filter(|_| !is_last);
        Ok(RoutedPage {
            sessions,
            next: last.map(|row| row.key),
        })
    }

    fn start(&self, owner: &Owner, scope: &ScopeDigest) -> SessionResult<Option<Start>> {
        start(self, owner, scope)
    }

    fn wait_count(&self, owner: &Owner) -> SessionResult<usize> {
        Ok(owner_state(self, owner)?.waits as usize)
    }

    fn latest_created(&self, owner: &Owner) -> SessionResult<Option<SessionKey>> {
        Ok(owner_state(self, owner)?.latest_created)
    }

    fn remembered(
        &self,
        owner: &Owner,
        digest: &MessageDigest,
    ) -> SessionResult<Option<Remembered>> {
        let Some(row) = message(self, owner, digest)? else {
            return Ok(None);
        };
        let state = owner_state(self, owner)?;
        let mut known = row.remembered(*digest);
        known.reply = reply(self, owner, &state, row.age)?;
        Ok(Some(known))
    }

    fn messages(&self, owner: &Owner) -> SessionResult<Vec<Remembered>> {
        let state = owner_state(self, owner)?;
        let mut messages = oldest_messages(self, owner, usize::MAX)?;
        for (age, known) in &mut messages {
            known.reply = reply(self, owner, &state, *age)?;
        }
        Ok(messages.into_iter().map(|(_, known)| known).collect())
    }

    fn has_inbox(&self, owner: &Owner) -> SessionResult<bool> {
        let key = owner_key(owner).into_vec();
        Ok(self.get(Table::Queues, &key, |_| Ok(()))?.is_some())
    }

    fn inbox(&self, owner: &Owner) -> SessionResult<Option<Inbox>> {
        inbox(self, owner)
    }

    fn body(&self, owner: &Owner, number: u64) -> SessionResult<Option<Arc<[u8]>>> {
        body(self, owner, number)
    }
}
