//! Signatures of receipts, with Ed25519.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::DecodePrivateKey;
use ed25519_dalek::{Signer, SigningKey};

use crate::destination::{Destination, read_small};
use crate::error::{Exit, Failure, Outcome};

/// A private key in PEM is much smaller.
const MAX_KEY_BYTES: u64 = 64 * 1024;

/// A private key that signs files.
pub struct Signature(SigningKey);

impl Signature {
    /// Reads a private key in PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it. The errors
    /// do not repeat its content.
    pub fn open(path: &Path) -> Outcome<Self> {
        let missing = || Failure::new(Exit::NotFound, format!("{}: no such file", path.display()));
        let text = read_small(path, MAX_KEY_BYTES)?.ok_or_else(missing)?;
        let key = str::from_utf8(&text).ok();
        let key = key.and_then(|text| SigningKey::from_pkcs8_pem(text).ok());
        key.map(Self).ok_or_else(|| {
            let path = path.display();
            Failure::usage(format!("{path} is no Ed25519 private key in PKCS#8 PEM"))
        })
    }

    /// Writes the signature of a file beside it, with `.sig` behind its name: 64 bytes.
    pub fn sign(&self, file: &Path, limit: u64) -> Outcome {
        let content = read_small(file, limit)?.unwrap_or_default();
        let signature = self.0.sign(&content).to_bytes();
        Destination::write(&beside(file), &signature)
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(".sig");
    name.into()
}
