//! Sealing and opening, with the keys of a vault.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use greentic_types::{EnvId, ErrorCode, GreenticError, TenantId};
use zeroize::Zeroizing;

use super::cache::Cache;
use super::cipher;
use super::compression::Compression;
use super::data_key::DataKey;
use super::encryption::Encryption;
use super::key_id::KeyId;
use super::key_vault::KeyVault;
use super::place::{Kind, Place};
use super::plaintext::Plaintext;
use super::tenant_ref::TenantRef;
use crate::before::before;
#[cfg(any(feature = "redis", feature = "durable"))]
use crate::envelope::Envelope;
use crate::envelope::{Malformed, Stored};
use crate::error::{SessionResult, invalid_input};

/// How long a sealer that belongs to no store waits for its vault.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Seals and opens with the keys of a vault, which it keeps in a cache.
///
/// Each store has one of its own. A program can make another for what it keeps beside the store, such
/// as files: the data is bound to a tenant and to a name, and never opens as anything of a store.
///
/// ```
/// use std::sync::Arc;
/// use greentic_session::vault::{Encryption, Keyring, Sealer, TenantRef};
/// use greentic_types::{EnvId, TenantId};
///
/// # fn main() -> greentic_session::SessionResult<()> { pollster::block_on(async {
/// let sealer = Sealer::new(&Encryption::new(Arc::new(Keyring::generate()?)))?;
/// let (env, tenant) = (EnvId::try_from("prod")?, TenantId::try_from("acme")?);
/// let acme = TenantRef::new(&env, &tenant)?;
/// let sealed = sealer.seal(acme, "note-1", b"the caller has a fever").await?;
/// assert_eq!(*sealer.open(acme, "note-1", &sealed).await?, b"the caller has a fever");
/// assert!(sealer.open(acme, "note-2", &sealed).await.is_err());
/// # Ok(()) }) }
/// ```
pub struct Sealer {
    vault: Arc<dyn KeyVault>,
    cache: Cache,
    plaintext: Plaintext,
    compression: Compression,
    hides_summary: bool,
    timeout: Duration,
}

impl Sealer {
    /// Makes a sealer. Reads the keyring, if the keys come from one.
    ///
    /// # Errors
    /// As for [`Encryption::vault`].
    pub fn new(encryption: &Encryption) -> SessionResult<Self> {
        Self::within(encryption, DEFAULT_TIMEOUT)
    }

    /// As [`new`](Self::new); waits for the vault no longer than this.
    pub(crate) fn within(encryption: &Encryption, timeout: Duration) -> SessionResult<Self> {
        let settings = encryption.settings();
        Ok(Self {
            vault: encryption.vault()?,
            cache: Cache::new(settings.cached_keys, settings.cached_for),
            plaintext: settings.plaintext,
            compression: settings.compression,
            hides_summary: settings.hides_summary,
            timeout,
        })
    }

    /// Seals data of a tenant under a name, with the tenant's current key.
    ///
    /// # Errors
    /// - `Unavailable`: the vault does not answer.
    /// - `InvalidInput`: the data is too long.
    pub async fn seal(
        &self,
        tenant: TenantRef<'_>,
        name: &str,
        data: &[u8],
    ) -> SessionResult<Vec<u8>> {
        let tenant = tenant.encoded();
        let key = self.current(&tenant).await?;
        let place = Place::new(Kind::Own, &tenant, name.as_bytes());
        cipher::seal(&key, &place, b"", data, Compression::None)
    }

    /// Opens what was sealed for the tenant under the name.
    ///
    /// # Errors
    /// - `Unavailable`: the vault does not answer.
    /// - `Internal`: it is not sealed, was changed, or was sealed for another tenant or name; or the
    ///   vault has no such key.
    pub async fn open(
        &self,
        tenant: TenantRef<'_>,
        name: &str,
        sealed: &[u8],
    ) -> SessionResult<Zeroizing<Vec<u8>>> {
        let tenant = tenant.encoded();
        let refused = |Malformed(why)| {
            GreenticError::new(
                ErrorCode::Internal,
                format!("the sealed data cannot be opened: {why}"),
            )
        };
        let Stored::Sealed(envelope) = Stored::read(sealed).map_err(refused)? else {
            return Err(refused(Malformed("it is in clear")));
        };
        let key = self.by_id(&tenant, KeyId::from_bytes(envelope.key)).await;
        let key = key.map_err(|error| match error.code {
            ErrorCode::NotFound => refused(Malformed("its key is unknown")),
            _ => error,
        })?;
        let place = Place::new(Kind::Own, &tenant, name.as_bytes());
        cipher::open(&key, &place, &envelope).map_err(refused)
    }

