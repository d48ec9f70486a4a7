//! Digest of a kind and of parts: different parts, or different kinds, never have the same.

use sha2::{Digest, Sha256};

/// SHA-256 over the kind and the parts, each part after its length in bytes.
///
/// No kind is the start of another: each ends with a zero byte.
pub(crate) fn digest_of<'a>(kind: &[u8], parts: impl IntoIterator<Item = &'a str>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    write_framed(kind, parts, |bytes| hasher.update(bytes));
    hasher.finalize().into()
}

/// Writes the kind, and each part after its length in bytes.
pub(crate) fn write_framed<'a>(
    kind: &[u8],
    parts: impl IntoIterator<Item = &'a str>,
    mut write: impl FnMut(&[u8]),
) {
    write(kind);
    for part in parts {
        write(&(part.len() as u64).to_be_bytes());
        write(part.as_bytes());
    }
}
