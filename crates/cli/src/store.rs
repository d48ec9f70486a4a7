//! The location of a store, and its opening.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::vault::Encryption;
use greentic_session::{
    AsyncSessionStore, Blocking, SessionBackendConfig, StoreConfig, StoreOptions,
    create_async_session_store,
};

use crate::error::{Exit, Failure, Outcome};

/// The largest session that is stored, unless the configuration says otherwise. It is above the default of the
/// library, because the store may have been filled by a runtime with a higher limit.
const MAX_PAYLOAD_BYTES: usize = 64 * 1024 * 1024;

/// An open store.
#[derive(Clone)]
pub struct Store {
    /// Its URL without credentials (C18).
    pub name: String,
    pub blocking: Blocking,
    pub async_store: Arc<dyn AsyncSessionStore>,
    /// How it is encrypted, if it is.
    pub encryption: Option<Encryption>,
}

/// The location of a store.
#[derive(Clone)]
pub struct Location {
    name: String,
    config: SessionBackendConfig,
    /// The same without a payload limit, unless the configuration has one.
    unlimited: SessionBackendConfig,
    /// The path, if it is a file.
    file: Option<PathBuf>,
    /// It is the default file, whose directory is created too.
    is_default: bool,
}

impl Location {
    /// The location of a URL.
    #[cfg(test)]
    pub fn of_url(url: &str) -> Outcome<Self> {
        Self::of_config(&StoreConfig::from_url(url)?)
    }

    pub fn of_config(config: &StoreConfig) -> Outcome<Self> {
        let limited = |bytes: usize| {
            let config = config.clone();
            let limited = config.set_default("max_payload_bytes", bytes.to_string());
            limited.and_then(|config| config.backend())
        };
        Ok(Self::of_backend(
            limited(MAX_PAYLOAD_BYTES)?,
            limited(usize::MAX)?,
        ))
    }

    fn of_backend(config: SessionBackendConfig, unlimited: SessionBackendConfig) -> Self {
        let file = match &config {
            SessionBackendConfig::DurableWith(durable) => Some(durable.path.clone()),
            _ => None,
        };
        Self {
            name: config.to_string(),
            config,
            unlimited,
            file,
            is_default: false,
        }
    }

    /// Removes the payload limit, unless the configuration has one: for sessions that a store holds
    /// already.
    pub fn without_limit(self) -> Self {
        Self {
            config: self.unlimited.clone(),
            ..self
        }
    }

    pub fn max_payload_bytes(&self) -> usize {
        let mut config = self.config.clone();
        options_mut(&mut config).map_or(MAX_PAYLOAD_BYTES, |options| options.max_payload_bytes)
    }