    /// Forgets the keys of a tenant that are in memory, after they were shredded.
    pub fn forget(&self, tenant: TenantRef<'_>) {
        self.cache.forget(&tenant.encoded());
    }

    /// The key that new data of the tenant `env:tenant` is sealed with.
    ///
    /// # Errors
    /// `Unavailable` if the vault fails, or does not answer in time.
    pub(crate) async fn current(&self, tenant: &str) -> SessionResult<Arc<DataKey>> {
        if let Some(key) = self.cache.current(tenant, Instant::now()) {
            return Ok(key);
        }
        let (env, name) = decoded(tenant)?;
        let asked = self.vault.current(TenantRef::new(&env, &name)?);
        let key = Arc::new(
            self.answered(asked)
                .await?
                .map_err(|error| failed(&error))?,
        );
        self.cache.add(tenant, &key, true, Instant::now());
        Ok(key)
    }

    /// The key of the tenant `env:tenant` with this id, if it is in the cache.
    pub(crate) fn cached(&self, tenant: &str, id: KeyId) -> Option<Arc<DataKey>> {
        self.cache.by_id(tenant, id, Instant::now())
    }

    /// The key of the tenant `env:tenant` with this id.
    ///
    /// # Errors
    /// `NotFound` if the vault has none, `Unavailable` if it fails, or does not answer in time.
    pub(crate) async fn by_id(&self, tenant: &str, id: KeyId) -> SessionResult<Arc<DataKey>> {
        if let Some(key) = self.cached(tenant, id) {
            return Ok(key);
        }
        let (env, name) = decoded(tenant)?;
        let asked = self.vault.by_id(TenantRef::new(&env, &name)?, id);
        let key = self
            .answered(asked)
            .await?
            .map_err(|error| match error.code {
                ErrorCode::NotFound => error,
                _ => failed(&error),
            })?;
        if key.id() != id {
            return Err(GreenticError::new(
                ErrorCode::Unavailable,
                "the vault of keys answered with another key",
            ));
        }
        let key = Arc::new(key);
        self.cache.add(tenant, &key, false, Instant::now());
        Ok(key)
    }

    /// Whether data in clear is read.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub(crate) fn accepts_clear(&self) -> bool {
        self.plaintext == Plaintext::Accept
    }

    /// Whether envelopes have no summary.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub(crate) const fn hides_summary(&self) -> bool {
        self.hides_summary
    }

    /// Seals the data of a session.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub(crate) fn seal_session(
        &self,
        key: &DataKey,
        place: &Place<'_>,
        summary: &[u8],
        data: &[u8],
    ) -> SessionResult<Vec<u8>> {
        cipher::seal(key, place, summary, data, self.compression)
    }

    /// Seals another value. Its length in clear can be told from that of the envelope.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub(crate) fn seal_value(
        key: &DataKey,
        place: &Place<'_>,
        data: &[u8],
    ) -> SessionResult<Vec<u8>> {
        cipher::seal(key, place, b"", data, Compression::None)
    }

    /// Opens a value at its place.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub(crate) fn open_value(
        key: &DataKey,
        place: &Place<'_>,
        envelope: &Envelope<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, Malformed> {
        cipher::open(key, place, envelope)
    }

    /// Waits for the vault, for a time.
    async fn answered<T>(&self, asked: impl Future<Output = T>) -> SessionResult<T> {
        let end = Instant::now() + self.timeout;
        before(end, asked).await.ok_or_else(|| {
            let seconds = self.timeout.as_secs_f64();
            GreenticError::new(
                ErrorCode::Unavailable,
                format!("the vault of keys did not answer within {seconds} s; nothing was done"),
            )
        })
    }
}

/// Shows no key.
impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("plaintext", &self.plaintext)
            .field("compression", &self.compression)
            .field("hides_summary", &self.hides_summary)
            .finish_non_exhaustive()
    }
}

fn decoded(tenant: &str) -> SessionResult<(EnvId, TenantId)> {
    let (env, name) = tenant
        .split_once(':')
        .ok_or_else(|| invalid_input("the tenant is malformed"))?;
    Ok((EnvId(env.to_owned()), TenantId(name.to_owned())))
}

