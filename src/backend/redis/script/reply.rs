//! What the scripts answer: a status word, and what belongs to it.

use std::str;
use std::sync::Arc;
use std::vec;

use greentic_types::{ErrorCode, GreenticError, SessionKey};
use redis::Value;

use super::keys::Keys;
use super::record::Record;
use crate::clock::Timestamp;
use crate::error::{Conflict, SessionResult, conflict};
use crate::owner::foreign_key;
use crate::payload;
use crate::rules::multiple_waits;
use crate::session::Session;

/// An answer that is no refusal of a kind that all operations share.
pub struct Answer {
    keys: Keys,
    pub status: String,
    fields: vec::IntoIter<Value>,
}

impl Answer {
    /// Reads an answer; refusals become the errors that the rules name.
    ///
    /// # Errors
    /// `Conflict`, `InvalidInput` or `Internal`, as the script says.
    pub fn read(keys: Keys, value: Value) -> SessionResult<Self> {
        let Value::Array(fields) = value else {
            return Err(unexpected());
        };
        let mut answer = Self {
            keys,
            status: String::new(),
            fields: fields.into_iter(),
        };
        answer.status = answer.text()?;
        match answer.status.as_str() {
            "CLAIMED" => Err(conflict(Conflict::Claimed {
                until: answer.timestamp()?,
            })),
            "LOST" => Err(conflict(Conflict::ClaimLost)),
            "FOREIGN" => Err(foreign_key()),
            "MANY" => Err(multiple_waits()),
            "UNREADABLE" => {
                let (name, reason) = (answer.bytes()?, answer.text()?);
                Err(answer.keys.unreadable(&name, &reason))
            }
            _ => Ok(answer),
        }
    }

    /// The error of a status that the operation does not know.
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

    pub fn session_keys(&mut self) -> SessionResult<Vec<SessionKey>> {
        let Some(Value::Array(keys)) = self.fields.next() else {
            return Err(unexpected());
        };
        let as_key = |key| match key {
            Value::BulkString(key) => String::from_utf8(key).ok().map(SessionKey::new),
            _ => None,
        };
        let keys = keys.into_iter().map(as_key).collect::<Option<_>>();
        keys.ok_or_else(unexpected)
    }

    /// Answers within the answer.
    pub fn values(&mut self) -> SessionResult<Vec<Value>> {
        match self.fields.next() {
            Some(Value::Array(values)) => Ok(values),
            _ => Err(unexpected()),
        }
    }

    /// A session and its record.
    pub fn session(&mut self) -> SessionResult<(Arc<Session>, Record)> {
        let stored = self.stored()?;
        Ok((stored.session()?, stored.record))
    }

    /// A session whose payload is still to be read.
    pub fn stored(&mut self) -> SessionResult<Stored> {
        let (key, payload, record) = (self.session_key()?, self.bytes()?, self.text()?);
        let record = Record::parse(&self.keys, key.as_str(), &record)?;
        Ok(Stored {
            key,
            payload,
            record,
        })
    }

    pub fn bytes(&mut self) -> SessionResult<Vec<u8>> {
        match self.fields.next() {
            Some(Value::BulkString(bytes)) => Ok(bytes),
            _ => Err(unexpected()),
        }
    }
}

/// A session as it is stored.
pub struct Stored {
    pub key: SessionKey,
    payload: Vec<u8>,
    pub record: Record,
}

impl Stored {
    /// # Errors
    /// `Internal` if the payload cannot be read.
    pub fn session(&self) -> SessionResult<Arc<Session>> {
        Ok(Arc::new(Session {
            data: payload::decode(&self.key, &self.payload)?,
            key: self.key.clone(),
            revision: self.record.revision,
            deadline: self.record.deadline,
        }))
    }
}

/// A script of another version, or a server that is none.
pub fn unexpected() -> GreenticError {
    GreenticError::new(
        ErrorCode::Internal,
        "the server answered a script in an unknown way",
    )
}

/// C15: the session is at another revision than the caller saw.
pub fn moved(expected: Option<u64>, current: u64) -> GreenticError {
    let expected = expected.unwrap_or_default();
    conflict(Conflict::RevisionMismatch { expected, current })
}

/// C14: the session has moved since an attempt of this call that was done or not done.
pub fn overtaken() -> GreenticError {
    GreenticError::new(
        ErrorCode::Timeout,
        "the connection was lost, and the update was done or not done; the session has moved since",
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
