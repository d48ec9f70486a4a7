//! The configuration of a store, as files, the environment and URLs give it.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::config::SessionBackendConfig;
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::secret::Secret;
use crate::settings::Layers;

/// Where the sessions are, and the settings, by name: the same for every backend, whether they come
/// from a file, from the environment or from a URL.
///
/// Serde reads it from a table with a `url` and settings, in whatever format the program reads its
/// own configuration, or from a URL alone. A setting beside the URL replaces the one of the URL.
/// Times are written as `500ms` or `7d`, sizes as `64MiB`. `docs/configuration.md` lists the
/// settings. What is not given has its default.
///
/// A value is checked when it is read: an unknown setting is an error that names the known ones.
/// `Debug` prints no credentials (C18).
///
/// ```
/// use greentic_session::{StoreConfig, create_async_session_store};
///
/// let file = r#"{ "url": "memory:", "default_ttl": "7d", "max_payload_bytes": "1MiB" }"#;
/// let config: StoreConfig = serde_json::from_str(file)?;
/// let same = StoreConfig::from_url("memory:?default_ttl=7d&max_payload_bytes=1048576")?;
/// assert_eq!(config.backend()?, same.backend()?);
/// let store = create_async_session_store(config.backend()?)?;
/// # let _ = store;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct StoreConfig {
    url: Secret,
    layers: Layers,
}

impl StoreConfig {
    /// Reads a URL with its settings, as
    /// [`SessionBackendConfig::from_url`](SessionBackendConfig::from_url) does.
    ///
    /// # Errors
    /// `InvalidInput` if the URL is wrong. The message does not contain the user name or the
    /// password.
    pub fn from_url(url: impl Into<String>) -> SessionResult<Self> {
        Self::new(url.into(), Layers::default())
    }

    /// Reads the environment of this process: the URL from the variable `<prefix>URL`, and each
    /// setting from the variable with its name in capitals.
    ///
    /// With the prefix `GREENTIC_SESSION__` the variable `GREENTIC_SESSION__DEFAULT_TTL` is the
    /// setting `default_ttl`. A prefix that ends in two underscores keeps clear of what
    /// orchestrators set: for a service `greentic-session` Kubernetes sets
    /// `GREENTIC_SESSION_PORT`.
    ///
    /// # Errors
    /// `InvalidInput` if `<prefix>URL` is missing, a variable with the prefix is no setting, or a
    /// value is wrong. The message does not contain a value.
    ///
    /// ```
    /// use greentic_session::StoreConfig;
    ///
    /// let error = StoreConfig::from_env("NO_SUCH_PROGRAM__").unwrap_err();
    /// assert!(error.message.contains("NO_SUCH_PROGRAM__URL"));
    /// ```
    pub fn from_env(prefix: &str) -> SessionResult<Self> {
        Self::from_variables(prefix, std::env::vars_os())
    }

    /// As [`StoreConfig::from_env`], from variables that the caller has read.
    ///
    /// # Errors
    /// As for [`StoreConfig::from_env`].
    pub fn from_variables(
        prefix: &str,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> SessionResult<Self> {
        let mut settings = BTreeMap::new();
        for (variable, value) in variables {
            let Some(name) = variable.to_str().and_then(|name| name.strip_prefix(prefix)) else {
                continue;
            };
            let value = value.to_str().ok_or_else(|| not_unicode(&variable))?;
            settings.insert(name.to_ascii_lowercase(), Secret::new(value));
        }
        Self::of_table(settings)?
            .ok_or_else(|| invalid_input(format!("the variable {prefix}URL is not set")))
    }

    /// Sets a setting; it replaces one that was given before, also in the URL.
    ///
    /// # Errors
    /// `InvalidInput` if there is no such setting, or the value is wrong.
    pub fn set(self, name: impl Into<String>, value: impl Into<String>) -> SessionResult<Self> {
        let mut layers = self.layers;
        layers.above.insert(name.into(), Secret::new(value));
        Self::new(self.url.reveal().to_owned(), layers)
    }

    /// Sets a setting unless it is given, also in the URL: a default of the program.
    ///
    /// # Errors
    /// As for [`StoreConfig::set`].
    pub fn set_default(
        self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> SessionResult<Self> {
        let mut layers = self.layers;
        layers.below.insert(name.into(), Secret::new(value));
        Self::new(self.url.reveal().to_owned(), layers)
    }

    /// Returns the backend with its settings, for
    /// [`create_async_session_store`](crate::create_async_session_store), and for settings that have
    /// no name.
    ///
    /// # Errors
    /// None for a value that was read; `InvalidInput` is the type's.
    pub fn backend(&self) -> SessionResult<SessionBackendConfig> {
        SessionBackendConfig::from_layers(self.url.reveal(), &self.layers)
    }

    fn new(url: String, layers: Layers) -> SessionResult<Self> {
        let config = Self {
            url: Secret::new(url),
            layers,
        };
        config.backend()?;
        Ok(config)
    }

    /// Reads a table that holds the URL too; none without one.
    fn of_table(mut settings: BTreeMap<String, Secret>) -> SessionResult<Option<Self>> {
        let Some(url) = settings.remove("url") else {
            return Ok(None);
        };
        let layers = Layers {
            above: settings,
            ..Layers::default()
        };
        Self::new(url.reveal().to_owned(), layers).map(Some)
    }
}

fn not_unicode(variable: &OsStr) -> GreenticError {
    let name = variable.display();
    invalid_input(format!("the variable {name} is not valid Unicode"))
}

impl FromStr for StoreConfig {
    type Err = GreenticError;

    fn from_str(url: &str) -> SessionResult<Self> {
        Self::from_url(url)
    }
}

/// Prints what the backend's configuration prints: no credentials (C18).
impl fmt::Debug for StoreConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let backend = self.backend().map_err(|error| error.code);
        f.debug_tuple("StoreConfig").field(&backend).finish()
    }
}

