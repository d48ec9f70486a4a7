//! The settings of a memory store.

use std::sync::Arc;

use crate::inmemory::InMemorySessionStore;
use crate::observe::{Observer, Watch};
use crate::options::StoreOptions;

/// The settings of a memory store. It keeps nothing at rest, and takes no encryption.
///
/// ```
/// use greentic_session::MemoryConfig;
/// use greentic_session::options::StoreOptions;
///
/// let store = MemoryConfig::new(StoreOptions::new().max_waits(10)).open();
/// # let _ = store;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryConfig {
    /// The settings that all backends share.
    pub options: StoreOptions,
    watch: Watch,
}

impl MemoryConfig {
    /// Returns the settings with these options.
    #[must_use]
    pub fn new(options: StoreOptions) -> Self {
        Self {
            options,
            watch: Watch::default(),
        }
    }

    /// Tells `observer` what the store does (C39). Default: nobody.
    #[must_use]
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        Self {
            watch: Watch::by(observer),
            ..self
        }
    }

    /// Creates an empty store.
    #[must_use]
    pub fn open(self) -> InMemorySessionStore {
        InMemorySessionStore::with_options(self.options).watched(self.watch)
    }
}
