//! The tenant that a key belongs to.

use greentic_types::{EnvId, TenantId};

use crate::error::SessionResult;
use crate::ids::check_id;

/// The tenant of one env, which a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantRef<'a> {
    /// The env.
    pub env: &'a EnvId,
    /// The tenant.
    pub tenant: &'a TenantId,
}

impl<'a> TenantRef<'a> {
    /// Names a tenant.
    ///
    /// # Errors
    /// `InvalidInput` if an id breaks the id grammar (C1).
    pub fn new(env: &'a EnvId, tenant: &'a TenantId) -> SessionResult<Self> {
        check_id("env", env.as_str())?;
        check_id("tenant", tenant.as_str())?;
        Ok(Self { env, tenant })
    }

    /// `env:tenant`. Ids contain no `:`.
    pub(super) fn encoded(&self) -> String {
        [self.env.as_str(), self.tenant.as_str()].join(":")
    }
}
