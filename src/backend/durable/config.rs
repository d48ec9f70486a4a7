//! The settings of a durable store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::duration_text::parse_duration;
use crate::error::{SessionResult, invalid_input};
use crate::observe::{Observer, Watch};
use crate::options::StoreOptions;
use crate::settings::{Layers, MustBe, Setting, Settings, number, pairs, size, switch, time};
#[cfg(feature = "encryption")]
use crate::settings::{hide_summary, plaintext};
#[cfg(feature = "encryption")]
use crate::vault::Encryption;

/// What a write that returned `Ok` survives.
///
/// With either value the file is consistent after every crash, and operations are lost in order: if
/// one operation is there, all operations before it are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The write is on the disk. It survives the end of the process, a crash of the system and a loss
    /// of power. The default.
    SurvivesPowerLoss,
    /// The write survives the end of the process, for whatever reason, and is on the disk at most
    /// `sync_every` later. A loss of power or a crash of the system loses the writes since the last
    /// sync. Closing the store loses nothing.
    SurvivesProcessCrash {
        /// The longest time between a write and its sync.
        sync_every: Duration,
    },
}

/// The location and the settings of a durable store.
///
/// ```
/// use greentic_session::durable::{Durability, DurableConfig};
///
/// let config = DurableConfig::new("/var/lib/flows/sessions.redb").cache_bytes(256 * 1024 * 1024);
/// assert_eq!(config.durability, Durability::SurvivesPowerLoss);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DurableConfig {
    /// The file. It is created if it does not exist; its directory is not. `<file>.owner`, beside it,
    /// says which process has the store open. While it is open, `<file>.journal` has what the file lacks.
    pub path: PathBuf,
    /// The settings that every backend has.
    pub options: StoreOptions,
    /// What a write that returned `Ok` survives. Default: [`Durability::SurvivesPowerLoss`].
    pub durability: Durability,
    /// The size of the page cache, in bytes. Default: 64 MiB.
    pub cache_bytes: usize,
    /// The largest number of operations in one commit. Default: 1,024.
    pub max_batch: usize,
    /// The largest number of queued operations. Further ones are refused at once with `RateLimited`.
    /// Default: 16,384.
    pub max_queued: usize,
    /// How long the writer waits for further operations to join a commit, if the last commit was
    /// shared too. A lone caller never waits. Default: 200 µs.
    pub linger: Duration,
    /// How long an operation may be queued, and then again how long its commit may take. An operation
    /// that takes longer ends in `Timeout`; the message says if it was still queued, and so not done.
    /// Default: 10 s.
    pub timeout: Duration,
    /// How long opening waits if another process has the file open. Default: 2 s.
    pub open_timeout: Duration,
    /// Whether opening compacts the file if most of it is free. Default: true.
    pub compact_on_open: bool,
    /// Whether opening verifies the checksum of every page. This is slow, and needed only if something
    /// else may have changed the file. After a crash every page is verified anyway. Default: false.
    pub check_on_open: bool,
    /// Whether each sync of the file also records the free pages, so that opening after a crash need
    /// not read the whole file. These syncs become slower. Default: false.
    pub quick_repair: bool,
    /// How what is stored is encrypted (C35). Default: not.
    #[cfg(feature = "encryption")]
    pub encryption: Option<Encryption>,
    pub(crate) watch: Watch,
}

