//! The id of a key.

use std::fmt;
use std::str::FromStr;

use crate::error::{GreenticError, SessionResult, invalid_input};

/// The id of a key, which stands in each envelope. It is no secret.
///
/// It is shown and parsed as 32 hexadecimal digits.
///
/// ```
/// use greentic_session::vault::KeyId;
///
/// let id = KeyId::from_bytes([7; 16]);
/// assert_eq!(id.to_string().parse::<KeyId>()?, id);
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// Makes an id of these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Draws an id.
    ///
    /// # Errors
    /// `Unavailable` if the system gives no random bytes.
    pub fn random() -> SessionResult<Self> {
        super::random::bytes().map(Self)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = GreenticError;

    fn from_str(text: &str) -> SessionResult<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes)
            .map_err(|_| invalid_input("the id of a key has 32 hexadecimal digits"))?;
        Ok(Self(bytes))
    }
}
