//! The configuration of a Redis store: servers, credentials, timeouts, TLS.

pub mod address;
pub mod credentials;
pub mod namespace;
pub mod place;
pub mod protocol;
mod settings;
pub mod tls;
pub mod url;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use self::credentials::Credentials;
use self::protocol::RedisProtocol;
use self::tls::{Pem, TlsSettings};
use self::url::{Deployment, RedisUrl};
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::observe::{Observer, Watch};
use crate::options::StoreOptions;
use crate::secret::Secret;
use crate::settings::{Layers, Settings};
#[cfg(feature = "encryption")]
use crate::vault::Encryption;

const MIN_DURATION: Duration = Duration::from_millis(1);
const MAX_TIMEOUT: Duration = Duration::from_secs(60 * 60);
const DEFAULT_POINTER_SWEEP: Duration = Duration::from_secs(60 * 60);
const MAX_POINTER_SWEEP: Duration = Duration::from_secs(30 * 24 * 3600);
const DEFAULT_DUE_COVERAGE: Duration = Duration::from_secs(20);
const MIN_DUE_COVERAGE: Duration = Duration::from_millis(100);
const MAX_DUE_COVERAGE: Duration = Duration::from_secs(60 * 60);
const MAX_CONNECTIONS: usize = 64;

/// The configuration of a store on Redis or Valkey.
///
/// ```
/// use greentic_session::RedisConfig;
/// use std::time::Duration;
///
/// let config = RedisConfig::from_url("redis://:secret@localhost:6379/1?default_ttl=1m")?
///     .namespace("my:app")
///     .response_timeout(Duration::from_secs(3));
/// assert_eq!(config.options.default_ttl, Some(Duration::from_secs(60)));
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisConfig {
    pub(crate) target: Box<Target>,
    /// The prefix of all keys. Default: `greentic:session`.
    ///
    /// 1 to 256 bytes without white space, control characters, `*?[]{}^\`, or a colon at either
    /// end. Two stores with different namespaces never share a key (C4). For that, no part after a
    /// colon may be one of the words `done`, `expiry`, `meta`, `owner`, `route`, `session`, `user`,
    /// `waits`; the default and namespaces that begin with `greentic:session:` are exempt, and
    /// plain `greentic` is refused.
    pub namespace: String,
    /// The settings that all backends share.
    pub options: StoreOptions,
    /// How long a call waits for a connection, and for a server that temporarily refuses it, such
    /// as one that loads its data. Default: 2 seconds; 1 ms to 1 hour.
    pub connect_timeout: Duration,
    /// The time limit of a call over all its attempts. Default: 5 seconds; 1 ms to 1 hour.
    ///
    /// On a Cluster it is the limit of each step: a call that writes a session key has two or more.
    /// A call never ends in `Timeout` before, and after its end no server carries out anything of
    /// it. Keep it above the connect timeout, so that a call that lost its connection can be
    /// repeated.
    pub response_timeout: Duration,
    /// The number of connections to each server; all calls share them. Default: 2; 1 to 64.
    pub connections: usize,
    /// The number of replicas that must confirm a write before its call is Ok. Default: 0, which
    /// does not wait for replicas.
    pub min_replicas: u32,
    /// How long a write waits for the replicas. Default: 1 second; below the response timeout.
    pub min_replicas_timeout: Duration,
    /// The interval at which the stores of a namespace remove the pointers of expired sessions and
    /// of crashed clients, on a Cluster. Default: 1 hour; 1 ms to 30 days; none switches the sweep off.
    ///
    /// docs/topologies.md says what a sweep costs, and what remains without it.
    pub pointer_sweep: Option<Duration>,
    /// How long [`claim_due`](crate::AsyncSessionStore::claim_due) takes, on a Cluster, to look at all
    /// slots once if it is called every two seconds or more often. Default: 20 seconds; 100 ms to 1 hour;
    /// none switches it off, and the store then finds the timeouts only that it has set itself.
    ///
    /// A store looks at the slots of which it knows a timeout when that comes. So this is how late the
    /// first timeout of a slot can be found that another process has set a short time before.
    /// docs/topologies.md says what it costs.
    pub due_coverage: Option<Duration>,
    /// The version of the protocol. Default: RESP3, or RESP2 where that is refused.
    pub protocol: RedisProtocol,
    /// How what is stored is encrypted (C35). Default: not.
    #[cfg(feature = "encryption")]
    pub encryption: Option<Encryption>,
    pub(crate) watch: Watch,
}

