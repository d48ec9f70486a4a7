//! A writer and a reader of big-endian numbers, texts and byte strings.

use std::num::NonZeroU128;

use crate::claim::TokenSecret;
use crate::clock::Timestamp;

/// The reason why stored bytes cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damage(pub &'static str);

/// A buffer that values are appended to.
pub struct Bytes(Vec<u8>);

/// The initial capacity: enough for most keys and small rows, to avoid reallocation.
const INITIAL_CAPACITY: usize = 192;

impl Default for Bytes {
    fn default() -> Self {
        Self(Vec::with_capacity(INITIAL_CAPACITY))
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

    /// Appends a text of at most 64 KiB, prefixed with its length. Owners and keys are far shorter.
    pub fn text(self, text: &str) -> Self {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.raw(&length.to_be_bytes()).raw(text.as_bytes())
    }

    /// Appends bytes of any length, prefixed with that length.
    pub fn long(self, bytes: &[u8]) -> Self {
        self.u64(bytes.len() as u64).raw(bytes)
    }

    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

/// A reader that consumes a byte slice from its start.
pub struct Reader<'a>(pub &'a [u8]);

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

pub fn text(bytes: &[u8]) -> Result<&str, Damage> {
    std::str::from_utf8(bytes).map_err(|_| Damage("a text is not UTF-8"))
}
