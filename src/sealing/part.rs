//! What a store keeps of a message.

use greentic_types::{ErrorCode, GreenticError};

use crate::envelope::Malformed;

/// What a store keeps of a message, each in a place of its own (C36).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Reply,
    #[cfg(any(feature = "durable", feature = "encryption"))]
    Body,
}

impl Part {
    /// The error of one that cannot be read. It names no user (C18).
    pub(super) fn unreadable(self, Malformed(why): Malformed) -> GreenticError {
        let name = match self {
            Self::Reply => "reply",
            #[cfg(any(feature = "durable", feature = "encryption"))]
            Self::Body => "body",
        };
        GreenticError::new(
            ErrorCode::Internal,
            format!("the {name} of a message cannot be read: {why}"),
        )
    }

    /// Where operators are told that one was found.
    #[cfg(feature = "encryption")]
    pub const fn place(self) -> &'static str {
        match self {
            Self::Reply => "replies",
            Self::Body => "bodies",
        }
    }
}
