//! What a server says it is.

use redis::Value;

use super::connection::Link;

/// A server's answer to HELLO. One that does not know the command says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Greeting {
    pub mode: Option<Mode>,
    pub is_replica: Option<bool>,
}

/// What a server is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Standalone,
    Cluster,
    Sentinel,
}

impl Greeting {
    /// Asks. A connection that is lost over it shows that soon enough.
    pub async fn of(link: &Link) -> Self {
        let answer = link.send(&redis::cmd("HELLO")).await;
        answer.map(|answer| Self::read(&answer)).unwrap_or_default()
    }

    fn read(answer: &Value) -> Self {
        let mode = match field(answer, "mode") {
            Some(b"standalone") => Some(Mode::Standalone),
            Some(b"cluster") => Some(Mode::Cluster),
            Some(b"sentinel") => Some(Mode::Sentinel),
            _ => None,
        };
        let is_replica = field(answer, "role").map(|role| role != b"master");
        Self { mode, is_replica }
    }
}

/// A field of a map, which is a flat list of pairs in RESP2.
fn field<'a>(answer: &'a Value, name: &str) -> Option<&'a [u8]> {
    match answer {
        Value::Map(pairs) => {
            let found = pairs
                .iter()
                .find(|(key, _)| bytes(key) == Some(name.as_bytes()));
            bytes(&found?.1)
        }
        Value::Array(items) => {
            let (pairs, _) = items.as_chunks::<2>();
            let found = pairs
                .iter()
                .find(|[key, _]| bytes(key) == Some(name.as_bytes()));
            bytes(&found?[1])
        }
        _ => None,
    }
}

fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.as_bytes()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_greeting_is_read_in_both_protocols() {
        let pairs = [("proto", "3"), ("mode", "cluster"), ("role", "replica")];
        let map = pairs.map(|(name, value)| (text(name), text(value)));
        let list = map.iter().cloned().flat_map(|(name, value)| [name, value]);
        let expected = Greeting {
            mode: Some(Mode::Cluster),
            is_replica: Some(true),
        };
        assert_eq!(Greeting::read(&Value::Array(list.collect())), expected);
        assert_eq!(Greeting::read(&Value::Map(map.to_vec())), expected);
        assert_eq!(Greeting::read(&Value::Nil), Greeting::default());
    }
}
