//! The data of a session, as the body of a row of `payloads`.

use greentic_types::SessionKey;

use super::seal::{seal, unseal};
use crate::error::SessionResult;
use crate::payload;

/// The whole value of a row, of the data of a session in its stored form.
pub fn payload_row(key: &SessionKey, stored: &[u8]) -> Vec<u8> {
    seal(key.as_str().as_bytes(), stored)
}

/// Returns the data in a value, in its stored form.
///
/// # Errors
/// `Internal` naming the session if the value is damaged.
pub fn unseal_payload<'a>(key: &SessionKey, value: &'a [u8]) -> SessionResult<&'a [u8]> {
    let json = unseal(key.as_str().as_bytes(), value);
    json.map_err(|damage| payload::unreadable(key, damage.0))
}
