//! The answers of a server to INFO and TIME.

use std::collections::HashMap;
use std::time::Duration;

use redis::{FromRedisValue, Value};

use crate::clock::Timestamp;

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

/// The run id of a server process, from its answer to INFO. It changes with a restart, and with a
/// failover.
pub fn run_id(info: &Value) -> Option<String> {
    Info::parse(&text_of(info)?)
        .get("run_id")
        .map(str::to_owned)
}

/// The time, from a server's answer to TIME.
pub fn time(value: Value) -> Option<Timestamp> {
    Some(Timestamp::from_millis(micros(value)? / 1_000))
}

/// The time in microseconds, from a server's answer to TIME.
pub fn micros(value: Value) -> Option<u64> {
    let (seconds, micros) = <(u64, u64)>::from_redis_value(value).ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(micros)
}

/// A reply as text.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text.clone()),
        _ => None,
    }
}
