//! The parameters of a URL, behind its `?`.

use std::time::Duration;

use super::RedisConfig;
use super::address::Secret;
use super::tls::Pem;
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::url_parameters::{millis, number};

const KNOWN: &str = "namespace, ttl_ms, find_by_user, connections, connect_timeout_ms, response_timeout_ms, \
                     min_replicas, min_replicas_timeout_ms, pointer_sweep_ms, tls_ca, \
                     tls_cert, tls_key, sentinel_user, sentinel_password";

impl RedisConfig {
    pub(crate) fn set(&mut self, name: &str, value: String) -> SessionResult<()> {
        match name {
            "namespace" => self.namespace = value,
            "connect_timeout_ms" => self.connect_timeout = millis(name, &value)?,
            "response_timeout_ms" => self.response_timeout = millis(name, &value)?,
            "connections" => self.connections = number(name, &value)?,
            "min_replicas" => self.min_replicas = number(name, &value)?,
            "min_replicas_timeout_ms" => self.min_replicas_timeout = millis(name, &value)?,
            "pointer_sweep_ms" => {
                let interval = number(name, &value)?;
                self.pointer_sweep = (interval > 0).then(|| Duration::from_millis(interval));
            }
            "tls_ca" => self.reach.tls.authority = Some(Pem::File(value.into())),
            "tls_cert" => self.reach.tls.certificate = Some(Pem::File(value.into())),
            "tls_key" => self.reach.tls.key = Some(Pem::File(value.into())),
            "sentinel_user" => self.reach.sentinel_login.user = Some(value),
            "sentinel_password" => self.reach.sentinel_login.password = Some(Secret::new(value)),
            _ if self.options.set(name, &value)? => {}
            _ => return Err(unknown(name)),
        }
        Ok(())
    }
}

/// Names the parameter only if it looks like one: the rest of a torn password may not.
fn unknown(name: &str) -> GreenticError {
    let is_plain = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let shown = if is_plain {
        format!(" `{name}`")
    } else {
        String::new()
    };
    invalid_input(format!(
        "unknown parameter{shown} in a Redis URL; known are {KNOWN}"
    ))
}
