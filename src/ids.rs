//! Ids and session keys: their limits, their checks, and random ones.

use std::num::NonZeroU128;

use greentic_types::SessionKey;

use crate::error::{SessionResult, invalid_input};

/// The longest id (env, tenant, team, user, flow, pack), in bytes.
pub const MAX_ID_BYTES: usize = 1024;

/// The longest session key, in bytes.
pub const MAX_SESSION_KEY_BYTES: usize = 1024;

/// The bytes that an id may contain. A table, because every call checks several ids.
const ID_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        allowed[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        byte += 1;
    }
    allowed
};

/// Checks an id again: its type checks it, but its field is public (C1).
pub(crate) fn check_id(part: &str, id: &str) -> SessionResult<()> {
    if id.is_empty() {
        return Err(invalid_input(format!("the {part} id is empty")));
    }
    if id.len() > MAX_ID_BYTES {
        return Err(invalid_input(format!(
            "the {part} id is {} bytes long; the limit is {MAX_ID_BYTES}",
            id.len()
        )));
    }
    if !id.bytes().all(|byte| ID_BYTES[usize::from(byte)]) {
        return Err(invalid_input(format!(
            "the {part} id may contain ASCII letters, digits, '.', '-' and '_' only"
        )));
    }
    Ok(())
}

/// Checks the length of a session key (C17).
pub(crate) fn check_key(key: &SessionKey) -> SessionResult<()> {
    let length = key.as_str().len();
    if length == 0 {
        return Err(invalid_input("the session key is empty"));
    }
    if length > MAX_SESSION_KEY_BYTES {
        return Err(invalid_input(format!(
            "the session key is {length} bytes long; the limit is {MAX_SESSION_KEY_BYTES}"
        )));
    }
    Ok(())
}

/// Draws 122 random bits.
pub(crate) fn random_bits() -> NonZeroU128 {
    NonZeroU128::new(uuid::Uuid::new_v4().as_u128()).unwrap_or(NonZeroU128::MIN)
}
