//! Which store a command works on.

use std::path::{Path, PathBuf};

use greentic_session::StoreConfig;

use crate::args::Common;
use crate::contexts::Contexts;
use crate::error::Outcome;
use crate::store::{Location, Store};

/// The prefix of the variables that a runtime reads too.
const PREFIX: &str = "GREENTIC_SESSION__";

/// What the arguments and the environment say of stores. Arguments go before the environment, so that
/// a variable cannot redirect a command that names its store or its file.
pub struct Stores {
    /// The argument `--store`.
    store: Option<String>,
    /// The argument `--config`.
    config: Option<PathBuf>,
}

impl Stores {
    pub fn new(common: &Common) -> Self {
        Self {
            store: common.store.clone(),
            config: common.config.clone(),
        }
    }

    /// The store of the command.
    pub fn chosen(&self) -> Outcome<Location> {
        if let Some(store) = &self.store {
            return self.named(store);
        }
        if let Some(config) = &self.config {
            return default_of(config);
        }
        if let Some(store) = variable("GREENTIC_SESSION_STORE") {
            return self.named(&store.to_string_lossy());
        }
        if let Some(config) = variable("GREENTIC_SESSION_CONFIG") {
            return default_of(Path::new(&config));
        }
        match variable(&format!("{PREFIX}URL")) {
            Some(_) => Location::of_config(&StoreConfig::from_env(PREFIX)?),
            None => Location::default_file(),
        }
    }

    /// The store of a URL, or of a name in the file of `--config`.
    pub fn named(&self, store: &str) -> Outcome<Location> {
        let file = || variable("GREENTIC_SESSION_CONFIG").map(PathBuf::from);
        let file = self.config.clone().or_else(file);
        match file.filter(|_| !store.contains(':')) {
            Some(file) => Location::of_config(&Contexts::read(&file)?.named(store)?),
            None => Location::of_url(store),
        }
    }

    /// Opens the store of the command, which must exist.
    pub fn open(&self) -> Outcome<Store> {
        self.chosen()?.open()
    }
}

fn default_of(file: &Path) -> Outcome<Location> {
    Location::of_config(&Contexts::read(file)?.default()?)
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
