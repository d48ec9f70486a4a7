//! With which key a value is sealed.

use crate::vault::KeyId;

/// With which key a stored value is sealed, as far as the vault tells.
pub(crate) enum Sealed {
    /// It is in clear.
    Clear,
    /// With the current key of its tenant.
    Current(KeyId),
    /// With another one, which the vault has.
    Old(KeyId),
    /// With one that the vault does not have.
    Unknown(KeyId),
}
