//! Where wrapped keys are kept.

use async_trait::async_trait;

use super::key_id::KeyId;
use super::tenant_ref::TenantRef;
use crate::error::SessionResult;

/// A wrapped key, and its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShelvedKey {
    /// The id.
    pub id: KeyId,
    /// The key, as the service wrapped it.
    pub wrapped: Vec<u8>,
}

/// Where the wrapped keys of tenants are kept.
///
/// **The shelf must not be in the backups of the store.** A backup that holds both holds the keys of what
/// was shredded.
#[async_trait]
pub trait KeyShelf: Send + Sync + 'static {
    /// Returns the keys of a tenant, the oldest first. It is empty for a tenant without any.
    ///
    /// # Errors
    /// `Unavailable` if they cannot be read.
    async fn read(&self, tenant: TenantRef<'_>) -> SessionResult<Vec<ShelvedKey>>;

    /// Adds a key behind the `position` keys that the tenant has. Returns false, and changes nothing, if
    /// the tenant has another number of keys by now.
    ///
    /// # Errors
    /// `Unavailable` if it was not done.
    async fn add(
        &self,
        tenant: TenantRef<'_>,
        position: usize,
        key: &ShelvedKey,
    ) -> SessionResult<bool>;

    /// Removes all keys of a tenant.
    ///
    /// # Errors
    /// `Unavailable` if some are left.
    async fn clear(&self, tenant: TenantRef<'_>) -> SessionResult<()>;
}
