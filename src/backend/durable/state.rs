//! The one row about the store as a whole.

use super::bytes::{Bytes, Damage, Reader};
use crate::clock::Timestamp;

/// The state of the store as a whole, saved with the commits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StoreState {
    /// The latest instant that the store has seen.
    pub clock: Timestamp,
    /// The last number that was given out.
    pub number: u64,
    /// The bytes of all keys and values, to compare with the size of the file.
    pub live_bytes: u64,
    /// The last commit that went to a journal, or the creation: drawn at random.
    pub commit: u128,
}

impl StoreState {
    /// How long it is.
    pub const BYTES: usize = 40;

    pub fn encode(&self) -> Vec<u8> {
        Bytes::default()
            .u64(self.clock.as_millis())
            .u64(self.number)
            .u64(self.live_bytes)
            .u128(self.commit)
            .into_vec()
    }

    pub fn decode(body: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader(body);
        let state = Self {
            clock: reader.instant()?,
            number: reader.u64()?,
            live_bytes: reader.u64()?,
            commit: reader.u128()?,
        };
        reader.end()?;
        Ok(state)
    }
}