fn failed(error: &GreenticError) -> GreenticError {
    let message = format!("the vault of keys failed: {}", error.message);
    GreenticError::new(ErrorCode::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::vault::keyring::Keyring;

    /// A vault that counts the calls, and hangs or fails if it is told to.
    struct Moody {
        keyring: Keyring,
        calls: AtomicUsize,
        mood: Mood,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Mood {
        Good,
        Hangs,
        Fails,
        Forgets,
    }

    impl Moody {
        async fn answer(&self) -> SessionResult<()> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            match self.mood {
                Mood::Good => Ok(()),
                Mood::Hangs => std::future::pending().await,
                Mood::Fails => Err(invalid_input("the KMS is down")),
                Mood::Forgets => Err(GreenticError::new(ErrorCode::NotFound, "unknown")),
            }
        }
    }

    #[async_trait]
    impl KeyVault for Moody {
        async fn current(&self, tenant: TenantRef<'_>) -> SessionResult<DataKey> {
            self.answer().await?;
            self.keyring.current(tenant).await
        }

        async fn by_id(&self, tenant: TenantRef<'_>, id: KeyId) -> SessionResult<DataKey> {
            self.answer().await?;
            self.keyring.by_id(tenant, id).await
        }
    }

    fn sealer(keyring: &Keyring, mood: Mood) -> (Sealer, Arc<Moody>) {
        let vault = Arc::new(Moody {
            keyring: keyring.clone(),
            calls: AtomicUsize::new(0),
            mood,
        });
        let encryption = Encryption::new(Arc::<Moody>::clone(&vault));
        let sealer = Sealer::within(&encryption, Duration::from_millis(20));
        (sealer.unwrap(), vault)
    }

    fn ids() -> (EnvId, TenantId) {
        (EnvId("prod".to_owned()), TenantId("acme".to_owned()))
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        pollster::block_on(future)
    }

    #[test]
    fn the_vault_is_asked_on_a_miss_only() {
        let (sealer, vault) = sealer(&Keyring::generate().unwrap(), Mood::Good);
        let (env, tenant) = ids();
        let acme = TenantRef::new(&env, &tenant).unwrap();
        let sealed = wait(sealer.seal(acme, "n", b"data")).unwrap();
        for _ in 0..10 {
            wait(sealer.seal(acme, "n", b"data")).unwrap();
            assert_eq!(*wait(sealer.open(acme, "n", &sealed)).unwrap(), b"data");
        }
        assert_eq!(vault.calls.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn c35_a_vault_that_hangs_or_fails_is_unavailable_and_seals_nothing() {
        let keyring = Keyring::generate().unwrap();
        let (env, tenant) = ids();
        let acme = TenantRef::new(&env, &tenant).unwrap();
        let (good, _) = sealer(&keyring, Mood::Good);
        let sealed = wait(good.seal(acme, "n", b"data")).unwrap();
        for mood in [Mood::Hangs, Mood::Fails] {
            let (sealer, _) = sealer(&keyring, mood);
            let sealing = wait(sealer.seal(acme, "n", b"data")).unwrap_err();
            let opening = wait(sealer.open(acme, "n", &sealed)).unwrap_err();
            assert_eq!(sealing.code, ErrorCode::Unavailable);
            assert_eq!(opening.code, ErrorCode::Unavailable);
        }
        let (forgetful, _) = sealer(&keyring, Mood::Forgets);
        let sealing = wait(forgetful.seal(acme, "n", b"data")).unwrap_err();
        assert_eq!(sealing.code, ErrorCode::Unavailable);
        let opening = wait(forgetful.open(acme, "n", &sealed)).unwrap_err();
        assert_eq!(opening.code, ErrorCode::Internal);
        assert!(opening.message.contains("key"), "{opening}");
    }

    #[test]
    fn c36_data_of_another_tenant_or_in_clear_is_refused() {
        let (sealer, _) = sealer(&Keyring::generate().unwrap(), Mood::Good);
        let (env, tenant) = ids();
        let acme = TenantRef::new(&env, &tenant).unwrap();
        let sealed = wait(sealer.seal(acme, "n", b"data")).unwrap();
        let other = TenantId("other".to_owned());
        let other = TenantRef::new(&env, &other).unwrap();
        for refused in [
            wait(sealer.open(other, "n", &sealed)),
            wait(sealer.open(acme, "m", &sealed)),
            wait(sealer.open(acme, "n", b"data")),
        ] {
            assert_eq!(refused.unwrap_err().code, ErrorCode::Internal);
        }
    }
}
