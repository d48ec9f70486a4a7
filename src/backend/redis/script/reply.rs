//! The answers of scripts: a status, and the fields that belong to it.

use std::str;
use std::vec;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use redis::Value;

use super::keys::Keys;
use super::record::Record;
use super::status::Status;
use crate::backend::redis::transport::error::not_permitted_to_run;
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict};
use crate::options::{NextTtl, TtlMillis};
use crate::owner::foreign_key;
use crate::rules::multiple_waits;
use crate::timeout::NextTimeout;

/// An answer of a script, unless it is a refusal that is the same error for all operations.
pub struct Answer {
    keys: Keys,
    pub status: Status,
    fields: vec::IntoIter<Value>,
}

impl Answer {
    /// Reads an answer.
    ///
    /// # Errors
    /// `Conflict` or `InvalidInput` if the script refused the call, `Internal` if a key or the
    /// answer cannot be read.
    pub fn read(keys: Keys, value: Value) -> SessionResult<Self> {
        let Value::Array(fields) = value else {
            return Err(unexpected());
        };
        let mut fields = fields.into_iter();
        let Some(Value::BulkString(word)) = fields.next() else {
            return Err(unexpected());
        };
        let status = Status::parse(&word).ok_or_else(unexpected)?;
        let mut answer = Self {
            keys,
            status,
            fields,
        };
        match status {
            Status::Claimed => Err(conflict(Conflict::Claimed {
                until: answer.timestamp()?,
            })),
            Status::Lost => Err(conflict(Conflict::ClaimLost)),
            Status::ScopeTaken => Err(conflict(Conflict::ScopeTaken)),
            Status::NotWaiting => Err(conflict(Conflict::NotWaiting)),
            Status::Foreign => Err(foreign_key()),
            Status::Many => Err(multiple_waits()),
            Status::NotPermitted => Err(not_permitted(&answer.text()?)),
            Status::Unreadable => {
                let (name, reason) = (answer.bytes()?, answer.text()?);
                Err(answer.keys.unreadable(&name, &reason))
            }
            _ => Ok(answer),
        }
    }

    /// The error of a status that the operation does not expect.
    pub fn unexpected<T>(&self) -> SessionResult<T> {
        Err(unexpected())
    }

