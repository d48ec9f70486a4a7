//! The data of a session, as the body of a row of `payloads`.

use greentic_types::SessionKey;

use super::seal::{seal, unseal};
use crate::error::SessionResult;
use crate::payload;
use crate::session::NewSession;

/// Encodes the data of a session as a whole value, sealed.
pub fn encode_payload(session: &NewSession) -> SessionResult<Vec<u8>> {
    let json = payload::encode(session.data())?;
    Ok(seal(session.key().as_str().as_bytes(), &json))
}

/// Returns the JSON in a value, for [`payload::decode`] and [`payload::summary`].
///
/// # Errors
/// `Internal` naming the session if the value is damaged.
pub fn unseal_payload<'a>(key: &SessionKey, value: &'a [u8]) -> SessionResult<&'a [u8]> {
    let json = unseal(key.as_str().as_bytes(), value);
    json.map_err(|damage| payload::unreadable(key, damage.0))
}
