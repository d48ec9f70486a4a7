//! Walks over all keys with SCAN.

use redis::Value;

use super::Client;
use super::cursor::{ScanPosition, stale_cursor};
use super::info::run_id;
use super::topology::Route;
use crate::admin::{Progress, ScanCursor};
use crate::backend::redis::script::reply::unexpected;
use crate::error::SessionResult;

/// A page of a walk over the keys of all masters. SCAN may return a name twice.
pub struct KeyPage {
    pub names: Vec<Vec<u8>>,
    pub progress: Progress,
    pub next: Option<ScanCursor>,
}

/// The answer to one SCAN.
pub struct ScanReply {
    /// The cursor for the next SCAN; 0 after the last.
    pub cursor: u64,
    pub names: Vec<Vec<u8>>,
}

/// The next page of names that match a pattern. The server looks at about `limit` keys.
///
/// # Errors
/// As [`Client::command_at`]; `Conflict` if the walk could miss keys; `InvalidInput` if the cursor is
/// not one of this store.
pub async fn next_page(
    client: &Client,
    pattern: &str,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<KeyPage> {
    let masters = client.masters().await?;
    let position = ScanPosition::resume(after, &masters)?;
    let route = position.route(&masters)?;
    let expected_run_id = match &position.run_id {
        Some(run_id) => run_id.clone(),
        None => run_id(client, route).await?,
    };
    let ScanReply { cursor, names } =
        scan_master(client, route, position.cursor(), pattern, limit).await?;
    if run_id(client, route).await? != expected_run_id {
        return Err(stale_cursor());
    }
    if cursor == 0 {
        position.require_unchanged(&client.masters().await?)?;
    }
    let next = position.next(cursor, expected_run_id, &masters);
    let progress = |next: &ScanPosition| next.progress(masters.routes.len());
    Ok(KeyPage {
        names,
        progress: next.as_ref().map_or(Progress::COMPLETE, progress),
        next: next.map(ScanPosition::into_cursor),
    })
}

/// The next names of one master. The caller may miss keys if slots migrate.
///
/// # Errors
/// As [`Client::command_at`].
pub async fn scan_master(
    client: &Client,
    route: &Route,
    cursor: u64,
    pattern: &str,
    limit: usize,
) -> SessionResult<ScanReply> {
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("MATCH").arg(pattern);
    command.arg("COUNT").arg(limit);
    let reply = client.command_at(route, command).await?;
    parse(reply.value).ok_or_else(unexpected)
}

fn parse(value: Value) -> Option<ScanReply> {
    let Value::Array(parts) = value else {
        return None;
    };
    let Ok([Value::BulkString(cursor), Value::Array(names)]) = <[Value; 2]>::try_from(parts) else {
        return None;
    };
    let name = |name| match name {
        Value::BulkString(name) => Some(name),
        _ => None,
    };
    Some(ScanReply {
        cursor: std::str::from_utf8(&cursor).ok()?.parse().ok()?,
        names: names.into_iter().map(name).collect::<Option<_>>()?,
    })
}
