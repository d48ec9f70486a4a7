//! What a store with encryption does with data in clear.

use std::str::FromStr;

use crate::error::{GreenticError, SessionResult, invalid_input};

/// What a store with encryption does with data that it finds in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plaintext {
    /// Refuses it: the call is `Internal`, and nothing is changed. The default, because whoever can
    /// write to the storage could otherwise put data there that nobody sealed.
    #[default]
    Refuse,
    /// Reads it, while a store that was in clear is taken over.
    Accept,
}

/// Reads `refuse` or `accept`.
impl FromStr for Plaintext {
    type Err = GreenticError;

    fn from_str(text: &str) -> SessionResult<Self> {
        match text {
            "refuse" => Ok(Self::Refuse),
            "accept" => Ok(Self::Accept),
            _ => Err(invalid_input("plaintext must be `refuse` or `accept`")),
        }
    }
}
