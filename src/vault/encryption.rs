//! How a store encrypts what it keeps.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::compression::Compression;
use super::key_vault::KeyVault;
use super::keyring::Keyring;
use super::plaintext::Plaintext;
use crate::error::SessionResult;

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
#[derive(Clone)]
pub struct Encryption {
    source: Source,
    pub(super) plaintext: Plaintext,
    pub(super) compression: Compression,
    pub(super) hides_summary: bool,
    pub(super) cached_keys: usize,
    pub(super) cached_for: Duration,
}

/// Where the vault comes from. A keyring is read when the store is opened.
#[derive(Clone)]
enum Source {
    Vault(Arc<dyn KeyVault>),
    KeyringFile(PathBuf),
    KeyringVariable(String),
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

    const fn of(source: Source) -> Self {
        Self {
            source,
            plaintext: Plaintext::Refuse,
            compression: Compression::None,
            hides_summary: false,
            cached_keys: 1024,
            cached_for: Duration::from_secs(600),
        }
    }

    /// What to do with data in clear. Default: [`Plaintext::Refuse`].
    #[must_use]
    pub const fn plaintext(mut self, plaintext: Plaintext) -> Self {
        self.plaintext = plaintext;
        self
    }

    /// What to do to session data before it is sealed. Default: [`Compression::None`]. Replies are never
    /// compressed.
    #[must_use]
    pub const fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// Hides flow, pack, node and size of each session, which are stored in clear otherwise. `scan` then
    /// tells `sealed` instead of them, and the stored size.
    #[must_use]
    pub const fn hide_summary(mut self) -> Self {
        self.hides_summary = true;
        self
    }

    /// How many keys a store has in memory, and for how long it uses one before it asks the vault again.
    /// Default: 1,024 keys, 10 minutes.
    ///
    /// The time bounds how late a store notices a rotation or a shredding by another process.
    #[must_use]
    pub const fn cache(mut self, keys: usize, ttl: Duration) -> Self {
        self.cached_keys = keys;
        self.cached_for = ttl;
        self
    }

    /// Returns the vault.
    ///
    /// # Errors
    /// As for [`Keyring::from_file`] and [`Keyring::from_variable`].
    pub fn vault(&self) -> SessionResult<Arc<dyn KeyVault>> {
        Ok(match &self.source {
            Source::Vault(vault) => Arc::clone(vault),
            Source::KeyringFile(path) => Arc::new(Keyring::from_file(path)?),
            Source::KeyringVariable(name) => Arc::new(Keyring::from_variable(name)?),
        })
    }
}

/// Shows no key: of a vault nothing, of a keyring where it is read from.
impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryption")
            .field("source", &self.source)
            .field("plaintext", &self.plaintext)
            .field("compression", &self.compression)
            .field("hides_summary", &self.hides_summary)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(_) => f.write_str("a vault"),
            Self::KeyringFile(path) => f.debug_tuple("KeyringFile").field(path).finish(),
            Self::KeyringVariable(name) => f.debug_tuple("KeyringVariable").field(name).finish(),
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
            _ => false,
        }
    }
}

/// Vaults are equal if they are the same.
impl PartialEq for Encryption {
    fn eq(&self, other: &Self) -> bool {
        let settings = |it: &Self| {
            let cache = (it.cached_keys, it.cached_for);
            (it.plaintext, it.compression, it.hides_summary, cache)
        };
        self.source == other.source && settings(self) == settings(other)
    }
}

impl Eq for Encryption {}
