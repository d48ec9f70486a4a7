//! The state of an owner, as the body of a row of `owners`.

use greentic_types::SessionKey;

use super::bytes::{Bytes, Damage, Reader};

/// What is stored per owner. An owner whose state is empty has no row (C13).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerState {
    pub waits: u32,
    pub messages: u32,
    pub latest_created: Option<SessionKey>,
}

impl OwnerState {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn encode(&self) -> Vec<u8> {
        let latest = self.latest_created.as_ref();
        Bytes::default()
            .u32(self.waits)
            .u32(self.messages)
            .text(latest.map_or("", SessionKey::as_str))
            .into_vec()
    }

    pub fn decode(body: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader(body);
        let waits = reader.u32()?;
        let messages = reader.u32()?;
        let latest = reader.text()?;
        reader.end()?;
        Ok(Self {
            waits,
            messages,
            latest_created: (!latest.is_empty()).then(|| SessionKey::new(latest)),
        })
    }
}