/// The servers of a store, with credentials and TLS settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub deployment: Deployment,
    pub credentials: Credentials,
    pub sentinel_credentials: Credentials,
    /// Whether the URL asks for TLS.
    pub uses_tls: bool,
    pub tls: TlsSettings,
}

impl RedisConfig {
    /// Parses a URL; contacts no server.
    ///
    /// | deployment | URL |
    /// |---|---|
    /// | one server | `redis://[user:password@]host[:port][/database]` |
    /// | one server, through a Unix socket | `redis+unix://[user:password@]/path[?db=database]` |
    /// | the master that sentinels name | `redis-sentinel://[user:password@]host[:port],.../master-name[/database]` |
    /// | a cluster, by some of its nodes | `redis-cluster://[user:password@]host[:port],...` |
    ///
    /// `rediss`, `rediss-sentinel` and `rediss-cluster` use TLS. The default port is 6379, for
    /// sentinels 26379; the default database is 0. Special characters in the user name or password
    /// must be percent-encoded.
    ///
    /// The query sets the options by name, such as `?namespace=my:app&default_ttl=7d`: those of
    /// [`StoreOptions`], the fields of this type, the paths `tls_ca`, `tls_cert` and `tls_key`, and
    /// `username`, `password`, `sentinel_username` and `sentinel_password`. Times are written as
    /// `500ms` or `7d`, sizes as `64MiB`; `off` switches `pointer_sweep` or
    /// `due_coverage` off.
    ///
    /// # Errors
    /// `InvalidInput` if the URL is wrong. The message never repeats the user name or password.
    pub fn from_url(url: &str) -> SessionResult<Self> {
        Self::from_layers(url, &Layers::default())
    }

    /// As `from_url`, with settings below and above those of the URL.
    pub(crate) fn from_layers(url: &str, layers: &Layers) -> SessionResult<Self> {
        let url = RedisUrl::parse(url)?;
        let mut config = Self {
            target: Box::new(Target {
                deployment: url.deployment,
                credentials: url.credentials,
                sentinel_credentials: Credentials::default(),
                uses_tls: url.uses_tls,
                tls: TlsSettings::default(),
            }),
            namespace: namespace::DEFAULT.to_owned(),
            options: StoreOptions::new(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            connections: 2,
            min_replicas: 0,
            min_replicas_timeout: Duration::from_secs(1),
            pointer_sweep: Some(DEFAULT_POINTER_SWEEP),
            due_coverage: Some(DEFAULT_DUE_COVERAGE),
            protocol: RedisProtocol::default(),
            #[cfg(feature = "encryption")]
            encryption: None,
            watch: Watch::default(),
        };
        let of_url = url.parameters.iter();
        config.set_all(layers.below())?;
        config.set_all(of_url.map(|(name, value)| (name.as_str(), value.as_str())))?;
        config.set_all(layers.above())?;
        config.check()?;
        Ok(config)
    }

    /// Sets the user name; replaces one in the URL.
    #[must_use]
    pub fn username(mut self, user: impl Into<String>) -> Self {
        self.target.credentials.user = Some(user.into());
        self
    }

    /// Sets the password; replaces one in the URL.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.target.credentials.password = Some(Secret::new(password));
        self
    }

    /// Sets the user name for the sentinels. Default: none.
    #[must_use]
    pub fn sentinel_username(mut self, user: impl Into<String>) -> Self {
        self.target.sentinel_credentials.user = Some(user.into());
        self
    }

