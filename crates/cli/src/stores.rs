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
    /// The settings of the arguments, which replace those of the store.
    settings: Vec<(&'static str, String)>,
}

impl Stores {
    pub fn new(common: &Common) -> Self {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let keyring = common.keyring.as_ref().map(|it| ("keyring", path(it)));
        let shelf = common.shelf.as_ref().map(|it| ("shelf", path(it)));
        Self {
            store: common.store.clone(),
            config: common.config.clone(),
            settings: keyring.into_iter().chain(shelf).collect(),
        }
    }

    /// The same, which read what is stored in clear also where it is refused.
    pub fn accepting_clear(&self) -> Self {
        let mut settings = self.settings.clone();
        settings.push(("plaintext", "accept".to_owned()));
        Self {
            store: self.store.clone(),
            config: self.config.clone(),
            settings,
        }
    }

    fn located(&self, config: StoreConfig) -> Outcome<Location> {
        let set = |config: StoreConfig, (name, value): &(&'static str, String)| {
            config.set(*name, value.clone())
        };
        Location::of_config(&self.settings.iter().try_fold(config, set)?)
    }

    /// The store of the command.
    pub fn chosen(&self) -> Outcome<Location> {
        if let Some(store) = &self.store {
            return self.named(store);
        }
        if let Some(config) = &self.config {
            return self.located(default_of(config)?);
        }
        if let Some(store) = variable("GREENTIC_SESSION_STORE") {
            return self.named(&store.to_string_lossy());
        }
        if let Some(config) = variable("GREENTIC_SESSION_CONFIG") {
            return self.located(default_of(Path::new(&config))?);
        }
        match variable(&format!("{PREFIX}URL")) {
            Some(_) => self.located(StoreConfig::from_env(PREFIX)?),
            None => Location::default_file(&self.settings),
        }
    }

    /// The store of a URL, or of a name in the file of `--config`.
    pub fn named(&self, store: &str) -> Outcome<Location> {
        let file = || variable("GREENTIC_SESSION_CONFIG").map(PathBuf::from);
        let file = self.config.clone().or_else(file);
        match file.filter(|_| !store.contains(':')) {
            Some(file) => self.located(Contexts::read(&file)?.named(store)?),
            None => self.located(StoreConfig::from_url(store)?),
        }
    }

    /// Opens the store of the command, which must exist.
    pub fn open(&self) -> Outcome<Store> {
        self.chosen()?.open()
    }
}

fn default_of(file: &Path) -> Outcome<StoreConfig> {
    Contexts::read(file)?.default()
}

fn variable(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}
