//! The file format: what the bytes of tables, keys, values and journal records mean.
//!
//! docs/durable-format.md describes them. Numbers are big-endian, so that keys that start with a
//! number sort by it. A value is sealed ([`seal`]): a version byte, a checksum and the body.

mod bytes;
mod due;
mod expiry;
mod head;
mod inbox_row;
mod journal_record;
mod keys;
mod message_row;
mod owner_state;
mod payload;
mod seal;
mod start_row;
mod store_state;
mod table;
mod version;

pub(super) use bytes::Damage;
pub(super) use due::{decode_due, decode_queue_due, due_key, queue_due_key};
pub(super) use expiry::Expiry;
pub(super) use head::{decode_head, encode_head};
pub(super) use inbox_row::{decode_inbox, encode_inbox};
#[cfg(feature = "fuzzing")]
pub(super) use journal_record::framed;
pub(super) use journal_record::{Change, END_OF_RECORDS, JournalRecord, Records, encode_record};
pub(super) use keys::{
    age_key, body_key, decode_digest, decode_scope, decode_session_key, message_key, owner_key,
    route_key, split_owner_key,
};
pub(super) use message_row::MessageRow;
pub(super) use owner_state::{OwnerState, Replies};
pub(super) use payload::{payload_row, unseal_payload};
pub(super) use seal::{reply_length, seal, unseal};
pub(super) use start_row::{decode_start, encode_start};
pub(super) use store_state::StoreState;
pub(super) use table::{Key, Table, Value};
pub(super) use version::{FORMAT_VERSION, decode_version, encode_version};
