//! A message that a queue keeps.

use std::fmt;
use std::sync::Arc;

use crate::message_id::MessageId;

/// A message of a queue: its id, and its body as the channel gave it (C28).
///
/// The store does not look into the body, and shows nothing of it.
///
/// ```
/// use greentic_session::{Message, MessageId};
///
/// let message = Message::new(MessageId::new("m-1"), *b"hello");
/// assert_eq!(&*message.body, b"hello");
/// assert_eq!(format!("{message:?}"), "Message { id: MessageId(..), body: 5 bytes }");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The id, by which redeliveries are recognised.
    pub id: MessageId,
    /// The content.
    pub body: Arc<[u8]>,
}

impl Message {
    /// Makes a message.
    pub fn new(id: MessageId, body: impl Into<Arc<[u8]>>) -> Self {
        Self {
            id,
            body: body.into(),
        }
    }
}

/// Prints neither the id nor the body (C18).
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish()
    }
}