impl DurableConfig {
    /// Returns the default settings for a file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            options: StoreOptions::new(),
            durability: Durability::SurvivesPowerLoss,
            cache_bytes: 64 * 1024 * 1024,
            max_batch: 1024,
            max_queued: 16 * 1024,
            linger: Duration::from_micros(200),
            timeout: Duration::from_secs(10),
            open_timeout: Duration::from_secs(2),
            compact_on_open: true,
            check_on_open: false,
            quick_repair: false,
            #[cfg(feature = "encryption")]
            encryption: None,
            watch: Watch::default(),
        }
    }

    /// Returns the default settings for a URL such as `redb:///var/lib/flows/sessions.redb`.
    ///
    /// The path is absolute and percent-encoded. The query, behind a `?`, sets the options by name, such
    /// as `?default_ttl=7d&cache_bytes=256MiB`: those of [`StoreOptions`], the fields of this type, and
    /// `sync_every`, which means [`Durability::SurvivesProcessCrash`].
    ///
    /// # Errors
    /// `InvalidInput` if the URL has another form.
    ///
    /// ```
    /// use greentic_session::durable::DurableConfig;
    ///
    /// let config = DurableConfig::from_url("redb:///tmp/my%20flows.redb")?;
    /// assert_eq!(config.path.to_str(), Some("/tmp/my flows.redb"));
    /// # Ok::<(), greentic_session::GreenticError>(())
    /// ```
    pub fn from_url(url: &str) -> SessionResult<Self> {
        Self::from_layers(url, &Layers::default())
    }

    /// As `from_url`, with settings below and above those of the URL.
    pub(crate) fn from_layers(url: &str, layers: &Layers) -> SessionResult<Self> {
        let path = url.strip_prefix("redb://").ok_or_else(|| {
            invalid_input("a durable store's URL starts with redb:// and an absolute path")
        })?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if !path.starts_with('/') || path.len() == 1 {
            return Err(invalid_input(
                "a redb:// URL needs three slashes and an absolute path, and takes no host",
            ));
        }
        if path.contains('#') || query.contains('#') {
            return Err(invalid_input(
                "a redb:// URL has no fragment; write %3F or %23 for '?' or '#' in a path",
            ));
        }
        let mut config = Self::new(percent_decoded(path)?);
        config.set_all(layers.below())?;
        config.set_all(pairs(query))?;
        config.set_all(layers.above())?;
        Ok(config)
    }

    /// Sets [`DurableConfig::options`].
    #[must_use]
    pub const fn options(mut self, options: StoreOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets [`DurableConfig::durability`].
    #[must_use]
    pub const fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets [`DurableConfig::cache_bytes`].
    #[must_use]
    pub const fn cache_bytes(mut self, bytes: usize) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Sets [`DurableConfig::max_batch`]; 0 becomes 1.
    #[must_use]
    pub const fn max_batch(mut self, operations: usize) -> Self {
        self.max_batch = if operations == 0 { 1 } else { operations };
        self
    }

    /// Sets [`DurableConfig::max_queued`]; 0 becomes 1.
    #[must_use]
    pub const fn max_queued(mut self, operations: usize) -> Self {
        self.max_queued = if operations == 0 { 1 } else { operations };
        self
    }

    /// Sets [`DurableConfig::linger`].
    #[must_use]
    pub const fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets [`DurableConfig::timeout`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets [`DurableConfig::open_timeout`].
    #[must_use]
    pub const fn open_timeout(mut self, timeout: Duration) -> Self {
        self.open_timeout = timeout;
        self
    }

    /// Sets [`DurableConfig::compact_on_open`].
    #[must_use]
    pub const fn compact_on_open(mut self, compact: bool) -> Self {
        self.compact_on_open = compact;
        self
    }

    /// Sets [`DurableConfig::check_on_open`].
    #[must_use]
    pub const fn check_on_open(mut self, check: bool) -> Self {
        self.check_on_open = check;
        self
    }

    /// Sets [`DurableConfig::quick_repair`].
    #[must_use]
    pub const fn quick_repair(mut self, quick: bool) -> Self {
        self.quick_repair = quick;
        self
    }

    /// Sets [`DurableConfig::encryption`].
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
}

impl Settings for DurableConfig {
    const OWN: &'static [Setting<Self>] = &[
        Setting("sync_every", |config, value| {
            let mut sync_every = Duration::ZERO;
            time(value, &mut sync_every)?;
            config.durability = Durability::SurvivesProcessCrash { sync_every };
            Ok(())
        }),
        Setting("cache_bytes", |config, value| {
            size(value, &mut config.cache_bytes)
        }),
        Setting("max_batch", |config, value| {
            positive(value, &mut config.max_batch)
        }),
        Setting("max_queued", |config, value| {
            positive(value, &mut config.max_queued)
        }),
        Setting("linger", |config, value| {
            config.linger = parse_duration(value).map_err(|_| MustBe("a time such as 200us"))?;
            Ok(())
        }),
        Setting("timeout", |config, value| time(value, &mut config.timeout)),
        Setting("open_timeout", |config, value| {
            time(value, &mut config.open_timeout)
        }),
        Setting("compact_on_open", |config, value| {
            switch(value, &mut config.compact_on_open)
        }),
        Setting("check_on_open", |config, value| {
            switch(value, &mut config.check_on_open)
        }),
        Setting("quick_repair", |config, value| {
            switch(value, &mut config.quick_repair)
        }),
        #[cfg(feature = "encryption")]
        Setting("keyring", |config, value| {
            Encryption::set_keyring(&mut config.encryption, value);
            Ok(())
        }),
        #[cfg(feature = "encryption")]
        Setting("shelf", |config, value| {
            Encryption::set(&mut config.encryption, |it| it.shelf = Some(value.into()));
            Ok(())
        }),
        #[cfg(feature = "encryption")]
        Setting("plaintext", |config, value| {
            plaintext(value, &mut config.encryption)
        }),
        #[cfg(feature = "encryption")]
        Setting("hide_summary", |config, value| {
            hide_summary(value, &mut config.encryption)
        }),
    ];

    fn options_mut(&mut self) -> &mut StoreOptions {
        &mut self.options
    }
}

fn positive(text: &str, into: &mut usize) -> Result<(), MustBe> {
    number(text, into)?;
    match *into {
        0 => Err(MustBe("at least 1")),
        _ => Ok(()),
    }
}

/// Prints the URL of the file, without parameters.
impl fmt::Display for DurableConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display().to_string().replace('%', "%25");
        let path = path.replace('?', "%3F").replace('#', "%23");
        write!(f, "redb://{path}")
    }
}

fn percent_decoded(text: &str) -> SessionResult<String> {
    let broken = || invalid_input("a '%' in a redb:// URL needs two hexadecimal digits after it");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = rest.get(..2).ok_or_else(broken)?;
        bytes.extend(hex::decode(digits).map_err(|_| broken())?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes)
        .map_err(|_| invalid_input("the path of a redb:// URL is not UTF-8 once decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::FindByUser;

    #[test]
    fn a_url_names_an_absolute_path() {
        let path = |url: &str| DurableConfig::from_url(url).map(|config| config.path);
        assert_eq!(
            path("redb:///var/a.redb").unwrap(),
            PathBuf::from("/var/a.redb")
        );
        assert_eq!(path("redb:///a%23b").unwrap(), PathBuf::from("/a#b"));
        let config = DurableConfig::from_url("redb:///a%3Fb?find_by_user=waits-only").unwrap();
        assert_eq!(config.path, PathBuf::from("/a?b"));
        assert_eq!(config.to_string(), "redb:///a%3Fb");
        assert_eq!(config.options.find_by_user, FindByUser::WaitsOnly);
        for wrong in [
            "redb://a.redb",
            "redb://",
            "redb:///",
            "sqlite:///a",
            "redb:///a?cache=1",
            "redb:///a?max_batch=0",
            "redb:///a?quick_repair=yes",
            "redb:///?default_ttl=1s",
            "redb:///a?default_ttl=1s#b",
            "redb:///a%2",
            "redb:///a%zz",
            "redb:///a%ff",
        ] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }
}
