//! The lease of a claim.

use crate::claim::TokenSecret;
use crate::clock::Timestamp;

/// The lease of a claim. It is live until its end, and void after a write without its token.
#[derive(Clone)]
pub(crate) struct Lease {
    pub secret: TokenSecret,
    pub until: Timestamp,
    pub fencing: u64,
}

impl Lease {
    /// Returns false from the end of the lease on. The wait can then be claimed again (C16); until
    /// that happens, the token still commits.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.until
    }
}
