//! The query parameters of a Redis URL.

use std::time::Duration;

use super::credentials::Secret;
use super::tls::Pem;
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::url_parameters::{millis, number};

/// The names of all parameters, for error messages.
pub const NAMES: &[&str] = &[
    "namespace",
    "ttl_ms",
    "find_by_user",
    "max_waits",
    "max_payload_bytes",
    "connections",
    "connect_timeout_ms",
    "response_timeout_ms",
    "min_replicas",
    "min_replicas_timeout_ms",
    "pointer_sweep_ms",
    "due_coverage_ms",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "sentinel_user",
    "sentinel_password",
];

/// A setting of the Redis store that a URL gives as a query parameter. Those of all backends are
/// options.
pub enum Parameter {
    Namespace(String),
    Connections(usize),
    ConnectTimeout(Duration),
    ResponseTimeout(Duration),
    MinReplicas(u32),
    MinReplicasTimeout(Duration),
    PointerSweep(Option<Duration>),
    DueCoverage(Option<Duration>),
    TlsAuthority(Pem),
    TlsCertificate(Pem),
    TlsKey(Pem),
    SentinelUser(String),
    SentinelPassword(Secret),
}

impl Parameter {
    /// Parses one parameter.
    ///
    /// # Errors
    /// `InvalidInput` if the name is unknown, or the value is not a number where one is needed.
    pub fn parse(name: &str, value: String) -> SessionResult<Self> {
        Ok(match name {
            "namespace" => Self::Namespace(value),
            "connections" => Self::Connections(number(name, &value)?),
            "connect_timeout_ms" => Self::ConnectTimeout(millis(name, &value)?),
            "response_timeout_ms" => Self::ResponseTimeout(millis(name, &value)?),
            "min_replicas" => Self::MinReplicas(number(name, &value)?),
            "min_replicas_timeout_ms" => Self::MinReplicasTimeout(millis(name, &value)?),
            "pointer_sweep_ms" => {
                let interval = number(name, &value)?;
                Self::PointerSweep((interval > 0).then(|| Duration::from_millis(interval)))
            }
            "due_coverage_ms" => {
                let time = number(name, &value)?;
                Self::DueCoverage((time > 0).then(|| Duration::from_millis(time)))
            }
            "tls_ca" => Self::TlsAuthority(Pem::File(value.into())),
            "tls_cert" => Self::TlsCertificate(Pem::File(value.into())),
            "tls_key" => Self::TlsKey(Pem::File(value.into())),
            "sentinel_user" => Self::SentinelUser(value),
            "sentinel_password" => Self::SentinelPassword(Secret::new(value)),
            _ => return Err(unknown(name)),
        })
    }
}

/// The message repeats the name only if it looks like one: a password with an unescaped `?` or `&`
/// would end up here (C18).
fn unknown(name: &str) -> GreenticError {
    let is_plain = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let shown = if is_plain {
        format!(" `{name}`")
    } else {
        String::new()
    };
    invalid_input(format!(
        "unknown parameter{shown} in a Redis URL; the known ones are {}",
        NAMES.join(", ")
    ))
}
