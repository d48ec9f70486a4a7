//! How to reach a Redis server.

pub mod address;
pub mod namespace;
mod params;
pub mod tls;
pub mod url;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use self::address::{Login, Secret};
use self::tls::{Pem, Tls};
use self::url::{Place, RedisUrl};
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::options::StoreOptions;

const LONGEST_TIMEOUT: Duration = Duration::from_secs(60 * 60);
const SWEEP: Duration = Duration::from_secs(60 * 60);
const LONGEST_SWEEP: Duration = Duration::from_secs(30 * 24 * 3600);
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
    pub(crate) reach: Box<Reach>,
    /// What all keys start with. Default: `greentic:session`.
    ///
    /// 1 to 256 bytes without white space, control characters, `*?[]{}^\`, or a colon at an end.
    /// Two stores with different namespaces never share a key; for that, no part behind a colon may
    /// be one of the words `done`, `expiry`, `meta`, `owner`, `route`, `session`, `user`, `waits`. The
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
    /// How many connections to each server carry all calls. Default: 2; 1 to 64.
    pub connections: usize,
    /// How many replicas must have a write before its call is Ok. Default: 0, which does not ask.
    pub min_replicas: u32,
    /// How long a write waits for the replicas. Default: 1 second; below the response timeout.
    pub min_replicas_timeout: Duration,
    /// How often the stores of a namespace look for what a process that died has left between two
    /// servers, on a cluster. Default: 1 hour; at least 1 ms, at most 30 days; none is never.
    /// docs/topologies.md tells what it costs, and what is left without it.
    pub pointer_sweep: Option<Duration>,
}

/// Where the servers are, and how they let us in.
#[derive(Clone)]
pub(crate) struct Reach {
    pub place: Place,
    pub login: Login,
    pub sentinel_login: Login,
    /// The URL asks for TLS.
    pub secure: bool,
    pub tls: Tls,
}

impl RedisConfig {
    /// Reads a URL; contacts no server.
    ///
    /// | where the data is | URL |
    /// |---|---|
    /// | one server | `redis://[user:password@]host[:port][/database]` |
    /// | the master that sentinels name | `redis-sentinel://[user:password@]host[:port],.../master-name[/database]` |
    /// | a cluster, by some of its nodes | `redis-cluster://[user:password@]host[:port],...` |
    ///
    /// `rediss`, `rediss-sentinel` and `rediss-cluster` ask for TLS. The port is 6379, of sentinels
    /// 26379, and the database 0 unless given. Special characters in the user name or password must
    /// be percent-encoded.
    ///
    /// Parameters, behind a `?`: `namespace`, `ttl_ms` (the default TTL), `find_by_user`
    /// (`waits-and-created` or `waits-only`), `connections`, `connect_timeout_ms`,
    /// `response_timeout_ms`, `min_replicas`, `min_replicas_timeout_ms`, `pointer_sweep_ms` (0 for
    /// never); the paths `tls_ca`, `tls_cert` and `tls_key`;
    /// `sentinel_user` and `sentinel_password` where the sentinels ask for a login of their own.
    ///
    /// # Errors
    /// `InvalidInput` if the URL is wrong. The message never repeats user name or password.
    pub fn from_url(url: &str) -> SessionResult<Self> {
        let url = RedisUrl::parse(url)?;
        let mut config = Self {
            reach: Box::new(Reach {
                place: url.place,
                login: url.login,
                sentinel_login: Login::default(),
                secure: url.tls,
                tls: Tls::default(),
            }),
            namespace: namespace::DEFAULT.to_owned(),
            options: StoreOptions::new(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            connections: 2,
            min_replicas: 0,
            min_replicas_timeout: Duration::from_secs(1),
            pointer_sweep: Some(SWEEP),
        };
        for (name, value) in url.parameters {
            config.set(&name, value)?;
        }
        config.check()?;
        Ok(config)
    }

    /// Sets the user, instead of one in the URL.
    #[must_use]
    pub fn username(mut self, user: impl Into<String>) -> Self {
        self.reach.login.user = Some(user.into());
        self
    }

    /// Sets the password, instead of one in the URL.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.reach.login.password = Some(Secret::new(password));
        self
    }

    /// Sets the user that we are at the sentinels. Default: none.
    #[must_use]
    pub fn sentinel_username(mut self, user: impl Into<String>) -> Self {
        self.reach.sentinel_login.user = Some(user.into());
        self
    }

