//! A start claim, as the body of a row of `starts`.

use super::bytes::{Bytes, Damage, Reader};
use super::keys::decode_session_key;
use crate::message_id::MessageDigest;
use crate::rules::Start;

pub fn encode_start(start: &Start) -> Vec<u8> {
    Bytes::default()
        .u128(start.secret.0.get())
        .u64(start.until.as_millis())
        .u64(start.keep_until.as_millis())
        .u64(start.fencing)
        .u32(start.attempt)
        .u8(u8::from(start.released))
        .raw(&start.message.0)
        .raw(start.key.as_str().as_bytes())
        .into_vec()
}

pub fn decode_start(body: &[u8]) -> Result<Start, Damage> {
    let mut reader = Reader(body);
    Ok(Start {
        secret: reader.secret()?,
        until: reader.instant()?,
        keep_until: reader.instant()?,
        fencing: reader.u64()?,
        attempt: reader.u32()?,
        released: match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Damage("a flag is unknown")),
        },
        message: MessageDigest(reader.array()?),
        key: decode_session_key(reader.0)?,
    })
}
