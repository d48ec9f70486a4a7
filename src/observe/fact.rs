//! What happens in a store that no call's outcome tells.

/// Something that happened in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// A turn was dropped without an end, and its claim was given back.
    Interrupted,
    /// A timeout came, and its turn was handed out.
    TimeoutHandedOut,
    /// Redis: a request was made again after a failure.
    Repeated,
    /// Redis: a connection was opened after one was lost.
    Reconnected,
    /// Redis Cluster: a node named another one for a slot.
    Redirected,
    /// Memory and durable: something expired was removed by the store.
    Swept,
}

impl Fact {
    /// All facts.
    pub const ALL: &'static [Self] = &[
        Self::Interrupted,
        Self::TimeoutHandedOut,
        Self::Repeated,
        Self::Reconnected,
        Self::Redirected,
        Self::Swept,
    ];

    /// Returns the name, such as `repeated`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::TimeoutHandedOut => "timeout_handed_out",
            Self::Repeated => "repeated",
            Self::Reconnected => "reconnected",
            Self::Redirected => "redirected",
            Self::Swept => "swept",
        }
    }
}
