//! The service that wraps keys.

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::data_key::KEY_BYTES;
use super::tenant_ref::TenantRef;
use crate::error::SessionResult;

/// A service that wraps keys with one that never leaves it: a KMS, Vault, an HSM.
///
/// The tenant should be bound to the wrapped key, as the encryption context of the service.
#[async_trait]
pub trait KeyWrap: Send + Sync + 'static {
    /// Wraps a key of the tenant.
    ///
    /// # Errors
    /// `Unavailable` if the service does not.
    async fn wrap(&self, tenant: TenantRef<'_>, key: &[u8; KEY_BYTES]) -> SessionResult<Vec<u8>>;

    /// Unwraps a key of the tenant.
    ///
    /// # Errors
    /// - `NotFound`: the service has destroyed the wrapping key, or the bytes are not its own.
    /// - `Unavailable`: the service does not answer.
    async fn unwrap(
        &self,
        tenant: TenantRef<'_>,
        wrapped: &[u8],
    ) -> SessionResult<Zeroizing<[u8; KEY_BYTES]>>;
}
