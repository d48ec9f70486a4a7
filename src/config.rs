//! The selection of a backend, and the functions that open it.

use std::fmt;
#[cfg(feature = "durable")]
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::async_store::AsyncSessionStore;
#[cfg(feature = "redis")]
use crate::backend::redis::{RedisConfig, RedisSessionStore};
#[cfg(feature = "durable")]
use crate::durable::{DurableConfig, DurableSessionStore};
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::memory_config::MemoryConfig;
use crate::observe::Observer;
use crate::options::StoreOptions;
use crate::settings::{Layers, Settings, pairs};
use crate::store::SessionStore;

/// A backend and its settings.
///
/// `Debug` and `Display` print no credentials (C18). `Display` prints where the sessions are, as a
/// URL: the servers, the database and the namespace, or the path, and no other parameter. If the
/// configuration was read from a URL, `from_url` reads the printed one as the same place.
///
/// ```
/// use greentic_session::SessionBackendConfig;
///
/// let config: SessionBackendConfig = "memory:".parse()?;
/// assert!(matches!(config, SessionBackendConfig::InMemory));
/// assert_eq!(config.to_string(), "memory:");
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum SessionBackendConfig {
    /// The memory of this process, for tests and development.
    InMemory,
    /// The memory of this process, with options.
    InMemoryWith(StoreOptions),
    /// The memory of this process, with all settings.
    InMemoryConfig(MemoryConfig),
    /// A file on this machine, with the defaults of [`DurableConfig`].
    #[cfg(feature = "durable")]
    Durable {
        /// The file. It is created if it does not exist.
        path: PathBuf,
    },
    /// A file on this machine, with all settings.
    #[cfg(feature = "durable")]
    DurableWith(Box<DurableConfig>),
    /// A Redis or Valkey server, with a URL for [`RedisConfig::from_url`].
    #[cfg(feature = "redis")]
    RedisUrl(String),
    /// As `RedisUrl`, with a namespace. It replaces one in the URL.
    #[cfg(feature = "redis")]
    RedisUrlWithNamespace {
        /// The URL.
        url: String,
        /// The prefix of all keys; see
        /// [`RedisConfig::namespace`](RedisConfig#structfield.namespace).
        namespace: String,
    },
    /// A Redis or Valkey server, with all settings.
    #[cfg(feature = "redis")]
    Redis(RedisConfig),
}

impl SessionBackendConfig {
    /// Parses the URL of a backend. No server is contacted.
    ///
    /// The URLs are `memory:`, `redb:///path` (cargo feature `durable`), and those of
    /// `RedisConfig::from_url` (cargo feature `redis`).
    ///
    /// Settings follow a `?` by name, such as `?default_ttl=7d&max_waits=100`. `docs/configuration.md`
    /// lists them. [`StoreConfig`](crate::StoreConfig) reads the same settings from files and the
    /// environment.
    ///
    /// # Errors
    /// - `InvalidInput`: the URL is wrong, or its backend is not part of this build. The message
    ///   does not contain the user name or the password.
    pub fn from_url(url: &str) -> SessionResult<Self> {
        Self::from_layers(url, &Layers::default())
    }

    /// As `from_url`, with settings below and above those of the URL.
    pub(crate) fn from_layers(url: &str, layers: &Layers) -> SessionResult<Self> {
        let scheme = url.split_once(':').map(|(scheme, _)| scheme);
        match scheme {
            Some("memory") if url == "memory:" && layers.is_empty() => Ok(Self::InMemory),
            Some("memory") if url == "memory:" || url.starts_with("memory:?") => {
                let mut options = StoreOptions::new();
                options.set_all(layers.below())?;
                options.set_all(pairs(url.split_once('?').unwrap_or_default().1))?;
                options.set_all(layers.above())?;
                Ok(Self::InMemoryWith(options))
            }
            Some("redb") => Self::from_durable_url(url, layers),
            Some(scheme) if is_redis(scheme) => Self::from_redis_url(url, layers),
            // The scheme is not repeated: in `user:password@host` it is the user.
            _ => Err(invalid_input(format!(
                "not the URL of a session store; {SUPPORTED}"
            ))),
        }
    }

    #[cfg(feature = "durable")]
    fn from_durable_url(url: &str, layers: &Layers) -> SessionResult<Self> {
        let config = DurableConfig::from_layers(url, layers)?;
        Ok(Self::DurableWith(Box::new(config)))
    }

    #[cfg(not(feature = "durable"))]
    fn from_durable_url(_url: &str, _layers: &Layers) -> SessionResult<Self> {
        Err(invalid_input(format!(
            "redb:// needs the cargo feature `durable`; {SUPPORTED}"
        )))
    }

    #[cfg(feature = "redis")]
    fn from_redis_url(url: &str, layers: &Layers) -> SessionResult<Self> {
        RedisConfig::from_layers(url, layers).map(Self::Redis)
    }

