//! The identity of a connection at its server.

/// What identifies a connection that another connection of the user may close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionId {
    /// The run id of the server process. The ids of its connections are unique.
    pub process: String,
    pub client: i64,
}
