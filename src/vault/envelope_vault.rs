//! Random keys of tenants, wrapped by a service.

use std::fmt;

use async_trait::async_trait;
use greentic_types::{ErrorCode, GreenticError};
use zeroize::Zeroizing;

use super::data_key::DataKey;
use super::key_id::KeyId;
use super::key_shelf::{KeyShelf, ShelvedKey};
use super::key_vault::KeyVault;
use super::key_wrap::KeyWrap;
use super::tenant_ref::TenantRef;
use crate::error::SessionResult;

/// How often a key is added again, because another process was first.
const ATTEMPTS: usize = 8;

/// Random keys of each tenant, wrapped by a service and kept on a shelf.
///
/// `shred` removes a tenant's keys from the shelf: what was sealed with them is then unreadable, in every
/// copy. That holds only if **no backup of the shelf is kept beside the backups of the store**.
///
/// ```
/// use async_trait::async_trait;
/// use greentic_session::vault::{
///     DirectoryShelf, EnvelopeVault, KeyVault, KeyWrap, TenantRef, Zeroizing,
/// };
/// use greentic_session::{ErrorCode, GreenticError, SessionResult};
/// use greentic_types::{EnvId, TenantId};
///
/// /// Stands for a KMS: a real one sends the key to its service, with the tenant as the context.
/// struct Fake;
///
/// #[async_trait]
/// impl KeyWrap for Fake {
///     async fn wrap(&self, _: TenantRef<'_>, key: &[u8; 32]) -> SessionResult<Vec<u8>> {
///         Ok(key.iter().map(|byte| byte ^ 0x55).collect())
///     }
///     async fn unwrap(
///         &self, _: TenantRef<'_>, wrapped: &[u8],
///     ) -> SessionResult<Zeroizing<[u8; 32]>> {
///         let key: Vec<u8> = wrapped.iter().map(|byte| byte ^ 0x55).collect();
///         let foreign = |_| GreenticError::new(ErrorCode::NotFound, "not wrapped here");
///         Ok(Zeroizing::new(key.try_into().map_err(foreign)?))
///     }
/// }
///
/// # fn main() -> SessionResult<()> { pollster::block_on(async {
/// # let directory = tempfile::tempdir().map_err(|_| GreenticError::new(
/// #     ErrorCode::Unavailable, "no directory"))?;
/// # let path = directory.path().join("shelf");
/// let vault = EnvelopeVault::new(Fake, DirectoryShelf::new(path));
/// let (env, tenant) = (EnvId::try_from("prod")?, TenantId::try_from("acme")?);
/// let acme = TenantRef::new(&env, &tenant)?;
/// let key = vault.current(acme).await?;
/// assert_eq!(vault.shred(acme).await?, [key.id()]);
/// assert_eq!(vault.by_id(acme, key.id()).await.unwrap_err().code, ErrorCode::NotFound);
/// # Ok(()) }) }
/// ```
pub struct EnvelopeVault<K, S> {
    wrap: K,
    shelf: S,
}

impl<K: KeyWrap, S: KeyShelf> EnvelopeVault<K, S> {
    /// Makes a vault of a service and a shelf.
    #[must_use]
    pub const fn new(wrap: K, shelf: S) -> Self {
        Self { wrap, shelf }
    }

    async fn unwrapped(
        &self,
        tenant: TenantRef<'_>,
        shelved: &ShelvedKey,
    ) -> SessionResult<DataKey> {
        let key = self.wrap.unwrap(tenant, &shelved.wrapped).await?;
        Ok(DataKey::new(shelved.id, key))
    }

    /// Adds a new key behind the `position` keys of the tenant; none if another process was first.
    async fn add(&self, tenant: TenantRef<'_>, position: usize) -> SessionResult<Option<DataKey>> {
        let key = Zeroizing::new(super::random::bytes()?);
        let shelved = ShelvedKey {
            id: KeyId::random()?,
            wrapped: self.wrap.wrap(tenant, &key).await?,
        };
        let is_added = self.shelf.add(tenant, position, &shelved).await?;
        Ok(is_added.then(|| DataKey::new(shelved.id, key)))
    }
}

