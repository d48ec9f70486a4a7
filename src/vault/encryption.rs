//! How a store encrypts what it keeps.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::compression::Compression;
use super::directory_shelf::DirectoryShelf;
use super::envelope_vault::EnvelopeVault;
use super::key_vault::KeyVault;
use super::keyring::Keyring;
use super::plaintext::Plaintext;
use crate::error::{SessionResult, invalid_input};

/// How a store encrypts what it keeps: where its keys come from, and what it does with data in clear.
///
/// ```
/// use std::sync::Arc;
/// use greentic_session::vault::{Encryption, Keyring, Plaintext};
///
/// let keyring = Keyring::generate()?;
/// let encryption = Encryption::new(Arc::new(keyring)).plaintext(Plaintext::Accept);
/// # let _ = encryption;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Encryption(Box<Settings>);

/// The settings of an encryption. They are boxed, because the configurations of stores are moved.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    source: Source,
    pub shelf: Option<PathBuf>,
    pub plaintext: Plaintext,
    pub compression: Compression,
    pub hides_summary: bool,
    pub cached_keys: usize,
    pub cached_for: Duration,
}

/// Where the vault comes from. A keyring is read when the store is opened.
#[derive(Clone)]
enum Source {
    Vault(Arc<dyn KeyVault>),
    KeyringFile(PathBuf),
    KeyringVariable(String),
    /// None is named yet.
    #[cfg(any(feature = "redis", feature = "durable"))]
    Missing,
}

impl Encryption {
    /// Encrypts with the keys of a vault.
    #[must_use]
    pub fn new(vault: Arc<dyn KeyVault>) -> Self {
        Self::of(Source::Vault(vault))
    }

    /// Encrypts with a keyring, which is read from its file when the store is opened: see
    /// [`Keyring::from_file`].
    #[must_use]
    pub fn keyring_file(path: impl Into<PathBuf>) -> Self {
        Self::of(Source::KeyringFile(path.into()))
    }

    /// Encrypts with a keyring, which is read from a variable of the environment when the store is
    /// opened: see [`Keyring::from_variable`].
    #[must_use]
    pub fn keyring_variable(name: impl Into<String>) -> Self {
        Self::of(Source::KeyringVariable(name.into()))
    }

    /// Names the keyring of settings: a file, or `env:` and a variable.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub(crate) fn set_keyring(settings: &mut Option<Self>, place: &str) {
        let source = match place.strip_prefix("env:") {
            Some(variable) => Source::KeyringVariable(variable.to_owned()),
            None => Source::KeyringFile(place.into()),
        };
        Self::set(settings, |it| it.source = source);
    }

    /// Changes settings. They can come before the keyring.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub(crate) fn set(settings: &mut Option<Self>, change: impl FnOnce(&mut Settings)) {
        change(&mut settings.get_or_insert_with(|| Self::of(Source::Missing)).0);
    }

    fn of(source: Source) -> Self {
        Self(Box::new(Settings {
            source,
            shelf: None,
            plaintext: Plaintext::Refuse,
            compression: Compression::None,
            hides_summary: false,
            cached_keys: 1024,
            cached_for: Duration::from_secs(600),
        }))
    }

    /// Keeps a random key of each tenant in a directory, wrapped with the keyring: see
    /// [`DirectoryShelf`]. So the keys of one tenant can be shredded. Without effect on another vault.
    ///
    /// The directory must not be in the backups of the store.
    #[must_use]
    pub fn shelf(mut self, directory: impl Into<PathBuf>) -> Self {
        self.0.shelf = Some(directory.into());
        self
    }

    /// What to do with data in clear. Default: [`Plaintext::Refuse`].
    #[must_use]
    pub fn plaintext(mut self, plaintext: Plaintext) -> Self {
        self.0.plaintext = plaintext;
        self
    }

    /// What to do to session data before it is sealed. Default: [`Compression::None`]. Replies are never
    /// compressed.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.0.compression = compression;
        self
    }

    /// Hides flow, pack, node and size of each session, which are stored in clear otherwise. `scan` then
    /// tells `sealed` instead of them, and the stored size.
    #[must_use]
    pub fn hide_summary(mut self) -> Self {
        self.0.hides_summary = true;
        self
    }

    /// How many keys a store has in memory, and for how long it uses one before it asks the vault again.
    /// Default: 1,024 keys, 10 minutes.
    ///
    /// The time bounds how late a store notices a rotation or a shredding by another process.
    #[must_use]
    pub fn cache(mut self, keys: usize, ttl: Duration) -> Self {
        self.0.cached_keys = keys;
        self.0.cached_for = ttl;
        self
    }

    pub(crate) const fn settings(&self) -> &Settings {
        &self.0
    }

    /// Returns the vault.
    ///
    /// # Errors
    /// As for [`Keyring::from_file`] and [`Keyring::from_variable`].
    pub fn vault(&self) -> SessionResult<Arc<dyn KeyVault>> {
        let keyring = match &self.0.source {
            Source::Vault(vault) => return Ok(Arc::clone(vault)),
            _ => self.keyring()?,
        };
        let keyring =
            keyring.ok_or_else(|| invalid_input("encryption needs the setting `keyring`"))?;
        Ok(match &self.0.shelf {
            Some(directory) => {
                let shelf = DirectoryShelf::new(directory);
                Arc::new(EnvelopeVault::new(keyring, shelf))
            }
            None => Arc::new(keyring),
        })
    }

    /// Reads the keyring. None if the keys come from another vault.
    ///
    /// # Errors
    /// As for [`Keyring::from_file`] and [`Keyring::from_variable`].
    pub fn keyring(&self) -> SessionResult<Option<Keyring>> {
        match &self.0.source {
            Source::KeyringFile(path) => Keyring::from_file(path).map(Some),
            Source::KeyringVariable(name) => Keyring::from_variable(name).map(Some),
            _ => Ok(None),
        }
    }
}

/// Shows no key, and not where a keyring is.
impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption")
            .field("source", &self.0.source)
            .field("plaintext", &self.0.plaintext)
            .field("compression", &self.0.compression)
            .field("hides_summary", &self.0.hides_summary)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(_) => f.write_str("a vault"),
            Self::KeyringFile(_) => f.write_str("the file of a keyring"),
            Self::KeyringVariable(_) => f.write_str("the variable of a keyring"),
            #[cfg(any(feature = "redis", feature = "durable"))]
            Self::Missing => f.write_str("none"),
        }
    }
}

/// Vaults are equal if they are the same.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Vault(one), Self::Vault(other)) => Arc::ptr_eq(one, other),
            (Self::KeyringFile(one), Self::KeyringFile(other)) => one == other,
            (Self::KeyringVariable(one), Self::KeyringVariable(other)) => one == other,
            #[cfg(any(feature = "redis", feature = "durable"))]
            (Self::Missing, Self::Missing) => true,
            _ => false,
        }
    }
}

impl Eq for Source {}