    #[cfg(not(feature = "redis"))]
    fn from_redis_url(_url: &str, _layers: &Layers) -> SessionResult<Self> {
        Err(invalid_input(format!(
            "redis:// needs the cargo feature `redis`; {SUPPORTED}"
        )))
    }
}

impl SessionBackendConfig {
    /// Tells `observer` what the store does (C39), whatever the backend.
    ///
    /// # Errors
    /// `InvalidInput` if it is a `RedisUrl` that is wrong.
    pub fn observer(self, observer: Arc<dyn Observer>) -> SessionResult<Self> {
        Ok(match self.backend()? {
            Backend::InMemory(config) => Self::InMemoryConfig(config.observer(observer)),
            #[cfg(feature = "durable")]
            Backend::Durable(config) => Self::DurableWith(Box::new(config.observer(observer))),
            #[cfg(feature = "redis")]
            Backend::Redis(config) => Self::Redis(config.observer(observer)),
        })
    }

    fn backend(self) -> SessionResult<Backend> {
        Ok(match self {
            Self::InMemory => Backend::InMemory(MemoryConfig::new(StoreOptions::new())),
            Self::InMemoryWith(options) => Backend::InMemory(MemoryConfig::new(options)),
            Self::InMemoryConfig(config) => Backend::InMemory(config),
            #[cfg(feature = "durable")]
            Self::Durable { path } => Backend::Durable(Box::new(DurableConfig::new(path))),
            #[cfg(feature = "durable")]
            Self::DurableWith(config) => Backend::Durable(config),
            #[cfg(feature = "redis")]
            Self::RedisUrl(url) => Backend::Redis(RedisConfig::from_url(&url)?),
            #[cfg(feature = "redis")]
            Self::RedisUrlWithNamespace { url, namespace } => {
                Backend::Redis(RedisConfig::from_url(&url)?.namespace(namespace))
            }
            #[cfg(feature = "redis")]
            Self::Redis(config) => Backend::Redis(config),
        })
    }
}

/// A backend with its settings, parsed.
enum Backend {
    InMemory(MemoryConfig),
    #[cfg(feature = "durable")]
    Durable(Box<DurableConfig>),
    #[cfg(feature = "redis")]
    Redis(RedisConfig),
}

/// The URLs that there are. A program with all backends is not told of features.
const SUPPORTED: &str = if cfg!(all(feature = "durable", feature = "redis")) {
    "there are memory:, redb:///path, and redis://, redis-sentinel:// and redis-cluster:// (rediss \
     for TLS), and redis+unix:///path"
} else {
    "there are memory:, redb:///path (cargo feature `durable`), and redis://, redis-sentinel:// and \
     redis-cluster:// (cargo feature `redis`; rediss for TLS)"
};

impl FromStr for SessionBackendConfig {
    type Err = GreenticError;

    fn from_str(url: &str) -> SessionResult<Self> {
        Self::from_url(url)
    }
}

impl fmt::Debug for SessionBackendConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InMemory => f.write_str("InMemory"),
            Self::InMemoryWith(options) => f.debug_tuple("InMemoryWith").field(options).finish(),
            Self::InMemoryConfig(config) => f.debug_tuple("InMemoryConfig").field(config).finish(),
            #[cfg(feature = "durable")]
            Self::Durable { path } => f.debug_struct("Durable").field("path", path).finish(),
            #[cfg(feature = "durable")]
            Self::DurableWith(config) => f.debug_tuple("DurableWith").field(config).finish(),
            #[cfg(feature = "redis")]
            Self::RedisUrl(url) => {
                let url = crate::backend::redis::without_credentials(url);
                f.debug_tuple("RedisUrl").field(&url).finish()
            }
            #[cfg(feature = "redis")]
            Self::RedisUrlWithNamespace { url, namespace } => f
                .debug_struct("RedisUrlWithNamespace")
                .field("url", &crate::backend::redis::without_credentials(url))
                .field("namespace", namespace)
                .finish(),
            #[cfg(feature = "redis")]
            Self::Redis(config) => f.debug_tuple("Redis").field(config).finish(),
        }
    }
}

impl fmt::Display for SessionBackendConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InMemory | Self::InMemoryWith(_) | Self::InMemoryConfig(_) => {
                f.write_str("memory:")
            }
            #[cfg(feature = "durable")]
            Self::Durable { path } => fmt::Display::fmt(&DurableConfig::new(path), f),
            #[cfg(feature = "durable")]
            Self::DurableWith(config) => fmt::Display::fmt(config, f),
            #[cfg(feature = "redis")]
            Self::RedisUrl(url) => match RedisConfig::from_url(url) {
                Ok(config) => fmt::Display::fmt(&config, f),
                Err(_) => f.write_str(&crate::backend::redis::without_credentials(url)),
            },
            #[cfg(feature = "redis")]
            Self::RedisUrlWithNamespace { url, namespace } => match RedisConfig::from_url(url) {
                Ok(config) => fmt::Display::fmt(&config.namespace(namespace), f),
                Err(_) => f.write_str(&crate::backend::redis::without_credentials(url)),
            },
            #[cfg(feature = "redis")]
            Self::Redis(config) => fmt::Display::fmt(config, f),
        }
    }
}

