//! The bytes of each row; docs/durable-format.md describes them.
//!
//! A value is a version byte, a checksum over its key and its body, and the body. Numbers are
//! big-endian, so that keys that start with one sort by it.

use greentic_types::SessionKey;

pub(super) use super::bytes::{Bytes, Damage, seal, unseal};
use super::bytes::{Reader, text};
use crate::claim::{MessageDigest, TokenSecret};
use crate::clock::Timestamp;
use crate::error::SessionResult;
use crate::options::OperationId;
use crate::owner::Owner;
use crate::payload;
use crate::rules::{Head, Lease, Wait};
use crate::scope::ScopeDigest;
use crate::session::NewSession;

pub(super) const RECORD_VERSION: u8 = 1;

// Which optional parts of a head follow.
const NAMES_USER: u8 = 1;
const HAS_DEADLINE: u8 = 1 << 1;
const HAS_OPERATION: u8 = 1 << 2;
const HAS_WAIT: u8 = 1 << 3;
const HAS_LEASE: u8 = 1 << 4;
const HAS_RELEASED: u8 = 1 << 5;
const ALL_FLAGS: u8 = (1 << 6) - 1;

pub(super) fn encode_head(head: &Head) -> Vec<u8> {
    let lease = head.wait.as_ref().and_then(|wait| wait.lease.as_ref());
    let released = head.wait.as_ref().and_then(|wait| wait.released);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags = flag(head.names_user, NAMES_USER)
        | flag(head.deadline.is_some(), HAS_DEADLINE)
        | flag(head.operation.is_some(), HAS_OPERATION)
        | flag(head.wait.is_some(), HAS_WAIT)
        | flag(lease.is_some(), HAS_LEASE)
        | flag(released.is_some(), HAS_RELEASED);
    let mut bytes = Bytes::default()
        .u8(flags)
        .text(head.owner.as_str())
        .u64(head.revision)
        .u64(head.created.as_millis());
    if let Some(deadline) = head.deadline {
        bytes = bytes.u64(deadline.as_millis());
    }
    if let Some(operation) = head.operation {
        bytes = bytes.u128(operation.as_u128());
    }
    if let Some(wait) = &head.wait {
        bytes = bytes
            .raw(wait.scope.as_bytes())
            .u64(wait.order)
            .u64(wait.since.as_millis())
            .u32(wait.attempt);
    }
    if let Some(lease) = lease {
        bytes = bytes
            .u128(lease.secret.0.get())
            .u64(lease.until.as_millis())
            .u64(lease.fencing);
    }
    if let Some(released) = released {
        bytes = bytes.u128(released.0.get());
    }
    bytes.into_vec()
}

/// The data of a session as a whole row, sealed.
pub(super) fn encode_payload(session: &NewSession) -> SessionResult<Vec<u8>> {
    let json = payload::encode(session.data())?;
    Ok(seal(session.key().as_str().as_bytes(), &json))
}

pub(super) fn decode_head(body: &[u8]) -> Result<Head, Damage> {
    let mut reader = Reader(body);
    let flags = reader.u8()?;
    let has = |flag: u8| flags & flag != 0;
    let wait_only = has(HAS_LEASE) || has(HAS_RELEASED);
    if flags & !ALL_FLAGS != 0 || (wait_only && !has(HAS_WAIT)) {
        return Err(Damage("its flags are unknown"));
    }
    let mut head = Head {
        names_user: has(NAMES_USER),
        owner: Owner::from_encoded(reader.text()?),
        revision: reader.u64()?,
        created: reader.instant()?,
        deadline: None,
        operation: None,
        wait: None,
    };
    if has(HAS_DEADLINE) {
        head.deadline = Some(reader.instant()?);
    }
    if has(HAS_OPERATION) {
        let number = reader.u128()?;
        head.operation = Some(OperationId::from_u128(number));
    }
    if has(HAS_WAIT) {
        head.wait = Some(Wait {
            scope: ScopeDigest::from_bytes(reader.array()?),
            order: reader.u64()?,
            since: reader.instant()?,
            attempt: reader.u32()?,
            lease: has(HAS_LEASE)
                .then(|| decode_lease(&mut reader))
                .transpose()?,
            released: has(HAS_RELEASED).then(|| reader.secret()).transpose()?,
        });
    }
    reader.end()?;
    Ok(head)
}

fn decode_lease(reader: &mut Reader<'_>) -> Result<Lease, Damage> {
    Ok(Lease {
        secret: reader.secret()?,
        until: reader.instant()?,
        fencing: reader.u64()?,
    })
}

/// What is kept per owner; the row goes when it is empty (C13).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OwnerState {
    pub waits: u32,
    pub messages: u32,
    pub latest_created: Option<SessionKey>,
}

impl OwnerState {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn encode(&self) -> Vec<u8> {
        let latest = self.latest_created.as_ref();
        Bytes::default()
            .u32(self.waits)
            .u32(self.messages)
            .text(latest.map_or("", SessionKey::as_str))
            .into_vec()
    }

    pub fn decode(body: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader(body);
        let waits = reader.u32()?;
        let messages = reader.u32()?;
        let latest = reader.text()?;
        reader.end()?;
        Ok(Self {
            waits,
            messages,
            latest_created: (!latest.is_empty()).then(|| SessionKey::new(latest)),
        })
    }
}

