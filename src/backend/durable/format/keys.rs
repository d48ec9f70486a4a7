//! The keys of rows that belong to an owner, and the keys that rows refer to.

use greentic_types::SessionKey;

use super::bytes::{Bytes, Damage, Reader, text};
use crate::message_id::MessageDigest;
use crate::owner::Owner;
use crate::scope::ScopeDigest;

/// The prefix of all keys of an owner. It starts with its length, so that no owner's prefix is a
/// prefix of another's.
pub fn owner_key(owner: &Owner) -> Bytes {
    Bytes::default().text(owner.as_str())
}

/// Splits a key of an owner into the owner and the rest.
pub fn split_owner_key(key: &[u8]) -> Result<(Owner, &[u8]), Damage> {
    let mut reader = Reader(key);
    let owner = Owner::from_encoded(reader.text()?);
    Ok((owner, reader.0))
}

/// Decodes a key, or the end of one, that is an owner and no more.
pub fn decode_owner(key: &[u8]) -> Result<Owner, Damage> {
    match split_owner_key(key)? {
        (owner, []) => Ok(owner),
        _ => Err(Damage("it is too long")),
    }
}

/// The key of a row of `routes` or `starts`.
pub fn route_key(owner: &Owner, scope: &ScopeDigest) -> Vec<u8> {
    owner_key(owner).raw(scope.as_bytes()).into_vec()
}

/// The key of a row of `messages`.
pub fn message_key(owner: &Owner, message: &MessageDigest) -> Vec<u8> {
    owner_key(owner).raw(&message.0).into_vec()
}

/// The key of a row of `ages`, and of one of `replies`.
pub fn age_key(owner: &Owner, age: u64) -> Vec<u8> {
    owner_key(owner).u64(age).into_vec()
}

/// The key of a row of `bodies`.
pub fn body_key(owner: &Owner, number: u64) -> Vec<u8> {
    owner_key(owner).u64(number).into_vec()
}

/// Decodes a session key: the key of a session's rows, and the body of a route.
pub fn decode_session_key(bytes: &[u8]) -> Result<SessionKey, Damage> {
    Ok(SessionKey::new(text(bytes)?))
}

/// Decodes the digest of a message: the body of a row of `ages`.
pub fn decode_digest(bytes: &[u8]) -> Result<MessageDigest, Damage> {
    let mut reader = Reader(bytes);
    let digest = reader.array()?;
    reader.end()?;
    Ok(MessageDigest(digest))
}

/// Decodes the digest of a scope: the rest of a key of `starts`.
pub fn decode_scope(bytes: &[u8]) -> Result<ScopeDigest, Damage> {
    let mut reader = Reader(bytes);
    let digest = reader.array()?;
    reader.end()?;
    Ok(ScopeDigest::from_bytes(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c4_no_owners_prefix_is_a_prefix_of_anothers() {
        let short = owner_key(&Owner::from_encoded("a:b:-:u")).into_vec();
        let long = owner_key(&Owner::from_encoded("a:b:-:uu")).into_vec();
        assert!(!long.starts_with(&short));
    }
}
