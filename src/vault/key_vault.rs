//! Where the keys of tenants come from.

use async_trait::async_trait;

use super::data_key::DataKey;
use super::key_id::KeyId;
use super::tenant_ref::TenantRef;
use crate::error::{SessionResult, invalid_input};

/// Where the keys of tenants come from.
///
/// A store asks when a key is not in its cache, and waits for the answer as long as for its server at
/// most. A vault that fails or hangs makes the call `Unavailable`: nothing is stored in clear.
///
/// The futures run on the caller's executor, or on none: blocking callers poll them too. A vault that
/// needs a runtime brings its own handle.
#[async_trait]
pub trait KeyVault: Send + Sync + 'static {
    /// Returns the key that new data of the tenant is sealed with; makes one if there is none.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be told now.
    async fn current(&self, tenant: TenantRef<'_>) -> SessionResult<DataKey>;

    /// Returns the tenant's key with this id.
    ///
    /// # Errors
    /// - `NotFound`: the tenant has no such key; it was shredded, or is another vault's.
    /// - `Unavailable`: it cannot be told now.
    async fn by_id(&self, tenant: TenantRef<'_>, id: KeyId) -> SessionResult<DataKey>;

    /// Makes a new key of the tenant, which [`current`](Self::current) returns from now on. The old
    /// ones can still be found.
    ///
    /// # Errors
    /// - `InvalidInput`: this vault rotates in another way. The default.
    /// - `Unavailable`: it was not done.
    async fn rotate(&self, tenant: TenantRef<'_>) -> SessionResult<KeyId> {
        let _ = tenant;
        Err(invalid_input(
            "this vault rotates no key of a single tenant",
        ))
    }

    /// Whether [`shred`](Self::shred) can be called. Default: no.
    fn can_shred(&self) -> bool {
        false
    }

    /// Destroys all keys of the tenant, and returns their ids. What was sealed with them, wherever a
    /// copy of it is, can then be opened by nobody; but a process that has a key in its cache can
    /// until the entry ends.
    ///
    /// # Errors
    /// - `InvalidInput`: this vault cannot. The default.
    /// - `Unavailable`: it was done in part, or not.
    async fn shred(&self, tenant: TenantRef<'_>) -> SessionResult<Vec<KeyId>> {
        let _ = tenant;
        Err(invalid_input(
            "this vault cannot shred the keys of a tenant",
        ))
    }
}
