//! What is due, as the keys of `due` and `queues_due`: rows have no value, and are not sealed.

use greentic_types::SessionKey;

use super::bytes::{Bytes, Damage, Reader};
use super::keys::{decode_owner, decode_session_key};
use crate::clock::Timestamp;
use crate::owner::Owner;

/// The key of the row of a session that is due at an instant. Keys sort by instant.
pub fn due_key(at: Timestamp, key: &SessionKey) -> Vec<u8> {
    let bytes = Bytes::default().u64(at.as_millis());
    bytes.raw(key.as_str().as_bytes()).into_vec()
}

pub fn decode_due(key: &[u8]) -> Result<(Timestamp, SessionKey), Damage> {
    let mut reader = Reader(key);
    Ok((reader.instant()?, decode_session_key(reader.0)?))
}

/// The key of the row of an owner whose first queue is due at an instant. Keys sort by instant.
pub fn queue_due_key(at: Timestamp, owner: &Owner) -> Vec<u8> {
    let bytes = Bytes::default().u64(at.as_millis());
    bytes.text(owner.as_str()).into_vec()
}

pub fn decode_queue_due(key: &[u8]) -> Result<(Timestamp, Owner), Damage> {
    let mut reader = Reader(key);
    Ok((reader.instant()?, decode_owner(reader.0)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c33_due_keys_sort_by_time_and_survive_decoding() {
        let key = SessionKey::new("k");
        let early = due_key(Timestamp::from_millis(255), &key);
        assert!(early < due_key(Timestamp::from_millis(256), &key));
        assert_eq!(decode_due(&early), Ok((Timestamp::from_millis(255), key)));
        assert!(decode_due(&early[..7]).is_err());
    }

    #[test]
    fn c30_due_keys_of_queues_sort_by_time_and_survive_decoding() {
        let owner = Owner::from_encoded("a:b:-:u");
        let early = queue_due_key(Timestamp::from_millis(255), &owner);
        assert!(early < queue_due_key(Timestamp::from_millis(256), &owner));
        let decoded = decode_queue_due(&early).map(|(at, owner)| (at.as_millis(), owner));
        assert!(decoded.is_ok_and(|(at, found)| at == 255 && found == owner));
        assert!(decode_queue_due(&early[..7]).is_err());
    }
}
