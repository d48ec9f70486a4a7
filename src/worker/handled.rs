//! Outcome of a message that is handled.

/// A message that is handled. The channel may take it for delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Handled {
    /// True if the message was committed before: this is a redelivery, and nothing was run.
    pub duplicate: bool,
}

impl Handled {
    /// Returns the status of an HTTP answer to the channel: 200.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        200
    }
}
