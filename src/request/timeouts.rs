//! Checked calls that set timeouts, or claim what is due (C32, C33).

use greentic_types::{SessionKey, TenantCtx};

use super::fence;
use crate::due::DueOptions;
use crate::error::{SessionResult, invalid_input};
use crate::holder::Holder;
use crate::ids::check_key;
use crate::options::{MAX_DUE, NextTtl, lease_millis};
use crate::owner::Owner;
use crate::timeout::{NextTimeout, Timeout};

/// Checks the timeout of a wait that is parked with this TTL. Against a kept TTL, which only the storage
/// knows, the storage checks it.
pub(super) fn next(timeout: Option<Timeout>, ttl: NextTtl) -> SessionResult<Option<NextTimeout>> {
    let Some(timeout) = timeout.map(NextTimeout::checked).transpose()? else {
        return Ok(None);
    };
    if let NextTtl::Given(ttl) = ttl {
        timeout.require_within(ttl)?;
    }
    Ok(Some(timeout))
}

pub(crate) struct SetTimeout {
    pub fence: Option<Owner>,
    pub key: SessionKey,
    pub timeout: Option<NextTimeout>,
}

impl SetTimeout {
    pub fn new(
        ctx: Option<&TenantCtx>,
        key: &SessionKey,
        timeout: Option<Timeout>,
    ) -> SessionResult<Self> {
        check_key(key)?;
        Ok(Self {
            fence: fence(ctx, key)?,
            key: key.clone(),
            timeout: timeout.map(NextTimeout::checked).transpose()?,
        })
    }
}

#[derive(Clone)]
pub(crate) struct ClaimDue {
    pub lease_millis: u64,
    /// From 1 to [`MAX_DUE`].
    pub limit: usize,
    pub holder: Option<Holder>,
}

impl ClaimDue {
    pub fn new(options: &DueOptions) -> SessionResult<Self> {
        let limit = options.limit;
        if limit == 0 || limit > MAX_DUE {
            return Err(invalid_input(format!(
                "the limit of {limit} turns is not from 1 to {MAX_DUE}"
            )));
        }
        Ok(Self {
            lease_millis: lease_millis(options.lease)?,
            limit,
            holder: options.holder.clone().map(Holder::checked).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn c33_a_limit_outside_the_bounds_is_refused() {
        let options = DueOptions::new(Duration::from_secs(1));
        for limit in [0, MAX_DUE + 1, usize::MAX] {
            let refused = ClaimDue::new(&options.clone().limit(limit)).map(|_| ());
            assert!(refused.unwrap_err().message.contains("from 1 to 100"));
        }
        assert!(ClaimDue::new(&options.limit(MAX_DUE)).is_ok());
        assert!(ClaimDue::new(&DueOptions::new(Duration::MAX)).is_err());
    }
}