    /// The file in the data directory of this program.
    pub fn default_file(settings: &[(&'static str, String)]) -> Outcome<Self> {
        let path = data_directory()?.join("sessions.redb");
        if !settings.is_empty() {
            let config = StoreConfig::from_url(DurableConfig::new(&path).to_string())?;
            let set = |config: StoreConfig, (name, value): &(&'static str, String)| {
                config.set(*name, value.clone())
            };
            let located = Self::of_config(&settings.iter().try_fold(config, set)?)?;
            return Ok(Self {
                is_default: true,
                ..located
            });
        }
        let limited = |bytes| {
            let options = StoreOptions::new().max_payload_bytes(bytes);
            let config = DurableConfig::new(&path).options(options);
            SessionBackendConfig::DurableWith(Box::new(config))
        };
        Ok(Self {
            is_default: true,
            ..Self::of_backend(limited(MAX_PAYLOAD_BYTES), limited(usize::MAX))
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// How the store is encrypted, if it is.
    pub fn encryption(&self) -> Option<Encryption> {
        match &self.config {
            SessionBackendConfig::DurableWith(durable) => durable.encryption.clone(),
            SessionBackendConfig::Redis(redis) => redis.encryption.clone(),
            _ => None,
        }
    }

    pub const fn is_file(&self) -> bool {
        self.file.is_some()
    }

    /// Rewrites the file, so that removed data cannot be read from its free pages. The store must
    /// be closed.
    pub fn rewrite(&self) -> Outcome {
        match &self.file {
            Some(file) => Ok(DurableSessionStore::rewrite(DurableConfig::new(file))?),
            None => Ok(()),
        }
    }

    /// Opens an empty store in memory that accepts and refuses what the store itself does.
    pub fn stand_in(&self) -> Outcome<Store> {
        let options = StoreOptions::new().max_payload_bytes(self.max_payload_bytes());
        let config = SessionBackendConfig::InMemoryWith(options);
        let stand_in = Self {
            config,
            file: None,
            ..self.clone()
        };
        stand_in.open_or_create()
    }

    /// It is a file that does not exist.
    pub fn is_absent(&self) -> bool {
        self.file.as_ref().is_some_and(|file| !file.exists())
    }

    /// Opens an existing store. A misspelt path does not create one.
    pub fn open(self) -> Outcome<Store> {
        match &self.file {
            Some(file) if !file.exists() => Err(Failure::new(
                Exit::NotFound,
                format!(
                    "there is no session store {}; name one with --store",
                    file.display()
                ),
            )),
            _ => self.open_or_create(),
        }
    }

    /// Opens a store, and creates it if it does not exist.
    pub fn open_or_create(self) -> Outcome<Store> {
        if let Some(file) = self.file.as_ref().filter(|_| self.is_default) {
            create_directory(file)?;
        }
        let encryption = self.encryption();
        let async_store = create_async_session_store(self.config)?;
        Ok(Store {
            name: self.name,
            encryption,
            blocking: Blocking::from(Arc::clone(&async_store)),
            async_store,
        })
    }
}

/// Creates the directory of a file.
pub fn create_directory(file: &Path) -> Outcome {
    let Some(directory) = file.parent() else {
        return Ok(());
    };
    std::fs::create_dir_all(directory).map_err(|error| Failure::file(directory.display(), &error))
}

/// The directory for the data of this program.
pub fn data_directory() -> Outcome<PathBuf> {
    let from = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty());
    let base = if cfg!(windows) {
        from("LOCALAPPDATA").map(PathBuf::from)
    } else {
        let home = || from("HOME").map(PathBuf::from);
        let usual = if cfg!(target_os = "macos") {
            "Library/Application Support"
        } else {
            ".local/share"
        };
        let named = from("XDG_DATA_HOME").map(PathBuf::from);
        named
            .filter(|path| path.is_absolute())
            .or_else(|| home().map(|home| home.join(usual)))
    };
    base.map(|base| base.join("greentic-session"))
        .ok_or_else(|| Failure::usage("no home directory is known; name a store with --store"))
}

/// The options of a configuration of this program.
const fn options_mut(config: &mut SessionBackendConfig) -> Option<&mut StoreOptions> {
    match config {
        SessionBackendConfig::InMemoryWith(options) => Some(options),
        SessionBackendConfig::DurableWith(durable) => Some(&mut durable.options),
        SessionBackendConfig::Redis(redis) => Some(&mut redis.options),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c18_a_name_shows_no_credentials() {
        let url = "redis://me:hunter2@localhost:7/1?namespace=a&sentinel_password=hunter2";
        let location = Location::of_url(url).unwrap();
        assert_eq!(location.name(), "redis://localhost:7/1?namespace=a");
    }

    #[test]
    fn a_limit_of_the_url_stays() {
        let limit = |url| Location::of_url(url).unwrap().max_payload_bytes();
        assert_eq!(limit("memory:"), MAX_PAYLOAD_BYTES);
        assert_eq!(limit("redb:///a?max_payload_bytes=7"), 7);
        let location = Location::of_url("redis://h?default_ttl=5s&max_payload_bytes=7").unwrap();
        assert_eq!(location.without_limit().max_payload_bytes(), 7);
        let location = Location::of_url("redis://h").unwrap();
        assert_eq!(location.without_limit().max_payload_bytes(), usize::MAX);
    }

    #[test]
    fn a_misspelt_path_creates_no_store() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("no.redb");
        let url = format!("redb://{}", path.display());
        let failure = Location::of_url(&url).unwrap().open().err().unwrap();
        assert_eq!(failure.exit, Exit::NotFound);
        assert!(!path.exists());
    }
}
