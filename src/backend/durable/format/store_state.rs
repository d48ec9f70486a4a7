//! The state of the store as a whole, as the body of the row `state` of `meta`.

use super::bytes::{Bytes, Damage, Reader};
use crate::clock::Timestamp;

/// The state of the store as a whole; every commit writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreState {
    /// The latest instant that the store has seen.
    pub clock: Timestamp,
    /// The last number that was assigned: orders, ages and fencing numbers are one series.
    pub number: u64,
    /// The size of all keys and values outside `meta`, in bytes.
    pub live_bytes: u64,
    /// The random id of the last commit that went to a journal, or of the creation of the store.
    pub commit: u128,
}

impl StoreState {
    /// The length of the encoded state.
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
