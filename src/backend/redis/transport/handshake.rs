//! What a server answers on a new connection: its kind and role, its time, and what identifies the
//! connection.

use redis::{FromRedisValue, ProtocolVersion, Value};

use super::connection::Connection;
use super::connection_id::ConnectionId;
use super::info;

/// No connection has this id.
const NO_CLIENT: i64 = i64::MAX;

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

/// The answers to the first commands on a connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    pub hello: ServerHello,
    /// The time of the server, in microseconds.
    pub time: Option<u64>,
    /// None if the user may not ask for it, or may not close connections.
    pub id: Option<ConnectionId>,
}

impl Handshake {
    /// Asks all in one round trip. None if the connection was lost.
    ///
    /// With RESP2 the id alone is asked for: a proxy that does not know HELLO may hang up again.
    pub async fn request(connection: &Connection, protocol: ProtocolVersion) -> Option<Self> {
        let mut commands = redis::pipe();
        match protocol {
            ProtocolVersion::RESP2 => commands.cmd("CLIENT").arg("ID"),
            _ => commands.cmd("HELLO"),
        };
        commands.cmd("TIME");
        commands.cmd("INFO").arg("server");
        // Whether the user may run it.
        commands
            .cmd("CLIENT")
            .arg("KILL")
            .arg("ID")
            .arg(NO_CLIENT)
            .arg("SKIPME")
            .arg("yes");
        let answers = connection.send_all(&commands).await.ok()?;
        Some(Self::parse(answers).unwrap_or_default())
    }

    fn parse(answers: Vec<Value>) -> Option<Self> {
        let [hello, time, server, kill] = <[Value; 4]>::try_from(answers).ok()?;
        let client = match &hello {
            Value::Int(id) => Some(*id),
            hello => {
                let id = field(hello, "id").cloned();
                id.and_then(|id| i64::from_redis_value(id).ok())
            }
        };
        let process = info::run_id(&server).filter(|_| matches!(kill, Value::Int(_)));
        Some(Self {
            hello: ServerHello::parse(&hello),
            time: info::micros(time),
            id: process
                .zip(client)
                .map(|(process, client)| ConnectionId { process, client }),
        })
    }
}

impl ServerHello {
    fn parse(answer: &Value) -> Self {
        let mode = match text(answer, "mode") {
            Some(b"standalone") => Some(ServerMode::Standalone),
            Some(b"cluster") => Some(ServerMode::Cluster),
            Some(b"sentinel") => Some(ServerMode::Sentinel),
            _ => None,
        };
        let is_replica = text(answer, "role").map(|role| role != b"master");
        Self { mode, is_replica }
    }
}

fn text<'a>(answer: &'a Value, name: &str) -> Option<&'a [u8]> {
    bytes(field(answer, name)?)
}

/// A field of a map. In RESP2 a map is a flat list of pairs.
fn field<'a>(answer: &'a Value, name: &str) -> Option<&'a Value> {
    let is_name = |key: &Value| bytes(key) == Some(name.as_bytes());
    match answer {
        Value::Map(pairs) => {
            let found = pairs.iter().find(|(key, _)| is_name(key));
            Some(&found?.1)
        }
        Value::Array(items) => {
            let (pairs, _) = items.as_chunks::<2>();
            let found = pairs.iter().find(|[key, _]| is_name(key));
            Some(&found?[1])
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

    fn hello() -> [(Value, Value); 4] {
        let pairs = [("proto", "3"), ("mode", "cluster"), ("role", "replica")];
        let [proto, mode, role] = pairs.map(|(name, value)| (text(name), text(value)));
        [proto, (text("id"), Value::Int(7)), mode, role]
    }

    #[test]
    fn a_hello_answer_is_parsed_in_both_protocols() {
        let list = hello().into_iter().flat_map(|(name, value)| [name, value]);
        let expected = ServerHello {
            mode: Some(ServerMode::Cluster),
            is_replica: Some(true),
        };
        assert_eq!(ServerHello::parse(&Value::Array(list.collect())), expected);
        assert_eq!(ServerHello::parse(&Value::Map(hello().to_vec())), expected);
        assert_eq!(ServerHello::parse(&Value::Nil), ServerHello::default());
    }

    #[test]
    fn c14_a_connection_is_identified_if_it_can_be_closed() {
        let parse = |kill: Value, server: Value| {
            let time = Value::Array(vec![text("5"), text("7")]);
            let parse = |first: Value| {
                let answers = vec![first, time.clone(), server.clone(), kill.clone()];
                let parsed = Handshake::parse(answers).unwrap();
                assert_eq!(parsed.time, Some(5_000_007));
                parsed.id
            };
            let id = parse(Value::Map(hello().to_vec()));
            // With RESP2, the answer to CLIENT ID.
            assert_eq!(parse(Value::Int(7)), id);
            id
        };
        let server = || text("# Server\r\nrun_id:abc\r\n");
        let id = ConnectionId {
            process: "abc".to_owned(),
            client: 7,
        };
        assert_eq!(parse(Value::Int(0), server()), Some(id));
        assert_eq!(parse(Value::Nil, server()), None);
        assert_eq!(parse(Value::Int(0), Value::Nil), None);
    }
}
