//! How to reach a Redis server.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::namespace;
use super::url::Server;
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::options::StoreOptions;

const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);
const MOST_CONNECTIONS: usize = 64;

/// How to reach a Redis or Valkey server, and what a store on it is built with.
///
/// ```
/// use greentic_session::RedisConfig;
/// use std::time::Duration;
///
/// let config = RedisConfig::from_url("redis://:secret@localhost:6379/1?ttl_ms=60000")?
///     .namespace("my:app")
///     .response_timeout(Duration::from_secs(3));
/// assert_eq!(config.options.default_ttl, Some(Duration::from_secs(60)));
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisConfig {
    pub(super) server: Server,
    /// What all keys start with. Default: `greentic:session`.
    ///
    /// 1 to 256 bytes without white space, control characters, `*?[]{}^\`, or a colon at an end.
    /// Two stores with different namespaces never share a key; for that, no part behind a colon may
    /// be one of the words `done`, `due`, `meta`, `owner`, `route`, `session`, `user`, `waits`. The
    /// default and what begins with `greentic:session:` may; plain `greentic` is refused instead.
    pub namespace: String,
    /// The settings that every backend shares.
    pub options: StoreOptions,
    /// How long a call waits for a connection, and for a server that says it cannot serve now.
    /// Default: 2 seconds; 1 ms to 1 hour.
    pub connect_timeout: Duration,
    /// How long a call may take in all, with every attempt. Default: 5 seconds; 1 ms to 1 hour.
    ///
    /// It is above the connect timeout so that a call whose connection is lost can be made again.
    pub response_timeout: Duration,
    /// How many connections carry all calls. Default: 2; 1 to 64.
    pub connections: usize,
}

impl RedisConfig {
    /// Reads `redis://[user:password@]host[:port][/database][?parameters]`; contacts no server.
    ///
    /// The port is 6379 and the database 0 unless given. Parameters: `namespace`, `ttl_ms` (the
    /// default TTL), `connections`, `connect_timeout_ms`, `response_timeout_ms`. Special characters
    /// in the user name or password must be percent-encoded.
    ///
    /// # Errors
    /// `InvalidInput` if the URL is wrong. The message never repeats user name or password.
    pub fn from_url(url: &str) -> SessionResult<Self> {
        let (server, parameters) = Server::parse(url)?;
        let mut config = Self {
            server,
            namespace: namespace::DEFAULT.to_owned(),
            options: StoreOptions::new(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            connections: 2,
        };
        for (name, value) in parameters {
            config.set(&name, value)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Sets [`RedisConfig::namespace`].
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Sets [`RedisConfig::options`].
    #[must_use]
    pub const fn options(mut self, options: StoreOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets [`RedisConfig::connect_timeout`].
    #[must_use]
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets [`RedisConfig::response_timeout`].
    #[must_use]
    pub const fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// Sets [`RedisConfig::connections`].
    #[must_use]
    pub const fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    fn set(&mut self, name: &str, value: String) -> SessionResult<()> {
        match name {
            "namespace" => self.namespace = value,
            "ttl_ms" => self.options.default_ttl = Some(millis(name, &value)?),
            "connect_timeout_ms" => self.connect_timeout = millis(name, &value)?,
            "response_timeout_ms" => self.response_timeout = millis(name, &value)?,
            "connections" => self.connections = number(name, &value)?,
            _ => return Err(unknown_parameter(name)),
        }
        Ok(())
    }

    /// Checks what the setters take unchecked.
    pub(super) fn check(&self) -> SessionResult<()> {
        namespace::check(&self.namespace)?;
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return Err(invalid_input("a Redis store has 1 to 64 connections"));
        }
        let allowed = Duration::from_millis(1)..=LONGEST_TIMEOUT;
        let timeouts = [self.connect_timeout, self.response_timeout];
        if !timeouts.iter().all(|timeout| allowed.contains(timeout)) {
            return Err(invalid_input(
                "a timeout of a Redis store is 1 ms to 1 hour",
            ));
        }
        Ok(())
    }
}

impl FromStr for RedisConfig {
    type Err = GreenticError;

    fn from_str(url: &str) -> SessionResult<Self> {
        Self::from_url(url)
    }
}

/// Shows no user name and no password (C18).
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("server", &self.server)
            .field("namespace", &self.namespace)
            .field("options", &self.options)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("connections", &self.connections)
            .finish()
    }
}

fn millis(name: &str, value: &str) -> SessionResult<Duration> {
    match number(name, value)? {
        0 => Err(invalid_input(format!(
            "the parameter `{name}` must be at least 1"
        ))),
        millis => Ok(Duration::from_millis(millis)),
    }
}

fn number<T: FromStr>(name: &str, value: &str) -> SessionResult<T> {
    value
        .parse()
        .map_err(|_| invalid_input(format!("the parameter `{name}` must be a whole number")))
}

/// Names the parameter only if it looks like one: the rest of a torn password may not.
fn unknown_parameter(name: &str) -> GreenticError {
    let is_plain = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let shown = if is_plain {
        format!(" `{name}`")
    } else {
        String::new()
    };
    invalid_input(format!(
        "unknown parameter{shown} in a Redis URL; known are namespace, ttl_ms, connections, \
         connect_timeout_ms, response_timeout_ms"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn a_url_sets_everything() {
        let url = "redis://h/2?namespace=my:app&ttl_ms=5&connections=3\
                   &connect_timeout_ms=10&response_timeout_ms=20";
        let config: RedisConfig = url.parse().unwrap();
        assert_eq!(config.namespace, "my:app");
        assert_eq!(config.options.default_ttl, Some(Duration::from_millis(5)));
        assert_eq!(config.connections, 3);
        assert_eq!(config.connect_timeout, Duration::from_millis(10));
        assert_eq!(config.response_timeout, Duration::from_millis(20));
    }

    #[test]
    fn wrong_parameters_are_refused() {
        let wrong = [
            "ttl_ms=0",
            "ttl_ms=x",
            "connections=0",
            "connections=65",
            "connections=-1",
            "connect_timeout_ms=0",
            "response_timeout_ms=3600001",
            "namespace=",
            "namespace=a:b:",
            "tls=1",
        ];
        for parameter in wrong {
            let url = format!("redis://:hunter2@localhost?{parameter}");
            let error = RedisConfig::from_url(&url).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidInput, "{parameter}");
            assert!(!error.message.contains("hunter2"));
        }
        let error = RedisConfig::from_url("redis://h?tls=1").unwrap_err();
        assert!(error.message.contains("`tls`"), "{error}");
    }

    #[test]
    fn what_the_setters_take_is_checked_later() {
        let config = RedisConfig::from_url("redis://h").unwrap();
        assert!(config.check().is_ok());
        assert!(config.clone().connections(0).check().is_err());
        assert!(
            config
                .clone()
                .connect_timeout(Duration::MAX)
                .check()
                .is_err()
        );
        assert!(
            config
                .clone()
                .response_timeout(Duration::ZERO)
                .check()
                .is_err()
        );
        assert!(config.namespace("a b").check().is_err());
    }

    #[test]
    fn c18_debug_shows_no_credentials() {
        let config = RedisConfig::from_url("redis://admin:hunter2@localhost:7/1").unwrap();
        let shown = format!("{config:?}");
        assert!(shown.contains("localhost:7/1"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("admin"),
            "{shown}"
        );
    }
}
