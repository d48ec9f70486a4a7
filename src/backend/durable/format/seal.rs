//! The seal of a row: a version byte and a checksum over key and body, in front of the body.

use super::bytes::{Damage, Reader};
use crate::envelope::clear_length;

/// The version of the layout of all bodies.
pub const RECORD_VERSION: u8 = 1;

const SEAL_BYTES: usize = 5;

pub fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

/// Wraps a body as the value of a row.
pub fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(SEAL_BYTES + body.len());
    value.push(RECORD_VERSION);
    value.extend_from_slice(&checksum(key, body).to_be_bytes());
    value.extend_from_slice(body);
    value
}

/// The length in clear of the reply in a value.
pub fn reply_length(value: &[u8]) -> usize {
    clear_length(value.get(SEAL_BYTES..).unwrap_or_default())
}

/// Returns the body of a value, after checking its version and checksum.
pub fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Damage> {
    let mut reader = Reader(value);
    if reader.u8()? != RECORD_VERSION {
        return Err(Damage("its version is unknown"));
    }
    let expected = reader.u32()?;
    if checksum(key, reader.0) != expected {
        return Err(Damage("its checksum is wrong"));
    }
    Ok(reader.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c17_an_unknown_record_version_is_refused() {
        let mut sealed = seal(b"k", b"body");
        sealed[0] = RECORD_VERSION + 1;
        assert_eq!(unseal(b"k", &sealed), Err(Damage("its version is unknown")));
    }

    #[test]
    fn c17_a_row_under_another_key_is_refused() {
        let sealed = seal(b"session-1", b"body");
        assert_eq!(
            unseal(b"session-2", &sealed),
            Err(Damage("its checksum is wrong"))
        );
    }
}
