//! The read of a session by a plain command.

use greentic_types::SessionKey;
use redis::{Cmd, Value};

use super::keys::Keys;
use super::record::owner_in;
use crate::owner::Owner;

/// A command that reads payload and record of a session at one instant. In the common case it answers
/// what the script `ops/read` would.
pub struct PlainRead<'a> {
    key: &'a SessionKey,
    fence: Option<&'a Owner>,
    payload: String,
    record: String,
}

impl<'a> PlainRead<'a> {
    pub fn new(keys: &Keys, key: &'a SessionKey, fence: Option<&'a Owner>) -> Self {
        Self {
            key,
            fence,
            payload: keys.session(key),
            record: keys.record(key),
        }
    }

    pub fn command(&self) -> Cmd {
        let names = self.payload.len() + self.record.len();
        let mut command = Cmd::with_capacity(3, "MGET".len() + names + 48);
        command.arg("MGET").arg(&self.payload).arg(&self.record);
        command
    }

    /// The answer of the script; none if only the script knows it. To the command a value of another
    /// type looks like none, so a session without payload or record is left to the script.
    pub fn answer(&self, values: Value) -> Option<Value> {
        let Value::Array(values) = values else {
            return None;
        };
        let [payload, record] = <[Value; 2]>::try_from(values).ok()?;
        match (&payload, &record) {
            (Value::BulkString(bytes), Value::BulkString(text))
                if !bytes.is_empty() && self.is_of_fence(text) =>
            {
                let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
                let fields = vec![text("OK"), text(self.key.as_str()), payload, record];
                Some(Value::Array(fields))
            }
            _ => None,
        }
    }

    fn is_of_fence(&self, record: &[u8]) -> bool {
        let Some(fence) = self.fence else {
            return true;
        };
        let record = std::str::from_utf8(record).ok();
        record.and_then(owner_in) == Some(fence.as_str())
    }
}
