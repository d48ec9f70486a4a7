//! Walks over all keys with SCAN.

use redis::{Cmd, Value};

use super::Client;
use super::cursor::ScanPosition;
use super::topology::Route;
use crate::admin::{Progress, ScanCursor};
use crate::backend::redis::script::reply::unexpected;
use crate::backend::redis::transport::info;
use crate::clock::Timestamp;
use crate::error::SessionResult;

/// A page of a walk over the keys of all masters. SCAN may return a name twice.
pub struct KeyPage {
    pub names: Vec<Vec<u8>>,
    /// The time of the master that was read.
    pub now: Timestamp,
    pub progress: Progress,
    pub next: Option<ScanCursor>,
}

/// The answer to one SCAN.
pub struct ScanReply {
    /// The cursor for the next SCAN; 0 after the last.
    pub cursor: u64,
    pub names: Vec<Vec<u8>>,
}

/// The next page of names that match a pattern, in one round trip. The server looks at about
/// `limit` keys.
///
/// # Errors
/// As [`Client::commands_at`]; `Conflict` if the walk could miss keys; `InvalidInput` if the cursor
/// is not one of this store.
pub async fn next_page(
    client: &Client,
    pattern: &str,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<KeyPage> {
    let masters = client.masters().await?;
    let position = ScanPosition::resume(after, &masters)?;
    let mut commands = redis::pipe();
    commands.add_command(scan(position.cursor(), pattern, limit));
    commands.cmd("INFO").arg("server");
    commands.cmd("TIME");
    let answers = client.commands_at(position.route(&masters)?, commands);
    let Value::Array(answers) = answers.await? else {
        return Err(unexpected());
    };
    let [scanned, server, time] = <[Value; 3]>::try_from(answers).map_err(|_| unexpected())?;
    let ScanReply { cursor, names } = parse(scanned).ok_or_else(unexpected)?;
    let run_id = info::run_id(&server).ok_or_else(unexpected)?;
    position.require_process(&run_id)?;
    if cursor == 0 {
        position.require_unchanged(&client.masters().await?)?;
    }
    let next = position.next(cursor, run_id, &masters);
    let progress = |next: &ScanPosition| next.progress(masters.routes.len());
    Ok(KeyPage {
        names,
        now: info::time(time).ok_or_else(unexpected)?,
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
    let command = scan(cursor, pattern, limit);
    let reply = client.command_at(route, command).await?;
    parse(reply.value).ok_or_else(unexpected)
}

fn scan(cursor: u64, pattern: &str, limit: usize) -> Cmd {
    let mut command = redis::cmd("SCAN");
    command.arg(cursor).arg("MATCH").arg(pattern);
    command.arg("COUNT").arg(limit);
    command
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
