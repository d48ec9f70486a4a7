//! The kind and role that a server reports in answer to HELLO.

use redis::Value;

use super::connection::Connection;

/// A server's answer to HELLO; empty if the server does not know the command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    pub mode: Option<ServerMode>,
    pub is_replica: Option<bool>,
}

/// The kind of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerMode {
    Standalone,
    Cluster,
    Sentinel,
}

impl ServerHello {
    /// Sends HELLO. The answer is empty if that fails: a lost connection fails its first call
    /// anyway.
    pub async fn request(connection: &Connection) -> Self {
        let answer = connection.send(&redis::cmd("HELLO")).await;
        answer
            .map(|answer| Self::parse(&answer))
            .unwrap_or_default()
    }

    fn parse(answer: &Value) -> Self {
        let mode = match field(answer, "mode") {
            Some(b"standalone") => Some(ServerMode::Standalone),
            Some(b"cluster") => Some(ServerMode::Cluster),
            Some(b"sentinel") => Some(ServerMode::Sentinel),
            _ => None,
        };
        let is_replica = field(answer, "role").map(|role| role != b"master");
        Self { mode, is_replica }
    }
}

/// A field of a map. In RESP2 a map is a flat list of pairs.
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
    fn a_hello_answer_is_parsed_in_both_protocols() {
        let pairs = [("proto", "3"), ("mode", "cluster"), ("role", "replica")];
        let map = pairs.map(|(name, value)| (text(name), text(value)));
        let list = map.iter().cloned().flat_map(|(name, value)| [name, value]);
        let expected = ServerHello {
            mode: Some(ServerMode::Cluster),
            is_replica: Some(true),
        };
        assert_eq!(ServerHello::parse(&Value::Array(list.collect())), expected);
        assert_eq!(ServerHello::parse(&Value::Map(map.to_vec())), expected);
        assert_eq!(ServerHello::parse(&Value::Nil), ServerHello::default());
    }
}