    /// Sets the password that the sentinels ask for. Default: none.
    #[must_use]
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.reach.sentinel_login.password = Some(Secret::new(password));
        self
    }

    /// Trusts servers whose certificate is signed by one of these authorities, and no others.
    /// Default: the public authorities.
    #[must_use]
    pub fn tls_authority(mut self, authorities: impl Into<Pem>) -> Self {
        self.reach.tls.authority = Some(authorities.into());
        self
    }

    /// Shows a client certificate, with the chain behind it, to servers that ask for one.
    #[must_use]
    pub fn tls_identity(mut self, certificate: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        self.reach.tls.certificate = Some(certificate.into());
        self.reach.tls.key = Some(key.into());
        self
    }

    /// Sets [`RedisConfig::min_replicas`] and [`RedisConfig::min_replicas_timeout`].
    ///
    /// An Ok then means that so many replicas have the write. If they do not confirm it in time the
    /// call is `Timeout`: the write is done and may be lost in a failover; repeating it is safe. A
    /// connection serves nothing else while a write waits on it: so calls that write get as many
    /// connections of their own, and each carries one write per round trip to the replicas.
    #[must_use]
    pub const fn min_replicas(mut self, count: u32, timeout: Duration) -> Self {
        self.min_replicas = count;
        self.min_replicas_timeout = timeout;
        self
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

    /// Sets [`RedisConfig::pointer_sweep`].
    #[must_use]
    pub const fn pointer_sweep(mut self, interval: Option<Duration>) -> Self {
        self.pointer_sweep = interval;
        self
    }

    /// Checks what the setters take unchecked.
    pub(crate) fn check(&self) -> SessionResult<()> {
        namespace::check(&self.namespace)?;
        if !(1..=MOST_CONNECTIONS).contains(&self.connections) {
            return Err(invalid_input("a Redis store has 1 to 64 connections"));
        }
        let allowed = Duration::from_millis(1)..=LONGEST_TIMEOUT;
        let timeouts = [
            self.connect_timeout,
            self.response_timeout,
            self.min_replicas_timeout,
        ];
        if !timeouts.iter().all(|timeout| allowed.contains(timeout)) {
            return Err(invalid_input(
                "a timeout of a Redis store is 1 ms to 1 hour",
            ));
        }
        if self.min_replicas > 0 && self.min_replicas_timeout >= self.response_timeout {
            return Err(invalid_input(
                "the timeout of min_replicas must be below the response timeout",
            ));
        }
        let sweeps = Duration::from_millis(1)..=LONGEST_SWEEP;
        if !self
            .pointer_sweep
            .is_none_or(|interval| sweeps.contains(&interval))
        {
            return Err(invalid_input(
                "the pointers of a Redis cluster are swept every 1 ms to 30 days",
            ));
        }
        if !self.reach.secure && self.reach.tls != Tls::default() {
            return Err(invalid_input(
                "TLS certificates need a URL that asks for TLS, such as rediss://",
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
            .field("place", &self.reach.place.shown(self.reach.secure))
            .field("namespace", &self.namespace)
            .field("options", &self.options)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("connections", &self.connections)
            .field("min_replicas", &self.min_replicas)
            .field("min_replicas_timeout", &self.min_replicas_timeout)
            .field("pointer_sweep", &self.pointer_sweep)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn a_url_sets_everything() {
        let url = "redis://h/2?namespace=my:app&ttl_ms=5&connections=3\
                   &connect_timeout_ms=10&response_timeout_ms=20&min_replicas=1\
                   &min_replicas_timeout_ms=9&pointer_sweep_ms=7&sentinel_user=u&sentinel_password=p";
        let config: RedisConfig = url.parse().unwrap();
        assert_eq!(config.namespace, "my:app");
        assert_eq!(config.options.default_ttl, Some(Duration::from_millis(5)));
        assert_eq!(config.connections, 3);
        assert_eq!(config.connect_timeout, Duration::from_millis(10));
        assert_eq!(config.response_timeout, Duration::from_millis(20));
        assert_eq!(config.min_replicas, 1);
        assert_eq!(config.min_replicas_timeout, Duration::from_millis(9));
        assert_eq!(config.pointer_sweep, Some(Duration::from_millis(7)));
        assert_eq!(config.reach.sentinel_login.user.as_deref(), Some("u"));
        assert!(config.reach.sentinel_login.password.is_some());
        let url = "rediss://h?tls_ca=/ca&tls_cert=/c&tls_key=/k";
        let tls = RedisConfig::from_url(url).unwrap().reach.tls;
        let never = RedisConfig::from_url("redis://h?pointer_sweep_ms=0");
        assert_eq!(never.unwrap().pointer_sweep, None);
        assert_eq!(tls.authority, Some(Pem::File("/ca".into())));
        assert!(tls.certificate.is_some() && tls.key.is_some());
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
            "pointer_sweep_ms=x",
            "pointer_sweep_ms=2592000001",
            "namespace=",
            "namespace=a:b:",
            "tls=1",
            "tls_ca=/no/tls/without/rediss",
            "min_replicas=-1",
            "min_replicas=1&min_replicas_timeout_ms=5000",
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
        let config = config.username("admin").password("hunter2");
        let config = config
            .sentinel_username("admin")
            .sentinel_password("hunter2");
        let shown = format!("{config:?}");
        assert!(shown.contains("localhost:7/1"), "{shown}");
        assert!(
            !shown.contains("hunter2") && !shown.contains("admin"),
            "{shown}"
        );
    }
}
