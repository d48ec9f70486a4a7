//! The version of the file format, as the value of the row `format` of `meta`.

/// The version that this library reads and writes.
pub const FORMAT_VERSION: u32 = 1;

/// Distinguishes session stores from other databases.
const FORMAT_MAGIC: &[u8] = b"greentic-session";

pub fn encode_version(version: u32) -> Vec<u8> {
    [FORMAT_MAGIC, &version.to_be_bytes()].concat()
}

/// Returns the version in a value; none if the value is not a session store's.
pub fn decode_version(value: &[u8]) -> Option<u32> {
    let version = value.strip_prefix(FORMAT_MAGIC)?;
    Some(u32::from_be_bytes(version.try_into().ok()?))
}
