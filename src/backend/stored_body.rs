//! The body of a message of a queue, as it is stored.

use std::sync::Arc;

use crate::message_id::MessageDigest;

/// The body of a message of a queue, as it is stored, to be sealed anew.
pub(crate) struct StoredBody {
    pub message: MessageDigest,
    /// The number under which the durable store keeps it.
    #[cfg(feature = "durable")]
    pub number: u64,
    pub bytes: Arc<[u8]>,
}