    /// Sets the password for the sentinels. Default: none.
    #[must_use]
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.target.sentinel_credentials.password = Some(Secret::new(password));
        self
    }

    /// Sets the authorities whose server certificates are accepted. Default: the public ones.
    #[must_use]
    pub fn tls_authority(mut self, authorities: impl Into<Pem>) -> Self {
        self.target.tls.authority = Some(authorities.into());
        self
    }

    /// Sets the client certificate, with its chain, for servers that ask for one. Default: none.
    #[must_use]
    pub fn tls_identity(mut self, certificate: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        self.target.tls.certificate = Some(certificate.into());
        self.target.tls.key = Some(key.into());
        self
    }

    /// Sets [`RedisConfig::min_replicas`] and [`RedisConfig::min_replicas_timeout`].
    ///
    /// An Ok then means that this many replicas confirmed the write. If they do not confirm it in
    /// time the call is `Timeout`: the write is done and may be lost in a failover; repeating the
    /// call is safe. A connection serves no other call while a write waits for replicas, so writes
    /// get a second set of [`RedisConfig::connections`], each of which carries one write per round
    /// trip to the replicas.
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

    /// Sets [`RedisConfig::due_coverage`].
    #[must_use]
    pub const fn due_coverage(mut self, time: Option<Duration>) -> Self {
        self.due_coverage = time;
        self
    }

    /// Sets [`RedisConfig::protocol`].
    #[must_use]
    pub const fn protocol(mut self, protocol: RedisProtocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Sets [`RedisConfig::encryption`].
    #[cfg(feature = "encryption")]
    #[must_use]
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = Some(encryption);
        self
    }

    /// Tells `observer` what the store does (C39). Default: nobody.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.watch = Watch::by(observer);
        self
    }

    /// Checks all values; the setters do not.
    ///
    /// # Errors
    /// `InvalidInput` if a value is out of range, or TLS settings have no TLS URL.
    pub(crate) fn check(&self) -> SessionResult<()> {
        namespace::check(&self.namespace)?;
        if !(1..=MAX_CONNECTIONS).contains(&self.connections) {
            return Err(invalid_input(
                "the connections of a Redis store must be 1 to 64",
            ));
        }
        let allowed = MIN_DURATION..=MAX_TIMEOUT;
        let timeouts = [
            self.connect_timeout,
            self.response_timeout,
            self.min_replicas_timeout,
        ];
        if !timeouts.iter().all(|timeout| allowed.contains(timeout)) {
            return Err(invalid_input(
                "a timeout of a Redis store must be 1 ms to 1 hour",
            ));
        }
        if self.min_replicas > 0 && self.min_replicas_timeout >= self.response_timeout {
            return Err(invalid_input(
                "the timeout of min_replicas must be below the response timeout",
            ));
        }
        let sweeps = MIN_DURATION..=MAX_POINTER_SWEEP;
        if !self
            .pointer_sweep
            .is_none_or(|interval| sweeps.contains(&interval))
        {
            return Err(invalid_input(
                "the pointer sweep interval of a Redis store must be 1 ms to 30 days",
            ));
        }
        let coverages = MIN_DUE_COVERAGE..=MAX_DUE_COVERAGE;
        if !self
            .due_coverage
            .is_none_or(|time| coverages.contains(&time))
        {
            return Err(invalid_input(
                "the due coverage of a Redis store must be 100 ms to 1 hour",
            ));
        }
        if !self.target.uses_tls && self.target.tls != TlsSettings::default() {
            return Err(invalid_input(
                "TLS certificates need a URL with TLS, such as rediss://",
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

/// Prints where the sessions are, as a URL: the servers, the database, and the namespace if it is not
/// the default; no other parameter, whatever it is (C18).
impl fmt::Display for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.target;
        fmt::Display::fmt(&target.deployment.display(target.uses_tls), f)?;
        let mark = if target.deployment.has_query() {
            '&'
        } else {
            '?'
        };
        match self.namespace.as_str() {
            namespace::DEFAULT => Ok(()),
            other => write!(f, "{mark}namespace={}", url::encoded(other)),
        }
    }
}

/// Hides the user name and password (C18).
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = &self.target;
        let mut shown = f.debug_struct("RedisConfig");
        #[cfg(feature = "encryption")]
        shown.field("encryption", &self.encryption);
        shown
            .field("url", &target.deployment.display(target.uses_tls))
            .field("namespace", &self.namespace)
            .field("options", &self.options)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("connections", &self.connections)
            .field("min_replicas", &self.min_replicas)
            .field("min_replicas_timeout", &self.min_replicas_timeout)
            .field("pointer_sweep", &self.pointer_sweep)
            .field("due_coverage", &self.due_coverage)
            .field("protocol", &self.protocol)
            .field("observer", &self.watch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn a_url_sets_every_parameter() {
        let url = "redis://h/2?namespace=my:app&default_ttl=5ms&connections=3\
                   &connect_timeout=10ms&response_timeout=20ms&min_replicas=1\
                   &min_replicas_timeout=9ms&pointer_sweep=7ms&sentinel_username=u&sentinel_password=p";
        let config: RedisConfig = url.parse().unwrap();
        assert_eq!(config.namespace, "my:app");
        assert_eq!(config.options.default_ttl, Some(Duration::from_millis(5)));
        assert_eq!(config.connections, 3);
        assert_eq!(config.connect_timeout, Duration::from_millis(10));
        assert_eq!(config.response_timeout, Duration::from_millis(20));
        assert_eq!(config.min_replicas, 1);
        assert_eq!(config.min_replicas_timeout, Duration::from_millis(9));
        assert_eq!(config.pointer_sweep, Some(Duration::from_millis(7)));
        assert_eq!(
            config.target.sentinel_credentials.user.as_deref(),
            Some("u")
        );
        assert!(config.target.sentinel_credentials.password.is_some());
        let url = "rediss://h?tls_ca=/ca&tls_cert=/c&tls_key=/k";
        let tls = RedisConfig::from_url(url).unwrap().target.tls;
        let never = RedisConfig::from_url("redis://h?pointer_sweep=off");
        assert_eq!(never.unwrap().pointer_sweep, None);
        assert_eq!(tls.authority, Some(Pem::File("/ca".into())));
        assert!(tls.certificate.is_some() && tls.key.is_some());
    }

    #[test]
    fn wrong_parameters_are_refused() {
        let wrong = [
            "default_ttl=0s",
            "default_ttl=x",
            "connections=0",
            "connections=65",
            "connections=-1",
            "connect_timeout=0s",
            "response_timeout=1h1ms",
            "pointer_sweep=x",
            "pointer_sweep=30d1ms",
            "namespace=",
            "namespace=a:b:",
            "tls=1",
            "ttl_ms=5",
            "tls_ca=/no/tls/without/rediss",
            "min_replicas=-1",
            "min_replicas=1&min_replicas_timeout=5s",
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
    fn check_refuses_out_of_range_values_of_setters() {
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
    fn a_shown_url_is_read_as_the_same_place() {
        for url in [
            "redis://h:7/1?namespace=a%26b%23c%25d%2Be%40f/g",
            "redis-sentinel://h:1,[::1]:2/a%2Fb%20%23%3F%40%25%0A/3?namespace=my:app",
        ] {
            let config = RedisConfig::from_url(url).unwrap();
            let shown = config.to_string();
            let again = RedisConfig::from_url(&shown).unwrap();
            assert_eq!(again.namespace, config.namespace, "{shown}");
            assert!(
                again.target.deployment == config.target.deployment,
                "{shown}"
            );
        }
    }

    // Also a parameter that is added later: only what names the place of the sessions is printed.
    #[test]
    fn c18_no_parameter_but_the_namespace_is_printed() {
        for name in RedisConfig::names() {
            let url = format!("rediss://me:hunter2@localhost:7/1?{name}=hunter2");
            match RedisConfig::from_url(&url) {
                Ok(config) => {
                    let shown = config.to_string();
                    let namespace = shown.strip_prefix("rediss://localhost:7/1");
                    let namespace = namespace.unwrap_or_else(|| panic!("{shown}"));
                    assert_eq!(!namespace.is_empty(), name == "namespace", "{shown}");
                    if name != "namespace" {
                        assert!(!format!("{config:?}").contains("hunter2"), "{name}");
                    }
                }
                Err(error) => assert!(!error.message.contains("hunter2"), "{error}"),
            }
        }
    }

    #[test]
    fn c18_debug_hides_credentials() {
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