fn busy() -> GreenticError {
    GreenticError::new(
        ErrorCode::Unavailable,
        "other processes keep adding keys to the shelf",
    )
}

#[async_trait]
impl<K: KeyWrap, S: KeyShelf> KeyVault for EnvelopeVault<K, S> {
    async fn current(&self, tenant: TenantRef<'_>) -> SessionResult<DataKey> {
        for _ in 0..ATTEMPTS {
            if let Some(last) = self.shelf.read(tenant).await?.last() {
                return self.unwrapped(tenant, last).await;
            }
            if let Some(key) = self.add(tenant, 0).await? {
                return Ok(key);
            }
        }
        Err(busy())
    }

    async fn by_id(&self, tenant: TenantRef<'_>, id: KeyId) -> SessionResult<DataKey> {
        let keys = self.shelf.read(tenant).await?;
        match keys.iter().find(|key| key.id == id) {
            Some(shelved) => self.unwrapped(tenant, shelved).await,
            None => Err(GreenticError::new(
                ErrorCode::NotFound,
                "the shelf has no such key",
            )),
        }
    }

    async fn rotate(&self, tenant: TenantRef<'_>) -> SessionResult<KeyId> {
        for _ in 0..ATTEMPTS {
            let position = self.shelf.read(tenant).await?.len();
            if let Some(key) = self.add(tenant, position).await? {
                return Ok(key.id());
            }
        }
        Err(busy())
    }

    fn can_shred(&self) -> bool {
        true
    }

    async fn shred(&self, tenant: TenantRef<'_>) -> SessionResult<Vec<KeyId>> {
        let keys = self.shelf.read(tenant).await?;
        self.shelf.clear(tenant).await?;
        Ok(keys.iter().map(|key| key.id).collect())
    }
}

