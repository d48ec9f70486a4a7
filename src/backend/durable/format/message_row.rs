//! A remembered message, as the body of a row of `messages`.

use super::bytes::{Bytes, Damage, Reader};
use crate::claim::TokenSecret;
use crate::clock::Timestamp;
use crate::message_id::MessageDigest;
use crate::rules::Remembered;

/// A remembered message. `age` orders the messages of an owner, oldest first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MessageRow {
    pub until: Timestamp,
    pub secret: TokenSecret,
    pub age: u64,
}

impl MessageRow {
    /// The message of this row, without its reply.
    pub const fn remembered(&self, message: MessageDigest) -> Remembered {
        Remembered {
            message,
            secret: self.secret,
            until: self.until,
            reply: None,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        Bytes::default()
            .u64(self.until.as_millis())
            .u128(self.secret.0.get())
            .u64(self.age)
            .into_vec()
    }

    pub fn decode(body: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader(body);
        let row = Self {
            until: reader.instant()?,
            secret: reader.secret()?,
            age: reader.u64()?,
        };
        reader.end()?;
        Ok(row)
    }
}
