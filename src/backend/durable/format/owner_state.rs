//! The state of an owner, as the body of a row of `owners`.

use greentic_types::SessionKey;

use super::bytes::{Bytes, Damage, Reader};

/// What is stored per owner. An owner whose state is empty has no row (C13).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerState {
    /// The number of waits and start claims.
    pub waits: u32,
    pub messages: u32,
    pub replies: Replies,
    pub latest_created: Option<SessionKey>,
    /// The number of messages in queues, dead letters included.
    pub queued: u32,
}

/// The rows of `replies` of an owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replies {
    pub count: u32,
    /// The bytes of all together.
    pub bytes: u64,
}

impl Replies {
    /// Adds a reply of this length.
    pub fn add(&mut self, length: usize) {
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.saturating_add(length as u64);
    }

    /// Takes a reply of this length away.
    pub fn remove(&mut self, length: usize) {
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(length as u64);
    }
}

impl OwnerState {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn encode(&self) -> Vec<u8> {
        let latest = self.latest_created.as_ref();
        let bytes = Bytes::default()
            .u32(self.waits)
            .u32(self.messages)
            .text(latest.map_or("", SessionKey::as_str));
        let Replies { count, bytes: size } = self.replies;
        let bytes = match (count, self.queued) {
            (0, 0) => bytes,
            _ => bytes.u32(count).u64(size),
        };
        match self.queued {
            0 => bytes,
            queued => bytes.u32(queued),
        }
        .into_vec()
    }

    pub fn decode(body: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader(body);
        let waits = reader.u32()?;
        let messages = reader.u32()?;
        let latest = reader.text()?;
        let (mut replies, mut queued) = (Replies::default(), 0);
        if reader.end().is_err() {
            replies.count = reader.u32()?;
            replies.bytes = reader.u64()?;
        }
        if reader.end().is_err() {
            queued = reader.u32()?;
        }
        reader.end()?;
        Ok(Self {
            waits,
            messages,
            replies,
            latest_created: (!latest.is_empty()).then(|| SessionKey::new(latest)),
            queued,
        })
    }
}
