//! The stored form of [`SessionData`]: its encoding, its checks and its size limit (C1, C8).

use std::io;

#[cfg(any(feature = "redis", feature = "durable"))]
use greentic_types::{ErrorCode, SessionCursor, SessionKey};
use greentic_types::{FlowId, GreenticError, PackId, SessionData};

#[cfg(any(feature = "redis", feature = "durable"))]
use crate::error::printable;
use crate::error::{SessionResult, invalid_input};
use crate::ids::check_id;

/// Refuses data that could not be read back, or that exceeds the size limit (C1, C8).
///
/// The ids of the tenant context are checked when the owner is determined.
pub(crate) fn check(data: &SessionData, limit: usize) -> SessionResult<()> {
    check_id("flow", data.flow_id.as_str())?;
    if let Some(pack) = &data.pack_id {
        check_id("pack", pack.as_str())?;
    }
    if let Some(impersonation) = &data.tenant_ctx.impersonation {
        check_id("actor", impersonation.actor_id.as_str())?;
    }
    if let Some(deadline) = &data.tenant_ctx.deadline {
        let millis = deadline.unix_millis();
        if i64::try_from(millis).is_err() {
            return Err(invalid_input(format!(
                "the invocation deadline of {millis} ms is out of range"
            )));
        }
    }
    check_size(data, limit)
}

/// Encodes data as JSON, the stored form.
#[cfg(any(feature = "redis", feature = "durable"))]
pub(crate) fn encode(data: &SessionData) -> SessionResult<Vec<u8>> {
    // Most of the bytes are the snapshot; escaping adds a few.
    let context = data.context_json.len();
    let mut bytes = Vec::with_capacity(context + context / 8 + 1024);
    serde_json::to_writer(&mut bytes, data).map_err(|error| unwritable(&error))?;
    Ok(bytes)
}

/// Decodes stored bytes.
///
/// # Errors
/// - `Internal`: the bytes cannot be read. The message names the key and the position, and omits
///   the text of the parser, which can quote the payload (C18).
#[cfg(any(feature = "redis", feature = "durable"))]
pub(crate) fn decode(key: &SessionKey, bytes: &[u8]) -> SessionResult<SessionData> {
    serde_json::from_slice(bytes).map_err(|error| not_session_data(key, &error))
}

#[cfg(any(feature = "redis", feature = "durable"))]
fn not_session_data(key: &SessionKey, error: &serde_json::Error) -> GreenticError {
    let (line, column) = (error.line(), error.column());
    unreadable(
        key,
        &format!("not session data at line {line}, column {column}"),
    )
}

/// What a scan reports of the data of a session.
pub(crate) struct Summary {
    pub flow: FlowId,
    pub pack: Option<PackId>,
    pub node: String,
    pub bytes: u64,
}

impl Summary {
    pub fn of(data: &SessionData, bytes: u64) -> Self {
        Self {
            flow: data.flow_id.clone(),
            pack: data.pack_id.clone(),
            node: data.cursor.node_pointer.clone(),
            bytes,
        }
    }
}

/// Decodes the summary of stored bytes. `context_json`, the long field, is last and not read: bytes
/// that end within it are sufficient.
///
/// # Errors
/// As for [`decode`].
#[cfg(any(feature = "redis", feature = "durable"))]
pub(crate) fn summary(key: &SessionKey, bytes: &[u8], size: usize) -> SessionResult<Summary> {
    const LAST_FIELD: &[u8] = b",\"context_json\":";
    // Quotes within strings are escaped, so that no string contains this text.
    let last = bytes
        .windows(LAST_FIELD.len())
        .position(|window| window == LAST_FIELD);
    let outline = last.and_then(|end| {
        let mut json = bytes.get(..end)?.to_vec();
        json.push(b'}');
        serde_json::from_slice::<Outline>(&json).ok()
    });
    let outline = match outline {
        Some(outline) => outline,
        None => serde_json::from_slice(bytes).map_err(|error| not_session_data(key, &error))?,
    };
    Ok(Summary {
        flow: outline.flow_id,
        pack: outline.pack_id,
        node: outline.cursor.node_pointer,
        bytes: u64::try_from(size).unwrap_or(u64::MAX),
    })
}

/// The short fields of the stored form that a summary needs.
#[cfg(any(feature = "redis", feature = "durable"))]
#[derive(serde::Deserialize)]
struct Outline {
    flow_id: FlowId,
    #[serde(default)]
    pack_id: Option<PackId>,
    cursor: SessionCursor,
}

/// The error for stored data that cannot be read. The data is left unchanged (C17).
#[cfg(any(feature = "redis", feature = "durable"))]
pub(crate) fn unreadable(key: &SessionKey, reason: &str) -> GreenticError {
    let key = printable(key);
    GreenticError::new(
        ErrorCode::Internal,
        format!("the record of session {key} cannot be read: {reason}"),
    )
}

/// Returns the size of the stored form, in bytes.
pub(crate) fn size(data: &SessionData) -> SessionResult<u64> {
    let mut counter = ByteCounter(0);
    serde_json::to_writer(&mut counter, data).map_err(|error| unwritable(&error))?;
    Ok(u64::try_from(counter.0).unwrap_or(u64::MAX))
}

fn check_size(data: &SessionData, limit: usize) -> SessionResult<()> {
    if surely_fits(data, limit) {
        return Ok(());
    }
    let mut counter = ByteCounter(0);
    serde_json::to_writer(&mut counter, data).map_err(|error| unwritable(&error))?;
    if counter.0 > limit {
        return Err(invalid_input(format!(
            "the session is {} bytes serialized; the limit of the store, max_payload_bytes, is \
             {limit}",
            counter.0
        )));
    }
    Ok(())
}

// Computing the size requires serializing, so data far below the limit is accepted by an upper
// bound: a byte is at most six bytes when escaped (\u00XX), and the other fields are bounded
// together.
fn surely_fits(data: &SessionData, limit: usize) -> bool {
    const WORST_ESCAPE: usize = 6;
    const FIELDS: usize = 64 * 1024;
    let ctx = &data.tenant_ctx;
    let free_text = [
        Some(&data.context_json),
        Some(&data.cursor.node_pointer),
        data.cursor.wait_reason.as_ref(),
        data.cursor.outbox_marker.as_ref(),
        ctx.session_id.as_ref(),
        ctx.flow_id.as_ref(),
        ctx.node_id.as_ref(),
        ctx.provider_id.as_ref(),
        ctx.trace_id.as_ref(),
        ctx.i18n_id.as_ref(),
        ctx.correlation_id.as_ref(),
        ctx.idempotency_key.as_ref(),
        ctx.impersonation.as_ref().and_then(|by| by.reason.as_ref()),
    ];
    let text: usize = free_text.iter().flatten().map(|text| text.len()).sum();
    ctx.attributes.is_empty() && text.saturating_mul(WORST_ESCAPE).saturating_add(FIELDS) <= limit
}

fn unwritable(error: &serde_json::Error) -> GreenticError {
    let kind = error.classify();
    invalid_input(format!("the session data cannot be serialized ({kind:?})"))
}

struct ByteCounter(usize);

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
