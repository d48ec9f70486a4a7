//! Bytes under construction and under reading, and the seal over each row.

use std::num::NonZeroU128;

use super::format::RECORD_VERSION;
use crate::claim::TokenSecret;
use crate::clock::Timestamp;

const SEAL_BYTES: usize = 5;

/// Why a row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damage(pub &'static str);

/// Bytes under construction.
pub(super) struct Bytes(Vec<u8>);

/// Room for most keys and small rows, so that they do not move as they grow.
const USUAL_BYTES: usize = 192;

impl Default for Bytes {
    fn default() -> Self {
        Self(Vec::with_capacity(USUAL_BYTES))
    }
}

impl Bytes {
    pub fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub fn u64(self, value: u64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub fn u128(self, value: u128) -> Self {
        self.raw(&value.to_be_bytes())
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Up to 64 KiB of text, after its length. Owners and keys are far shorter.
    pub fn text(self, text: &str) -> Self {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.raw(&length.to_be_bytes()).raw(text.as_bytes())
    }

    /// Any bytes, after their length.
    pub fn long(self, bytes: &[u8]) -> Self {
        self.u64(bytes.len() as u64).raw(bytes)
    }

    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes that are being read.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Damage("it is too short"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub fn u8(&mut self) -> Result<u8, Damage> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    pub fn u32(&mut self) -> Result<u32, Damage> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub fn u64(&mut self) -> Result<u64, Damage> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub fn u128(&mut self) -> Result<u128, Damage> {
        Ok(u128::from_be_bytes(self.array()?))
    }

    pub fn instant(&mut self) -> Result<Timestamp, Damage> {
        Ok(Timestamp::from_millis(self.u64()?))
    }

    pub fn secret(&mut self) -> Result<TokenSecret, Damage> {
        let number = self.u128()?;
        let number = NonZeroU128::new(number).ok_or(Damage("a token is zero"))?;
        Ok(TokenSecret(number))
    }

    pub fn text(&mut self) -> Result<&'a str, Damage> {
        let length = usize::from(u16::from_be_bytes(self.array()?));
        text(self.take(length)?)
    }

    pub fn long(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.u64()?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX))
    }

    pub fn end(&self) -> Result<(), Damage> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Damage("it is too long")),
        }
    }
}

pub(super) fn text(bytes: &[u8]) -> Result<&str, Damage> {
    std::str::from_utf8(bytes).map_err(|_| Damage("a text is not UTF-8"))
}

pub(super) fn checksum(key: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(body);
    hasher.finalize()
}

/// Makes the value of a row.
pub(super) fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(SEAL_BYTES + body.len());
    value.push(RECORD_VERSION);
    value.extend_from_slice(&checksum(key, body).to_be_bytes());
    value.extend_from_slice(body);
    value
}

/// Takes the body out of the value of a row.
pub(super) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], Damage> {
    let mut reader = Reader(value);
    if reader.u8()? != RECORD_VERSION {
        return Err(Damage("its version is unknown"));
    }
    let expected = reader.u32()?;
    if checksum(key, reader.0) != expected {
        return Err(Damage("its checksum is wrong"));
    }
    Ok(reader.0)
}
