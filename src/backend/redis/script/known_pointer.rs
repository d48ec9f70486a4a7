//! What the record of a session holds of the session's pointer, on a Cluster.

use std::fmt;

/// How much earlier than the end of its pointer a session must end, in milliseconds. The clocks of
/// two nodes differ by less.
pub const POINTER_SLACK: u64 = 1_800_000;

/// What a session's node knows of the session's pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownPointer {
    /// The instant at which the pointer was created, in microseconds; it identifies the pointer.
    pub stamp: u64,
    /// The instant up to which the pointer lives at least, in milliseconds; 0 without an end.
    pub ends: u64,
    /// The instant at which the pointer was seen last, in milliseconds.
    pub confirmed: u64,
}

impl KnownPointer {
    /// None if the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, ':').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            stamp: next()?,
            ends: next()?,
            confirmed: next()?,
        })
    }
}

/// As in the record.
impl fmt::Display for KnownPointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.stamp, self.ends, self.confirmed)
    }
}