    pub fn number(&mut self) -> SessionResult<u64> {
        match self.fields.next() {
            Some(Value::Int(number)) => u64::try_from(number).map_err(|_| unexpected()),
            Some(Value::BulkString(digits)) => str::from_utf8(&digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or_else(unexpected),
            _ => Err(unexpected()),
        }
    }

    pub fn timestamp(&mut self) -> SessionResult<Timestamp> {
        self.number().map(Timestamp::from_millis)
    }

    /// An instant; none if it is empty, or missing.
    pub fn instant(&mut self) -> SessionResult<Option<Timestamp>> {
        let Some(text) = self.optional_bytes().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        // A score of a sorted set.
        let text = str::from_utf8(&text).ok();
        let millis = text.and_then(|text| text.parse().ok());
        let millis = millis.ok_or_else(unexpected)?;
        Ok(Some(Timestamp::from_millis(millis)))
    }

    /// The TTL that a pointer must cover, from a refusal: a kept one is known to the script only.
    pub fn needed_ttl(&mut self, asked: NextTtl) -> SessionResult<TtlMillis> {
        match asked {
            NextTtl::Given(ttl) => Ok(ttl),
            NextTtl::Kept(_) => self.number().map(TtlMillis::from_number),
        }
    }

    /// The error of a timeout that does not come before the deadline, from a refusal.
    pub fn late_timeout(&mut self, timeout: Option<NextTimeout>) -> GreenticError {
        match (timeout, self.number()) {
            (Some(timeout), Ok(left)) => timeout.too_late(left),
            _ => unexpected(),
        }
    }

    pub fn text(&mut self) -> SessionResult<String> {
        String::from_utf8(self.bytes()?).map_err(|_| unexpected())
    }

    /// The stamp of a session's pointer; none where there are no pointers.
    pub fn stamp(&mut self) -> Option<u64> {
        self.number().ok()
    }

    pub fn session_key(&mut self) -> SessionResult<SessionKey> {
        self.text().map(SessionKey::new)
    }

    /// Waits: the order and the session key of each.
    pub fn waits(&mut self) -> SessionResult<Vec<(u64, SessionKey)>> {
        let mut words = Self {
            keys: self.keys.clone(),
            status: self.status,
            fields: self.values()?.into_iter(),
        };
        let mut waits = Vec::with_capacity(words.fields.len() / 2);
        while words.fields.len() > 0 {
            waits.push((words.number()?, words.session_key()?));
        }
        Ok(waits)
    }

    /// Answers within the answer.
    pub fn values(&mut self) -> SessionResult<Vec<Value>> {
        match self.fields.next() {
            Some(Value::Array(values)) => Ok(values),
            _ => Err(unexpected()),
        }
    }

    /// The record of a session, with the key of that session.
    pub fn record(&mut self, key: &SessionKey) -> SessionResult<Record> {
        let text = self.text()?;
        Record::parse(&self.keys, key.as_str(), &text)
    }

    /// A session whose payload is not opened yet.
    pub fn stored(&mut self) -> SessionResult<Stored> {
        let (key, payload, record) = (self.session_key()?, self.bytes()?, self.text()?);
        let record = Record::parse(&self.keys, key.as_str(), &record)?;
        Ok(Stored {
            key,
            payload,
            record,
        })
    }

    /// The bytes of the next field; none if it is empty of a value, or missing.
    pub fn optional_bytes(&mut self) -> Option<Vec<u8>> {
        match self.fields.next() {
            Some(Value::BulkString(bytes)) => Some(bytes),
            _ => None,
        }
    }

    pub fn bytes(&mut self) -> SessionResult<Vec<u8>> {
        self.optional_bytes().ok_or_else(unexpected)
    }
}

/// A session as it is stored.
pub struct Stored {
    pub key: SessionKey,
    pub payload: Vec<u8>,
    pub record: Record,
}

/// The answer to a write that came after the write deadline of its reservation. It contains the
/// time of the server, in microseconds.
pub fn late(time: u64) -> Value {
    let text = |text: String| Value::BulkString(text.into_bytes());
    Value::Array(vec![text("LATE".to_owned()), text(time.to_string())])
}

/// C17: the server's user may not run a command, so nothing was done.
fn not_permitted(command: &str) -> GreenticError {
    let message = not_permitted_to_run(&command.to_lowercase());
    GreenticError::new(ErrorCode::Unavailable, message)
}

/// The error of an answer that no script of this version gives.
pub fn unexpected() -> GreenticError {
    GreenticError::new(
        ErrorCode::Internal,
        "the server answered a script in an unknown way",
    )
}

/// C15: the session has another revision than the caller expects.
pub fn revision_conflict(expected: Option<u64>, current: u64) -> GreenticError {
    let expected = expected.unwrap_or_default();
    conflict(Conflict::RevisionMismatch { expected, current })
}

/// C14: an earlier attempt of this call may have been done, and something has changed since.
pub fn outcome_unknown() -> GreenticError {
    GreenticError::new(
        ErrorCode::Timeout,
        "the connection was lost, and the call was done or not done; the session has changed since",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(fields: &[&str]) -> GreenticError {
        let fields = fields
            .iter()
            .map(|field| Value::BulkString(field.as_bytes().to_vec()));
        let value = Value::Array(fields.collect());
        Answer::read(Keys::new("ns"), value)
            .map(|_| ())
            .unwrap_err()
    }

    #[test]
    fn c17_refusals_become_the_errors_of_the_rules() {
        assert_eq!(error(&["LOST"]).code, ErrorCode::Conflict);
        assert_eq!(error(&["CLAIMED", "5"]).code, ErrorCode::Conflict);
        assert_eq!(error(&["FOREIGN"]).code, ErrorCode::InvalidInput);
        assert!(error(&["MANY"]).message.contains("multiple waits"));
        let unreadable = error(&["UNREADABLE", "ns:session:run-1", "its type is wrong"]);
        assert_eq!(unreadable.code, ErrorCode::Internal);
        assert!(unreadable.message.contains("run-1"));
    }

    #[test]
    fn c17_an_answer_of_another_kind_is_internal() {
        let read = |value| Answer::read(Keys::new("ns"), value).err().unwrap().code;
        assert_eq!(read(Value::Nil), ErrorCode::Internal);
        assert_eq!(read(Value::Array(Vec::new())), ErrorCode::Internal);
    }
}
