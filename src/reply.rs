//! The reply of a committed message, for its redeliveries (C16).

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::error::{SessionResult, invalid_input};

/// The longest reply, in bytes.
pub const MAX_REPLY_BYTES: usize = 64 * 1024;

/// How many bytes the replies of one owner have together at most. The oldest are dropped first.
pub(crate) const MAX_REPLIES_BYTES: usize = 1024 * 1024;

/// A reply of at most [`MAX_REPLY_BYTES`].
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reply(Arc<[u8]>);

impl Reply {
    /// # Errors
    /// `InvalidInput` if it is too long.
    pub fn checked(bytes: Arc<[u8]>) -> SessionResult<Self> {
        if bytes.len() > MAX_REPLY_BYTES {
            return Err(invalid_input(format!(
                "the reply is {} bytes long; the limit is {MAX_REPLY_BYTES}",
                bytes.len()
            )));
        }
        Ok(Self(bytes))
    }

    /// A reply that a store has kept.
    pub fn stored(bytes: Arc<[u8]>) -> Self {
        Self(bytes)
    }

    #[cfg(any(feature = "durable", feature = "redis"))]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn into_bytes(self) -> Arc<[u8]> {
        self.0
    }
}

/// Prints the length only (C18).
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len())
    }
}

/// The form of a reply that prints the length only (C18).
pub(crate) fn shown(reply: Option<&Arc<[u8]>>) -> Option<Reply> {
    reply.map(|bytes| Reply::stored(Arc::clone(bytes)))
}

/// Drops the oldest replies of an owner, until the others have [`MAX_REPLIES_BYTES`] together.
pub(crate) fn keep_newest<'a, R: Borrow<Reply> + 'a>(
    newest_first: impl Iterator<Item = &'a mut Option<R>>,
) {
    let mut bytes = 0_usize;
    for reply in newest_first {
        let length = reply.as_ref().map_or(0, |reply| reply.borrow().len());
        bytes = bytes.saturating_add(length);
        if bytes > MAX_REPLIES_BYTES {
            *reply = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c16_an_overlong_reply_names_both_sizes() {
        assert!(Reply::checked(vec![0; MAX_REPLY_BYTES].into()).is_ok());
        let refused = Reply::checked(vec![0; MAX_REPLY_BYTES + 1].into());
        let message = refused.unwrap_err().message;
        assert!(
            message.contains("65537") && message.contains("65536"),
            "{message}"
        );
    }

    #[test]
    fn c16_the_oldest_replies_are_dropped_and_no_other() {
        let reply = |length: usize| Some(Reply::stored(vec![0; length].into()));
        let half = MAX_REPLIES_BYTES / 2;
        // Newest first. What is behind the first that does not fit goes too.
        let mut replies = [reply(half), None, reply(half), reply(0), reply(1), reply(0)];
        keep_newest(replies.iter_mut());
        let kept = replies.map(|reply| reply.map(|reply| reply.len()));
        assert_eq!(kept, [Some(half), None, Some(half), Some(0), None, None]);
    }

    #[test]
    fn c18_a_reply_shows_its_length_only() {
        let reply = Reply::stored(b"secret".as_slice().into());
        assert_eq!(format!("{reply:?}"), "6 bytes");
    }
}
