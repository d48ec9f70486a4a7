//! The location of a store, and its opening.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use greentic_session::durable::{DurableConfig, DurableSessionStore};
use greentic_session::{
    AsyncSessionStore, Blocking, SessionBackendConfig, create_async_session_store,
};

use crate::error::{Exit, Failure, Outcome};

/// An open store.
#[derive(Clone)]
pub struct Store {
    /// Its URL without credentials (C18).
    pub name: String,
    pub blocking: Blocking,
    pub async_store: Arc<dyn AsyncSessionStore>,
}

/// The location of a store.
#[derive(Clone)]
pub struct Location {
    name: String,
    config: SessionBackendConfig,
    /// The path, if it is a file.
    file: Option<PathBuf>,
    /// It is the default file, whose directory is created too.
    is_default: bool,
}

impl Location {
    /// The location of a URL, or else the default one.
    pub fn new(url: Option<&str>) -> Outcome<Self> {
        match url {
            Some(url) => Self::of_url(url),
            None => Self::default_file(),
        }
    }

    fn of_url(url: &str) -> Outcome<Self> {
        let config = SessionBackendConfig::from_url(url)?;
        let file = match &config {
            SessionBackendConfig::DurableWith(durable) => Some(durable.path.clone()),
            _ => None,
        };
        Ok(Self {
            name: without_credentials(url),
            config,
            file,
            is_default: false,
        })
    }

    fn default_file() -> Outcome<Self> {
        let path = data_directory()?.join("sessions.redb");
        Ok(Self {
            name: format!("redb://{}", path.display()),
            config: SessionBackendConfig::Durable { path: path.clone() },
            file: Some(path),
            is_default: true,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
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
        let async_store = create_async_session_store(self.config)?;
        Ok(Store {
            name: self.name,
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

/// A URL without user and password.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, location))) => format!("{scheme}://{location}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c18_a_name_shows_no_credentials() {
        let location = Location::new(Some("redis://me:hunter2@localhost:7/1?namespace=a")).unwrap();
        assert_eq!(location.name(), "redis://localhost:7/1?namespace=a");
    }

    #[test]
    fn a_misspelt_path_creates_no_store() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("no.redb");
        let url = format!("redb://{}", path.display());
        let failure = Location::new(Some(&url)).unwrap().open().err().unwrap();
        assert_eq!(failure.exit, Exit::NotFound);
        assert!(!path.exists());
    }
}