/// The value of a remembered message; `age` is its place among the owner's messages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageRow {
    pub until: Timestamp,
    pub secret: TokenSecret,
    pub age: u64,
}

impl MessageRow {
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

pub(super) fn decode_key(body: &[u8]) -> Result<SessionKey, Damage> {
    Ok(SessionKey::new(text(body)?))
}

pub(super) fn decode_digest(body: &[u8]) -> Result<MessageDigest, Damage> {
    let mut reader = Reader(body);
    let digest = reader.array()?;
    reader.end()?;
    Ok(MessageDigest(digest))
}

/// The start of all keys of an owner: after its length, so that no owner's is the start of
/// another's.
pub(super) fn owner_key(owner: &Owner) -> Bytes {
    Bytes::default().text(owner.as_str())
}

pub(super) fn split_owner_key(key: &[u8]) -> Result<(Owner, &[u8]), Damage> {
    let mut reader = Reader(key);
    let owner = Owner::from_encoded(reader.text()?);
    Ok((owner, reader.0))
}

/// Something that ends at an instant.
pub(super) enum Due {
    Session(SessionKey),
    Message(Owner, MessageDigest),
}

const DUE_SESSION: u8 = 1;
const DUE_MESSAGE: u8 = 2;

impl Due {
    pub fn key(&self, at: Timestamp) -> Vec<u8> {
        let bytes = Bytes::default().u64(at.as_millis());
        match self {
            Self::Session(key) => bytes.u8(DUE_SESSION).raw(key.as_str().as_bytes()),
            Self::Message(owner, message) => {
                bytes.u8(DUE_MESSAGE).text(owner.as_str()).raw(&message.0)
            }
        }
        .into_vec()
    }

    pub fn from_key(key: &[u8]) -> Result<(Timestamp, Self), Damage> {
        let mut reader = Reader(key);
        let at = reader.instant()?;
        let due = match reader.u8()? {
            DUE_SESSION => Self::Session(decode_key(reader.0)?),
            DUE_MESSAGE => {
                let (owner, digest) = split_owner_key(reader.0)?;
                Self::Message(owner, decode_digest(digest)?)
            }
            _ => return Err(Damage("its kind is unknown")),
        };
        Ok((at, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(wait: Option<Wait>) -> Head {
        Head {
            owner: Owner::from_encoded("dev:acme:-:user-1"),
            names_user: true,
            revision: 7,
            deadline: wait.as_ref().map(|_| Timestamp::from_millis(9_000)),
            created: Timestamp::from_millis(1_000),
            operation: wait.as_ref().map(|_| OperationId::from_u128(42)),
            wait,
        }
    }

    fn wait(secret: Option<TokenSecret>) -> Wait {
        Wait {
            scope: ScopeDigest::from_bytes([3; 32]),
            order: 5,
            since: Timestamp::from_millis(2_000),
            attempt: 2,
            lease: secret.map(|secret| Lease {
                secret,
                until: Timestamp::from_millis(3_000),
                fencing: 11,
            }),
            released: secret,
        }
    }

    #[test]
    fn c8_a_head_comes_back_as_it_was() {
        let secret = TokenSecret::random();
        for head in [
            head(None),
            head(Some(wait(None))),
            head(Some(wait(Some(secret)))),
        ] {
            let bytes = encode_head(&head);
            let decoded = decode_head(&bytes).unwrap();
            assert_eq!(encode_head(&decoded), bytes);
            assert_eq!(decoded.owner, head.owner);
            assert_eq!(decoded.deadline, head.deadline);
        }
    }

    #[test]
    fn c17_every_cut_and_every_flipped_bit_is_noticed() {
        let key = b"session-1";
        let sealed = seal(
            key,
            &encode_head(&head(Some(wait(Some(TokenSecret::random()))))),
        );
        for length in 0..sealed.len() {
            assert!(
                unseal(key, &sealed[..length])
                    .and_then(decode_head)
                    .is_err()
            );
        }
        for position in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[position / 8] ^= 1 << (position % 8);
            assert!(unseal(key, &flipped).is_err(), "bit {position}");
        }
        assert_eq!(
            unseal(b"session-2", &sealed).err(),
            Some(Damage("its checksum is wrong"))
        );
    }

    #[test]
    fn c17_an_unknown_record_version_is_refused() {
        let mut sealed = seal(b"k", b"body");
        sealed[0] = 2;
        assert_eq!(unseal(b"k", &sealed), Err(Damage("its version is unknown")));
    }

    #[test]
    fn c4_no_owners_keys_start_with_anothers() {
        let short = owner_key(&Owner::from_encoded("a:b:-:u")).into_vec();
        let long = owner_key(&Owner::from_encoded("a:b:-:uu")).into_vec();
        assert!(!long.starts_with(&short));
    }

    #[test]
    fn c12_dues_sort_by_time_and_come_back() {
        let session = Due::Session(SessionKey::new("k"));
        let message = Due::Message(Owner::from_encoded("a:b:-:u"), MessageDigest([1; 32]));
        let early = message.key(Timestamp::from_millis(255));
        let late = session.key(Timestamp::from_millis(256));
        assert!(early < late);
        let (at, due) = Due::from_key(&early).unwrap();
        assert_eq!(at.as_millis(), 255);
        assert!(matches!(due, Due::Message(owner, _) if owner.as_str() == "a:b:-:u"));
        assert!(matches!(Due::from_key(&late), Ok((_, Due::Session(key))) if key.as_str() == "k"));
    }
}
