//! The id of a message, by which a redelivery is recognised (C16).

use std::fmt;

use greentic_types::SessionKey;

use crate::digest::digest_of;
use crate::error::{SessionResult, invalid_input};

/// The longest message id, in bytes; with a conversation, both together.
pub const MAX_MESSAGE_ID_BYTES: usize = 4096;

// What the digests of ids begin with, so that ids of different kinds are never equal.
const UNIQUE: &[u8] = b"message of a user\0";
const IN_CONVERSATION: &[u8] = b"message in a conversation\0";
const TIMEOUT: &[u8] = b"timeout of a wait\0";

/// The channel's id of a message. Two deliveries of one message have equal ids (C16).
///
/// It contains a digest only, and shows nothing of the id. Thread, reply and correlation are never
/// part of it: a message that is tried on two scopes is one message.
///
/// ```
/// use greentic_session::MessageId;
///
/// assert_eq!(MessageId::new("17"), MessageId::new("17"));
/// assert_ne!(
///     MessageId::in_conversation("chat-1", "17"),
///     MessageId::in_conversation("chat-2", "17"),
/// );
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MessageId(Result<MessageDigest, Fault>);

impl MessageId {
    /// Makes an id of a channel whose ids are unique for the user.
    ///
    /// A call that gets an id which is empty, or longer than [`MAX_MESSAGE_ID_BYTES`], is
    /// `InvalidInput`.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self::of(UNIQUE, &[], id)
    }

    /// Makes an id of a channel that counts the messages of each conversation.
    ///
    /// The limits are those of [`new`](Self::new). The conversation can be empty.
    #[must_use]
    pub fn in_conversation(conversation: &str, id: &str) -> Self {
        Self::of(IN_CONVERSATION, &[conversation], id)
    }

    fn of(kind: &[u8], before: &[&str], id: &str) -> Self {
        let parts = || before.iter().copied().chain([id]);
        let length: usize = parts().map(str::len).sum();
        if id.is_empty() {
            return Self(Err(Fault::Empty));
        }
        if length > MAX_MESSAGE_ID_BYTES {
            return Self(Err(Fault::Long(length)));
        }
        Self(Ok(MessageDigest(digest_of(kind, parts()))))
    }

    /// The id of a message that a store has kept.
    pub(crate) const fn stored(digest: MessageDigest) -> Self {
        Self(Ok(digest))
    }

    /// Returns the digest under which the message is remembered.
    pub(crate) fn digest(&self) -> SessionResult<MessageDigest> {
        self.0.map_err(|fault| {
            invalid_input(match fault {
                Fault::Empty => "the message id is empty".to_owned(),
                Fault::Long(length) => format!(
                    "the message id is {length} bytes long; the limit is {MAX_MESSAGE_ID_BYTES}"
                ),
            })
        })
    }
}

/// Prints nothing of the id (C18).
impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageId(..)")
    }
}

/// Why an id cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Fault {
    Empty,
    Long(usize),
}

/// The digest under which a message id is stored: ids can be long and can name people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MessageDigest(pub [u8; 32]);

impl MessageDigest {
    /// The digest that the timeout of a wait has in place of a message (C33). No id of a sender has it.
    pub fn of_timeout(key: &SessionKey, order: u64) -> Self {
        let order = order.to_string();
        Self(digest_of(TIMEOUT, [key.as_str(), order.as_str()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(id: MessageId) -> [u8; 32] {
        id.digest().unwrap().0
    }

    #[test]
    fn c16_different_parts_never_have_one_digest() {
        let ids = [
            MessageId::new("ab"),
            MessageId::new("a\0b"),
            MessageId::in_conversation("", "ab"),
            MessageId::in_conversation("a", "b"),
            MessageId::in_conversation("b", "a"),
        ];
        let timeout = MessageDigest::of_timeout(&SessionKey::new("a"), 1).0;
        for (place, id) in ids.iter().enumerate() {
            assert_ne!(digest(*id), timeout);
            for other in ids.iter().skip(place + 1) {
                assert_ne!(digest(*id), digest(*other));
            }
        }
    }

    #[test]
    fn c16_the_limit_counts_all_parts() {
        let long = "x".repeat(MAX_MESSAGE_ID_BYTES);
        assert!(MessageId::new(&long).digest().is_ok());
        let refused = MessageId::in_conversation("c", &long).digest().map(|_| ());
        assert!(refused.unwrap_err().message.contains("4097"));
        assert!(MessageId::in_conversation("c", "").digest().is_err());
    }
}
