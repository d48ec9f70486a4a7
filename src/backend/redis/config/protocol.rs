//! The choice of the protocol.

/// The version of the Redis protocol (RESP) on a connection. The store does the same with both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisProtocol {
    /// RESP3; or RESP2, where a server or a proxy before it refuses RESP3 or hangs up when it is asked
    /// for. In a URL it is `protocol=3`.
    #[default]
    Resp3OrResp2,
    /// RESP2: no `HELLO` is ever sent. In a URL it is `protocol=2`.
    Resp2,
}

impl RedisProtocol {
    /// The protocol of a number.
    pub(crate) fn of_number(number: &str) -> Option<Self> {
        match number {
            "2" => Some(Self::Resp2),
            "3" => Some(Self::Resp3OrResp2),
            _ => None,
        }
    }
}
