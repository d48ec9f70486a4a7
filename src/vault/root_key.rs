//! A root key of a keyring.

use std::fmt::{self, Write};

use zeroize::Zeroizing;

use super::data_key::KEY_BYTES;
use super::key_id::KeyId;
use crate::error::SessionResult;

/// The id of a root key. The ids of the keys derived from it begin with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RootId([u8; 8]);

impl RootId {
    /// The root key from which the key with this id is derived.
    pub fn of(id: KeyId) -> Self {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&id.as_bytes()[..8]);
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for RootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A root key and its id.
#[derive(Clone)]
pub struct RootKey {
    id: RootId,
    key: Zeroizing<[u8; KEY_BYTES]>,
}

impl RootKey {
    pub fn random() -> SessionResult<Self> {
        Ok(Self {
            id: RootId(super::random::bytes()?),
            key: Zeroizing::new(super::random::bytes()?),
        })
    }

    /// Reads a line of a keyring.
    pub fn parse(line: &str) -> Result<Self, &'static str> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let ["key", id, key] = words[..] else {
            return Err("a line has the form `key <id> <key>`");
        };
        let mut root = Self {
            id: RootId([0; 8]),
            key: Zeroizing::new([0; KEY_BYTES]),
        };
        hex::decode_to_slice(id, &mut root.id.0)
            .map_err(|_| "the id of a key has 16 hexadecimal digits")?;
        hex::decode_to_slice(key, root.key.as_mut_slice())
            .map_err(|_| "a key has 64 hexadecimal digits")?;
        Ok(root)
    }

    /// Writes the line of a keyring.
    pub fn write_line(&self, text: &mut String) {
        let _ = write!(text, "key {} ", self.id);
        for byte in self.key.iter() {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\n');
    }

    pub const fn id(&self) -> &RootId {
        &self.id
    }

    pub fn secret(&self) -> &[u8] {
        self.key.as_slice()
    }
}
