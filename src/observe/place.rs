//! The env and the tenant of a call.

use greentic_types::TenantCtx;

/// Env and tenant of a call, and nothing of the user (C18).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place<'a> {
    /// The env. None for a call that names a session key, a token or a selection alone.
    pub env: Option<&'a str>,
    /// The tenant, as `env`.
    pub tenant: Option<&'a str>,
}

impl<'a> Place<'a> {
    /// The place of a call that names none.
    pub(crate) const UNNAMED: Self = Self {
        env: None,
        tenant: None,
    };

    pub(crate) fn of(ctx: &'a TenantCtx) -> Self {
        Self {
            env: Some(ctx.env.as_str()),
            tenant: Some(ctx.tenant.as_str()),
        }
    }
}
