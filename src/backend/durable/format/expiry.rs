//! Deadlines, as the keys of `expiry`: rows have no value, and are not sealed.

use greentic_types::SessionKey;

use super::bytes::{Bytes, Damage, Reader};
use super::keys::{decode_digest, decode_owner, decode_scope, decode_session_key, split_owner_key};
use crate::clock::Timestamp;
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::scope::ScopeDigest;

/// What a row of `expiry` refers to.
pub enum Expiry {
    Session(SessionKey),
    Message(Owner, MessageDigest),
    Start(Owner, ScopeDigest),
    /// The first message of the queues of an owner.
    Queues(Owner),
}

const EXPIRING_SESSION: u8 = 1;
const EXPIRING_MESSAGE: u8 = 2;
const EXPIRING_START: u8 = 3;
const EXPIRING_QUEUES: u8 = 4;

impl Expiry {
    /// The key of the row for the instant `at`. Keys sort by instant.
    pub fn key(&self, at: Timestamp) -> Vec<u8> {
        let bytes = Bytes::default().u64(at.as_millis());
        match self {
            Self::Session(key) => bytes.u8(EXPIRING_SESSION).raw(key.as_str().as_bytes()),
            Self::Message(owner, message) => bytes
                .u8(EXPIRING_MESSAGE)
                .text(owner.as_str())
                .raw(&message.0),
            Self::Start(owner, scope) => bytes
                .u8(EXPIRING_START)
                .text(owner.as_str())
                .raw(scope.as_bytes()),
            Self::Queues(owner) => bytes.u8(EXPIRING_QUEUES).text(owner.as_str()),
        }
        .into_vec()
    }

    pub fn from_key(key: &[u8]) -> Result<(Timestamp, Self), Damage> {
        let mut reader = Reader(key);
        let at = reader.instant()?;
        let expiry = match reader.u8()? {
            EXPIRING_SESSION => Self::Session(decode_session_key(reader.0)?),
            EXPIRING_MESSAGE => {
                let (owner, digest) = split_owner_key(reader.0)?;
                Self::Message(owner, decode_digest(digest)?)
            }
            EXPIRING_START => {
                let (owner, scope) = split_owner_key(reader.0)?;
                Self::Start(owner, decode_scope(scope)?)
            }
            EXPIRING_QUEUES => Self::Queues(decode_owner(reader.0)?),
            _ => return Err(Damage("its kind is unknown")),
        };
        Ok((at, expiry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c12_expiry_keys_sort_by_time_and_survive_decoding() {
        let session = Expiry::Session(SessionKey::new("k"));
        let message = Expiry::Message(Owner::from_encoded("a:b:-:u"), MessageDigest([1; 32]));
        let early = message.key(Timestamp::from_millis(255));
        let late = session.key(Timestamp::from_millis(256));
        assert!(early < late);
        let (at, expiry) = Expiry::from_key(&early).unwrap();
        assert_eq!(at.as_millis(), 255);
        assert!(matches!(expiry, Expiry::Message(owner, _) if owner.as_str() == "a:b:-:u"));
        assert!(
            matches!(Expiry::from_key(&late), Ok((_, Expiry::Session(key))) if key.as_str() == "k")
        );
    }
}
