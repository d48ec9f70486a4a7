//! A key that data is sealed with.

use std::fmt;

use zeroize::Zeroizing;

use super::key_id::KeyId;

/// The length of a key, in bytes.
pub const KEY_BYTES: usize = 32;

/// A key of one tenant, and its id.
///
/// The memory of the key is overwritten when it is dropped. `Debug` shows the id only (C37).
#[derive(Clone)]
pub struct DataKey {
    id: KeyId,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl DataKey {
    /// Makes a key. Different keys must have different ids, also in other vaults that one store was
    /// ever opened with.
    #[must_use]
    pub fn new(id: KeyId, key: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self { id, key }
    }

    /// Returns the id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn secret(&self) -> &[u8; KEY_BYTES] {
        &self.key
    }
}

/// Shows the id only.
impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c37_debug_shows_the_id_and_no_key() {
        let key = DataKey::new(KeyId::from_bytes([1; 16]), Zeroizing::new([0xAB; 32]));
        let shown = format!("{key:?} {key:#?}");
        assert!(shown.contains("01010101"), "{shown}");
        for part in ["abab", "ABAB", "171"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}