impl<'de> Deserialize<'de> for StoreConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Table)
    }
}

/// Reads a table, or a URL. No error repeats a value (C18).
struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = StoreConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with the `url` of a session store and its settings")
    }

    fn visit_str<E: Error>(self, url: &str) -> Result<StoreConfig, E> {
        StoreConfig::from_url(url).map_err(|error| E::custom(error.message))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<StoreConfig, A::Error> {
        let mut settings = BTreeMap::new();
        while let Some((name, Value(value))) = table.next_entry::<String, Value>()? {
            if settings.insert(name, value).is_some() {
                return Err(A::Error::custom("a setting is given twice"));
            }
        }
        let config =
            StoreConfig::of_table(settings).map_err(|error| A::Error::custom(error.message))?;
        config.ok_or_else(|| A::Error::missing_field("url"))
    }
}

/// The value of a setting, as text.
struct Value(Secret);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Scalar)
    }
}

struct Scalar;

impl Visitor<'_> for Scalar {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a whole number, `true` or `false`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value(Secret::new(text)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value(Secret::new(number.to_string())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value(Secret::new(number.to_string())))
    }

    fn visit_bool<E: Error>(self, switch: bool) -> Result<Value, E> {
        Ok(Value(Secret::new(switch.to_string())))
    }

    fn visit_f64<E: Error>(self, _number: f64) -> Result<Value, E> {
        Err(E::custom(
            "a setting is a number with a fraction; a password needs quotation marks",
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::ErrorCode;
    use crate::options::StoreOptions;

    fn options(config: &StoreConfig) -> StoreOptions {
        match config.backend().unwrap() {
            SessionBackendConfig::InMemory => StoreOptions::new(),
            SessionBackendConfig::InMemoryWith(options) => options,
            other => panic!("{other:?}"),
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> SessionResult<StoreConfig> {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        StoreConfig::from_variables("P__", pairs)
    }

    #[test]
    fn what_is_beside_the_url_replaces_what_is_in_it() {
        let config = StoreConfig::from_url("memory:?max_waits=1&max_messages=1").unwrap();
        let config = config.set("max_waits", "2").unwrap();
        let config = config.set_default("max_messages", "2").unwrap();
        let config = config.set_default("message_window", "2s").unwrap();
        let expected = StoreOptions::new()
            .max_waits(2)
            .max_messages(1)
            .message_window(Duration::from_secs(2));
        assert_eq!(options(&config), expected);
    }

    #[test]
    fn the_environment_names_settings_in_capitals() {
        let config = variables(&[
            ("P__URL", "memory:"),
            ("P__MAX_WAITS", "3"),
            ("P_PORT", "tcp://10.0.0.1:80"),
            ("PATH", "/bin"),
        ]);
        assert_eq!(options(&config.unwrap()), StoreOptions::new().max_waits(3));
        let missing = variables(&[("P__MAX_WAITS", "3")]).unwrap_err();
        assert!(missing.message.contains("P__URL"), "{missing}");
        let unknown = variables(&[("P__URL", "memory:"), ("P__MAX_WAIT", "3")]).unwrap_err();
        assert_eq!(unknown.code, ErrorCode::InvalidInput);
        assert!(unknown.message.contains("`max_wait`"), "{unknown}");
        assert!(unknown.message.contains("max_waits"), "{unknown}");
    }

    #[test]
    fn c18_a_wrong_table_is_refused_and_not_repeated() {
        for table in [
            r#"{"url": "hunter2"}"#,
            r#""hunter2""#,
            r#"["hunter2"]"#,
            r#"{"url": "memory:", "max_waits": "hunter2"}"#,
            r#"{"url": "memory:", "max_waits": ["hunter2"]}"#,
            r#"{"url": "memory:", "max_waits": null}"#,
            r#"{"url": "memory:", "max_waits": 1, "max_waits": 2}"#,
            r#"{"url": "memory:", "max_waits": 1.5}"#,
            r#"{"url": "memory:", "hunter 2": 1}"#,
            r#"{"max_waits": 1}"#,
        ] {
            let error = serde_json::from_str::<StoreConfig>(table).unwrap_err();
            assert!(!error.to_string().contains("hunter"), "{error}");
        }
    }

    #[test]
    fn c18_debug_shows_no_credentials() {
        let config = StoreConfig::from_url("memory:").unwrap();
        assert_eq!(format!("{config:?}"), "StoreConfig(Ok(InMemory))");
        #[cfg(feature = "redis")]
        {
            let config = StoreConfig::from_url("redis://hunter-u:hunter2@h").unwrap();
            let config = config.set("sentinel_password", "hunter2").unwrap();
            let shown = format!("{config:?}");
            assert!(shown.contains("redis://h:6379/0"), "{shown}");
            assert!(!shown.contains("hunter"), "{shown}");
        }
    }
}