/// Opens a store for blocking callers. No server is contacted before the first call.
///
/// # Errors
/// - `InvalidInput`: the configuration is wrong.
/// - For a durable store, the errors of `DurableSessionStore::open`.
///
/// ```
/// use greentic_session::{SessionBackendConfig, create_session_store};
///
/// let store = create_session_store(SessionBackendConfig::InMemory)?;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub fn create_session_store(config: SessionBackendConfig) -> SessionResult<Box<dyn SessionStore>> {
    match config.backend()? {
        Backend::InMemory(config) => Ok(Box::new(config.open())),
        #[cfg(feature = "durable")]
        Backend::Durable(config) => Ok(Box::new(DurableSessionStore::open(*config)?)),
        #[cfg(feature = "redis")]
        Backend::Redis(config) => Ok(Box::new(RedisSessionStore::new(config)?)),
    }
}

/// Opens a store for async callers. No server is contacted before the first call.
///
/// [`Blocking`](crate::Blocking) wraps it for blocking callers.
///
/// # Errors
/// As for [`create_session_store`].
///
/// ```
/// use greentic_session::{SessionBackendConfig, create_async_session_store};
///
/// let store = create_async_session_store(SessionBackendConfig::InMemory)?;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
pub fn create_async_session_store(
    config: SessionBackendConfig,
) -> SessionResult<Arc<dyn AsyncSessionStore>> {
    match config.backend()? {
        Backend::InMemory(config) => Ok(Arc::new(config.open())),
        #[cfg(feature = "durable")]
        Backend::Durable(config) => Ok(Arc::new(DurableSessionStore::open(*config)?)),
        #[cfg(feature = "redis")]
        Backend::Redis(config) => Ok(Arc::new(RedisSessionStore::new(config)?)),
    }
}

/// Returns true for `redis`, `redis-sentinel` and `redis-cluster`, with and without TLS.
fn is_redis(scheme: &str) -> bool {
    let rest = scheme.strip_prefix("redis").unwrap_or("?");
    let kind = rest.strip_prefix('s').unwrap_or(rest);
    scheme == "redis+unix" || matches!(kind, "" | "-sentinel" | "-cluster")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::options::FindByUser;

    #[test]
    fn c18_a_wrong_url_is_refused_and_not_repeated() {
        for url in [
            "",
            "memory",
            "memory://hunter2",
            "hunter2",
            "hunter2:x@localhost",
            "postgres://hunter2",
            "redis://:hunter2@",
            "redis:hunter2",
            "rediss://:hunter2@",
            "redis-sentinel://:hunter2@localhost",
            "redis-cluster://:hunter2@localhost/1",
            "redis-hunter2://localhost",
        ] {
            let error = SessionBackendConfig::from_url(url).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidInput, "{url}");
            assert!(error.message.contains("redis"), "{error}");
            assert!(!error.message.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_url_selects_its_backend() {
        let config: SessionBackendConfig = "memory:".parse().unwrap();
        assert_eq!(format!("{config:?}"), "InMemory");
        let config: SessionBackendConfig = "memory:?find_by_user=waits-only".parse().unwrap();
        let expected = StoreOptions::new().find_by_user(FindByUser::WaitsOnly);
        assert!(
            matches!(config, SessionBackendConfig::InMemoryWith(options) if options == expected)
        );
        #[cfg(feature = "redis")]
        {
            for url in [
                "redis://localhost/3",
                "rediss://localhost",
                "redis-sentinel://localhost/main",
                "rediss-sentinel://localhost/main",
                "redis-cluster://localhost,other",
                "rediss-cluster://localhost",
            ] {
                let config: SessionBackendConfig = url.parse().unwrap();
                assert!(matches!(config, SessionBackendConfig::Redis(_)), "{url}");
            }
        }
        #[cfg(not(feature = "redis"))]
        {
            let error = SessionBackendConfig::from_url("redis://localhost").unwrap_err();
            assert!(error.message.contains("cargo feature `redis`"), "{error}");
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn c18_debug_shows_no_credentials() {
        let url = "redis://admin:hunter2@localhost?namespace=my:app";
        let namespace = "my:app".to_owned();
        let torn = "redis://admin:hunt#er2@localhost";
        for config in [
            SessionBackendConfig::RedisUrl(url.to_owned()),
            SessionBackendConfig::RedisUrlWithNamespace {
                url: url.to_owned(),
                namespace,
            },
            SessionBackendConfig::Redis(RedisConfig::from_url(url).unwrap()),
            SessionBackendConfig::RedisUrl(torn.to_owned()),
        ] {
            let shown = format!("{config:?} {config}");
            assert!(
                !shown.contains("hunt") && !shown.contains("admin"),
                "{shown}"
            );
        }
    }
}
