//! The answer of a server to INFO.

use std::collections::HashMap;
use std::time::Duration;

use redis::Value;

use super::Client;
use super::topology::Route;
use crate::backend::redis::script::reply::unexpected;
use crate::error::SessionResult;

/// The fields of INFO.
pub struct Info<'a>(HashMap<&'a str, &'a str>);

impl<'a> Info<'a> {
    pub fn parse(text: &'a str) -> Self {
        Self(text.lines().filter_map(|l| l.split_once(':')).collect())
    }

    pub fn get(&self, field: &str) -> Option<&'a str> {
        self.0.get(field).copied()
    }

    pub fn number(&self, field: &str) -> Option<f64> {
        self.get(field)?.parse().ok()
    }

    pub fn time(&self) -> Option<Duration> {
        let micros = self.get("server_time_usec")?.parse().ok()?;
        Some(Duration::from_micros(micros))
    }

    /// The version. Valkey also reports the Redis version that it is compatible with.
    pub fn version(&self) -> Option<String> {
        let valkey = self.get("valkey_version").map(|v| format!("valkey {v}"));
        valkey.or_else(|| self.get("redis_version").map(|v| format!("redis {v}")))
    }
}

/// The run id of a server process. It changes with a restart, and with a failover.
///
/// # Errors
/// As [`Client::command_at`].
pub(super) async fn run_id(client: &Client, route: &Route) -> SessionResult<String> {
    let mut command = redis::cmd("INFO");
    command.arg("server");
    let reply = client.command_at(route, command).await?;
    let text = text_of(&reply.value).unwrap_or_default();
    let run_id = Info::parse(&text).get("run_id").map(str::to_owned);
    run_id.ok_or_else(unexpected)
}

/// A reply as text.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}
