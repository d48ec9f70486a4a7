//! The summary in an envelope: what a scan tells of a session without its key.
//!
//! The size of the data in clear (8 bytes, big-endian), then flow, pack and node, each behind its length
//! (4 bytes, big-endian). A session without a pack has an empty one: no pack id is empty.

#[cfg(feature = "encryption")]
use greentic_types::SessionData;
use greentic_types::{FlowId, PackId, SessionKey};

use crate::envelope::Envelope;
use crate::error::SessionResult;
use crate::payload::{self, Summary, unreadable};

/// What a scan tells in place of flow and node, where they are hidden.
const HIDDEN: &str = "sealed";

/// Encodes what a scan tells of a session.
#[cfg(feature = "encryption")]
pub fn encode(data: &SessionData, size: usize) -> Vec<u8> {
    let pack = data.pack_id.as_ref().map_or("", PackId::as_str);
    let node = data.cursor.node_pointer.as_str();
    let parts = [data.flow_id.as_str(), pack, node];
    let length: usize = parts.iter().map(|part| part.len() + 4).sum();
    let mut bytes = Vec::with_capacity(8 + length);
    bytes.extend_from_slice(&(size as u64).to_be_bytes());
    for part in parts {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// What a scan tells of stored data, of which the end may be missing. `size` is that of the whole.
///
/// # Errors
/// `Internal` if it cannot be read, or more of it is needed.
pub fn of_stored(key: &SessionKey, bytes: &[u8], size: usize) -> SessionResult<Summary> {
    let damaged = || unreadable(key, "its summary is damaged");
    if !Envelope::is_begun(bytes) {
        return payload::summary(key, bytes, size);
    }
    let summary = Envelope::summary_of(bytes).ok_or_else(damaged)?;
    if summary.is_empty() {
        return Ok(Summary {
            flow: FlowId(HIDDEN.to_owned()),
            pack: None,
            node: HIDDEN.to_owned(),
            bytes: u64::try_from(size).unwrap_or(u64::MAX),
        });
    }
    decode(summary).ok_or_else(damaged)
}

fn decode(mut bytes: &[u8]) -> Option<Summary> {
    let (size, rest) = bytes.split_first_chunk()?;
    bytes = rest;
    let mut next = || {
        let (length, rest) = bytes.split_first_chunk()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        String::from_utf8(part.to_vec()).ok()
    };
    let (flow, pack, node) = (next()?, next()?, next()?);
    Some(Summary {
        flow: FlowId(flow),
        pack: Some(pack).filter(|pack| !pack.is_empty()).map(PackId),
        node,
        bytes: u64::from_be_bytes(*size),
    })
}