/// Shows no key.
impl<K, S> fmt::Debug for EnvelopeVault<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnvelopeVault").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use greentic_types::{EnvId, TenantId};

    use super::*;
    use crate::vault::DirectoryShelf;

    /// A service that can be down.
    #[derive(Clone, Default)]
    struct Service(Arc<AtomicBool>);

    impl Service {
        fn answer(&self) -> SessionResult<()> {
            match self.0.load(Ordering::SeqCst) {
                true => Err(GreenticError::new(ErrorCode::Unavailable, "down")),
                false => Ok(()),
            }
        }
    }

    fn turned(tenant: TenantRef<'_>, bytes: &[u8]) -> Vec<u8> {
        let shift = tenant.tenant.as_str().len() as u8;
        bytes.iter().map(|byte| byte ^ shift).collect()
    }

    #[async_trait]
    impl KeyWrap for Service {
        async fn wrap(&self, tenant: TenantRef<'_>, key: &[u8; 32]) -> SessionResult<Vec<u8>> {
            self.answer()?;
            Ok(turned(tenant, key))
        }

        async fn unwrap(
            &self,
            tenant: TenantRef<'_>,
            wrapped: &[u8],
        ) -> SessionResult<Zeroizing<[u8; 32]>> {
            self.answer()?;
            Ok(Zeroizing::new(turned(tenant, wrapped).try_into().unwrap()))
        }
    }

    struct Fixture {
        directory: tempfile::TempDir,
        service: Service,
        env: EnvId,
        tenant: TenantId,
    }

    impl Fixture {
        fn new() -> Self {
            Self {
                directory: tempfile::tempdir().unwrap(),
                service: Service::default(),
                env: EnvId("prod".to_owned()),
                tenant: TenantId("acme".to_owned()),
            }
        }

        /// Another process.
        fn vault(&self) -> EnvelopeVault<Service, DirectoryShelf> {
            let shelf = DirectoryShelf::new(self.directory.path().join("shelf"));
            EnvelopeVault::new(self.service.clone(), shelf)
        }

        fn tenant(&self) -> TenantRef<'_> {
            TenantRef::new(&self.env, &self.tenant).unwrap()
        }
    }

    fn wait<T>(future: impl Future<Output = T>) -> T {
        pollster::block_on(future)
    }

    #[test]
    fn the_key_of_a_tenant_is_made_once_and_found_by_other_processes() {
        let fixture = Fixture::new();
        let key = wait(fixture.vault().current(fixture.tenant())).unwrap();
        let again = wait(fixture.vault().current(fixture.tenant())).unwrap();
        assert_eq!(key.secret(), again.secret());
        let found = wait(fixture.vault().by_id(fixture.tenant(), key.id())).unwrap();
        assert_eq!(key.secret(), found.secret());
        let other = TenantId("other".to_owned());
        let other = TenantRef::new(&fixture.env, &other).unwrap();
        let foreign = wait(fixture.vault().by_id(other, key.id())).unwrap_err();
        assert_eq!(foreign.code, ErrorCode::NotFound);
    }

    #[test]
    fn processes_that_begin_together_have_one_key() {
        let fixture = Fixture::new();
        let ids: HashSet<_> = std::thread::scope(|scope| {
            let make = || {
                wait(fixture.vault().current(fixture.tenant()))
                    .unwrap()
                    .id()
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(make)).collect();
            threads.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 1);
    }

    #[test]
    fn c37_a_rotation_keeps_the_old_keys_and_shredding_none() {
        let fixture = Fixture::new();
        let (vault, tenant) = (fixture.vault(), fixture.tenant());
        let old = wait(vault.current(tenant)).unwrap();
        let new = wait(vault.rotate(tenant)).unwrap();
        assert_eq!(wait(vault.current(tenant)).unwrap().id(), new);
        let found = wait(vault.by_id(tenant, old.id())).unwrap();
        assert_eq!(found.secret(), old.secret());
        assert_eq!(wait(vault.shred(tenant)).unwrap(), [old.id(), new]);
        for id in [old.id(), new] {
            let gone = wait(vault.by_id(tenant, id)).unwrap_err();
            assert_eq!(gone.code, ErrorCode::NotFound);
        }
        assert_eq!(wait(vault.shred(tenant)).unwrap(), []);
        let fresh = wait(vault.current(tenant)).unwrap();
        assert!(fresh.id() != old.id() && fresh.id() != new);
    }

    #[test]
    fn a_service_that_is_down_makes_no_key() {
        let fixture = Fixture::new();
        fixture.service.0.store(true, Ordering::SeqCst);
        let vault = fixture.vault();
        let down = wait(vault.current(fixture.tenant())).unwrap_err();
        assert_eq!(down.code, ErrorCode::Unavailable);
        fixture.service.0.store(false, Ordering::SeqCst);
        let shelf = DirectoryShelf::new(fixture.directory.path().join("shelf"));
        assert_eq!(wait(shelf.read(fixture.tenant())).unwrap(), []);
        assert!(wait(vault.current(fixture.tenant())).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_shelf_is_private_and_holds_no_key_in_clear() {
        use std::os::unix::fs::PermissionsExt;

        let fixture = Fixture::new();
        let key = wait(fixture.vault().current(fixture.tenant())).unwrap();
        let shelf = fixture.directory.path().join("shelf");
        let folder = std::fs::read_dir(&shelf).unwrap().next().unwrap().unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 1, "no part is left");
        let file = files[0].as_ref().unwrap().path();
        let mode =
            |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(&folder.path())), (0o600, 0o700));
        let bytes = std::fs::read(file).unwrap();
        assert!(!bytes.windows(32).any(|window| window == key.secret()));
    }
}
