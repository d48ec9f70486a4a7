//! Reads of single rows, decoded.

use std::sync::Arc;

use greentic_types::{ErrorCode, GreenticError, SessionKey};

use super::{Row, Rows};
use crate::backend::durable::format::{
    Damage, MessageRow, OwnerState, Table, age_key, body_key, decode_digest, decode_due,
    decode_inbox, decode_queue_due, decode_session_key, decode_start, message_key, owner_key,
    route_key, unseal, unseal_payload,
};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::payload;
use crate::reply::Reply;
use crate::rules::{Head, Inbox, Remembered, Start};
use crate::scope::ScopeDigest;
use crate::session::Session;

/// The error for a row that belongs to no single session. Its key names a user, and so is not part
/// of the message (C18).
pub fn unreadable_row(table: Table, damage: Damage) -> GreenticError {
    let (name, reason) = (table.name(), damage.0);
    GreenticError::new(
        ErrorCode::Internal,
        format!("a row of the table `{name}` cannot be read: {reason}"),
    )
}

/// Reads and decodes a sealed row.
fn read_row<R: Rows, T>(
    rows: &R,
    table: Table,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, Damage>,
) -> SessionResult<Option<T>> {
    rows.get(table, key, |value| {
        unseal(key, value)
            .and_then(decode)
            .map_err(|damage| unreadable_row(table, damage))
    })
}

/// Reads the data of a session whose head is known.
pub fn session_of<R: Rows>(rows: &R, key: &SessionKey, head: &Head) -> SessionResult<Arc<Session>> {
    let data = rows.get(Table::Payloads, key.as_str().as_bytes(), |value| {
        let stored = unseal_payload(key, value)?;
        rows.sealing().open_session(&head.owner, key, stored)
    })?;
    Ok(Arc::new(Session {
        key: key.clone(),
        data: data.ok_or_else(|| payload::unreadable(key, "its data is missing"))?,
        revision: head.revision,
        deadline: head.deadline,
    }))
}

pub fn owner_state<R: Rows>(rows: &R, owner: &Owner) -> SessionResult<OwnerState> {
    let key = owner_key(owner).into_vec();
    let state = read_row(rows, Table::Owners, &key, OwnerState::decode)?;
    Ok(state.unwrap_or_default())
}

/// Returns the session that the route of a scope leads to.
pub fn route<R: Rows>(
    rows: &R,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Option<SessionKey>> {
    let key = route_key(owner, scope);
    read_row(rows, Table::Routes, &key, decode_session_key)
}

/// Whether the session with this head waits where the route with the key `route` says.
pub fn leads_to(route: &[u8], head: &Head) -> bool {
    let wait = head.routed_wait();
    wait.is_some_and(|wait| route_key(&head.owner, &wait.scope) == route)
}

/// Returns the instant at which something is due first.
pub fn first_due<R: Rows>(rows: &R) -> SessionResult<Option<Timestamp>> {
    let waits = rows.with_prefix(Table::Due, &[], None, 1)?;
    let queues = rows.with_prefix(Table::QueuesDue, &[], None, 1)?;
    // The writer removes a row that cannot be read.
    let at_once = Timestamp::from_millis(0);
    let wait = |row: &Row| decode_due(&row.key).map_or(at_once, |(at, _)| at);
    let queue = |row: &Row| decode_queue_due(&row.key).map_or(at_once, |(at, _)| at);
    let (waits, queues) = (waits.first().map(wait), queues.first().map(queue));
    Ok([waits, queues].into_iter().flatten().min())
}

/// Returns the queues of an owner.
pub fn inbox<R: Rows>(rows: &R, owner: &Owner) -> SessionResult<Option<Inbox>> {
    let key = owner_key(owner).into_vec();
    read_row(rows, Table::Queues, &key, decode_inbox)
}

/// Returns the body of a message of a queue.
pub fn body<R: Rows>(rows: &R, owner: &Owner, number: u64) -> SessionResult<Option<Arc<[u8]>>> {
    let decode = |body: &[u8]| Ok(body.into());
    read_row(rows, Table::Bodies, &body_key(owner, number), decode)
}

/// Returns the start claim of a scope.
pub fn start<R: Rows>(
    rows: &R,
    owner: &Owner,
    scope: &ScopeDigest,
) -> SessionResult<Option<Start>> {
    let key = route_key(owner, scope);
    read_row(rows, Table::Starts, &key, decode_start)
}

pub fn message<R: Rows>(
    rows: &R,
    owner: &Owner,
    message: &MessageDigest,
) -> SessionResult<Option<MessageRow>> {
    let key = message_key(owner, message);
    read_row(rows, Table::Messages, &key, MessageRow::decode)
}

/// Returns the reply of the message with this age, if its owner keeps any.
pub fn reply<R: Rows>(
    rows: &R,
    owner: &Owner,
    state: &OwnerState,
    age: u64,
) -> SessionResult<Option<Box<Reply>>> {
    if state.replies.count == 0 {
        return Ok(None);
    }
    // It is opened outside of the rules, which need no reply.
    let decode = |body: &[u8]| Ok(Box::new(Reply::stored(body.into())));
    read_row(rows, Table::Replies, &age_key(owner, age), decode)
}

/// Returns the oldest messages of an owner, at most `limit`, each with its age and without its reply.
pub fn oldest_messages<R: Rows>(
    rows: &R,
    owner: &Owner,
    limit: usize,
) -> SessionResult<Vec<(u64, Remembered)>> {
    let prefix = owner_key(owner).into_vec();
    let mut messages = Vec::new();
    for row in rows.with_prefix(Table::Ages, &prefix, None, limit)? {
        let digest = unseal(&row.key, &row.value)
            .and_then(decode_digest)
            .map_err(|damage| unreadable_row(Table::Ages, damage))?;
        let known = message(rows, owner, &digest)?;
        messages.extend(known.map(|row| (row.age, row.remembered(digest))));
    }
    Ok(messages)
}
