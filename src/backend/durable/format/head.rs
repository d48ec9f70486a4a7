//! The head of a session, as the body of a row of `sessions`.

use super::bytes::{Bytes, Damage, Reader};
use crate::clock::Timestamp;
use crate::holder::Holder;
use crate::message_id::MessageDigest;
use crate::options::{OperationId, TtlMillis};
use crate::owner::Owner;
use crate::rules::{Head, Lease, StoredTimeout, Wait};
use crate::scope::ScopeDigest;
use crate::timeout::{TimeoutKind, WaitTimeout};

// Which optional parts follow the fixed ones.
const NAMES_USER: u8 = 1;
const HAS_DEADLINE: u8 = 1 << 1;
const HAS_OPERATION: u8 = 1 << 2;
const HAS_WAIT: u8 = 1 << 3;
const HAS_LEASE: u8 = 1 << 4;
const HAS_RELEASED: u8 = 1 << 5;
const HAS_TTL: u8 = 1 << 6;
const HAS_TIMEOUT: u8 = 1 << 7;

// The kinds of timeouts.
const REMINDS: u8 = 1;
const CLOSES: u8 = 2;
const HAS_CLOSED: u8 = 3;

pub fn encode_head(head: &Head) -> Vec<u8> {
    let lease = head.wait.as_ref().and_then(|wait| wait.lease.as_ref());
    let released = head.wait.as_ref().and_then(|wait| wait.released);
    let timeout = head.wait.as_ref().and_then(|wait| wait.timeout);
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    let flags = flag(head.names_user, NAMES_USER)
        | flag(head.deadline.is_some(), HAS_DEADLINE)
        | flag(head.operation.is_some(), HAS_OPERATION)
        | flag(head.wait.is_some(), HAS_WAIT)
        | flag(lease.is_some(), HAS_LEASE)
        | flag(released.is_some(), HAS_RELEASED)
        | flag(head.ttl.is_some(), HAS_TTL)
        | flag(timeout.is_some(), HAS_TIMEOUT);
    let mut bytes = Bytes::default()
        .u8(flags)
        .text(head.owner.as_str())
        .u64(head.revision)
        .u64(head.created.as_millis());
    if let Some(deadline) = head.deadline {
        bytes = bytes.u64(deadline.as_millis());
    }
    if let Some(ttl) = head.ttl {
        bytes = bytes.u64(ttl.to_number());
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
            .u64(lease.fencing)
            .raw(&lease.message.0)
            .u64(lease.own_deadline.map_or(0, Timestamp::as_millis))
            .text(lease.holder.as_ref().map_or("", Holder::as_str));
    }
    if let Some(released) = released {
        bytes = bytes.u128(released.0.get());
    }
    if let Some(timeout) = timeout {
        bytes = encode_timeout(bytes, &timeout);
    }
    bytes.into_vec()
}

pub fn decode_head(body: &[u8]) -> Result<Head, Damage> {
    let mut reader = Reader(body);
    let flags = reader.u8()?;
    let has = |flag: u8| flags & flag != 0;
    let wait_only = has(HAS_LEASE) || has(HAS_RELEASED) || has(HAS_TIMEOUT);
    if wait_only && !has(HAS_WAIT) {
        return Err(Damage("its flags are unknown"));
    }
    let mut head = Head {
        names_user: has(NAMES_USER),
        owner: Owner::from_encoded(reader.text()?),
        revision: reader.u64()?,
        created: reader.instant()?,
        deadline: None,
        ttl: None,
        operation: None,
        wait: None,
    };
    if has(HAS_DEADLINE) {
        head.deadline = Some(reader.instant()?);
    }
    if has(HAS_TTL) {
        head.ttl = Some(TtlMillis::from_number(reader.u64()?));
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
            timeout: has(HAS_TIMEOUT)
                .then(|| decode_timeout(&mut reader))
                .transpose()?,
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
        message: MessageDigest(reader.array()?),
        own_deadline: Some(reader.u64()?)
            .filter(|millis| *millis > 0)
            .map(Timestamp::from_millis),
        holder: match reader.text()? {
            "" => None,
            name => Some(Holder::stored(name).ok_or(Damage("a holder has no name"))?),
        },
    })
}

fn encode_timeout(bytes: Bytes, stored: &StoredTimeout) -> Bytes {
    let kind = match (stored.timeout.kind, stored.closed) {
        (TimeoutKind::Remind, _) => REMINDS,
        (TimeoutKind::Close, false) => CLOSES,
        (TimeoutKind::Close, true) => HAS_CLOSED,
    };
    let bytes = bytes.u8(kind).u64(stored.timeout.at.as_millis());
    bytes.u32(stored.lapses)
}

fn decode_timeout(reader: &mut Reader<'_>) -> Result<StoredTimeout, Damage> {
    let kind = reader.u8()?;
    let timeout = match kind {
        REMINDS => TimeoutKind::Remind,
        CLOSES | HAS_CLOSED => TimeoutKind::Close,
        _ => return Err(Damage("its timeout is unknown")),
    };
    Ok(StoredTimeout {
        timeout: WaitTimeout::new(reader.instant()?, timeout),
        closed: kind == HAS_CLOSED,
        lapses: reader.u32()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::seal::{seal, unseal};
    use super::*;
    use crate::claim::TokenSecret;

    fn head(wait: Option<Wait>) -> Head {
        Head {
            owner: Owner::from_encoded("dev:acme:-:user-1"),
            names_user: true,
            revision: 7,
            deadline: wait.as_ref().map(|_| Timestamp::from_millis(9_000)),
            ttl: wait.as_ref().map(|_| TtlMillis(Some(7_000))),
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
                message: MessageDigest([4; 32]),
                own_deadline: Some(Timestamp::from_millis(2_500)),
                holder: Holder::stored("pod-7"),
            }),
            released: secret,
            timeout: secret.map(|_| StoredTimeout {
                timeout: WaitTimeout::new(Timestamp::from_millis(8_000), TimeoutKind::Close),
                closed: true,
                lapses: 3,
            }),
        }
    }

    fn own_deadline(head: &Head) -> Option<Timestamp> {
        let lease = head.wait.as_ref().and_then(|wait| wait.lease.as_ref());
        lease.and_then(|lease| lease.own_deadline)
    }

    #[test]
    fn c8_a_head_survives_encoding_and_decoding() {
        let secret = TokenSecret::random();
        let mut not_held_off = wait(Some(secret));
        if let Some(lease) = &mut not_held_off.lease {
            lease.own_deadline = None;
            lease.holder = None;
        }
        for head in [
            head(None),
            head(Some(wait(None))),
            head(Some(wait(Some(secret)))),
            head(Some(not_held_off)),
        ] {
            let bytes = encode_head(&head);
            let decoded = decode_head(&bytes).unwrap();
            assert_eq!(encode_head(&decoded), bytes);
            assert_eq!(decoded.owner, head.owner);
            assert_eq!(decoded.deadline, head.deadline);
            assert_eq!(decoded.ttl, head.ttl);
            assert_eq!(own_deadline(&decoded), own_deadline(&head));
        }
    }

    #[test]
    fn c17_every_truncation_and_every_flipped_bit_is_detected() {
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
    }
}
