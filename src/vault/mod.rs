//! Encryption of what a store keeps: keys, where they come from, and the sealing itself.
//!
//! With an [`Encryption`] in its configuration, the Redis store and the durable store seal session data
//! and replies before they leave the process (C35). docs/encryption.md tells what that protects against
//! whom, and how keys are rotated. The memory store keeps nothing at rest, and takes no encryption.
//!
//! A key comes from a [`KeyVault`]: a [`Keyring`], an [`EnvelopeVault`] over a KMS, or one of your own.

mod cache;
mod cipher;
#[cfg(feature = "encryption-zstd")]
mod compress;
mod compression;
mod data_key;
mod directory_shelf;
mod encryption;
mod envelope_vault;
mod key_file;
mod key_id;
mod key_shelf;
mod key_vault;
mod key_wrap;
mod keyring;
mod place;
mod plaintext;
mod random;
mod root_key;
mod sealer;
mod tenant_ref;

#[cfg(any(feature = "redis", feature = "durable"))]
pub(crate) use place::{Kind, Place};

pub use compression::Compression;
pub use data_key::{DataKey, KEY_BYTES};
pub use directory_shelf::DirectoryShelf;
pub use encryption::Encryption;
pub use envelope_vault::EnvelopeVault;
pub use key_id::KeyId;
pub use key_shelf::{KeyShelf, ShelvedKey};
pub use key_vault::KeyVault;
pub use key_wrap::KeyWrap;
pub use keyring::{Keyring, MAX_ROOT_KEYS};
pub use plaintext::Plaintext;
pub use sealer::Sealer;
pub use tenant_ref::TenantRef;
pub use zeroize::Zeroizing;
