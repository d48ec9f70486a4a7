//! The operations of a store.

/// An operation of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// `create`
    Create,
    /// `get` and `get_fenced`
    Get,
    /// `update` and `update_fenced`
    Update,
    /// `remove` and `remove_fenced`
    Remove,
    /// `park`
    Park,
    /// `find`
    Find,
    /// `waits`
    Waits,
    /// `latest`
    Latest,
    /// `clear`
    Clear,
    /// `claim`
    Claim,
    /// `renew`
    Renew,
    /// `release`
    Release,
    /// `commit`
    Commit,
    /// `deliver`
    Deliver,
    /// `next`
    Next,
    /// `messages`
    Messages,
    /// `discard`
    Discard,
    /// `retry`
    Retry,
    /// One page of `claim_due`
    ClaimDue,
    /// `set_timeout` and `set_timeout_fenced`
    SetTimeout,
    /// `health`
    Health,
    /// One page of `scan`
    Scan,
    /// One page of `erase`
    Erase,
    /// One page of `verify`
    Verify,
    /// `extend` and `extend_fenced`
    Extend,
    /// `revoke` and `revoke_fenced`
    Revoke,
    /// One page of `export`
    Export,
    /// `import`
    Import,
    /// One page of `reseal`
    Reseal,
}

impl Verb {
    /// All operations.
    pub const ALL: &'static [Self] = &[
        Self::Create,
        Self::Get,
        Self::Update,
        Self::Remove,
        Self::Park,
        Self::Find,
        Self::Waits,
        Self::Latest,
        Self::Clear,
        Self::Claim,
        Self::Renew,
        Self::Release,
        Self::Commit,
        Self::Deliver,
        Self::Next,
        Self::Messages,
        Self::Discard,
        Self::Retry,
        Self::ClaimDue,
        Self::SetTimeout,
        Self::Health,
        Self::Scan,
        Self::Erase,
        Self::Verify,
        Self::Extend,
        Self::Revoke,
        Self::Export,
        Self::Import,
        Self::Reseal,
    ];

    /// Returns the name, such as `claim`: the value of a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::Park => "park",
            Self::Find => "find",
            Self::Waits => "waits",
            Self::Latest => "latest",
            Self::Clear => "clear",
            Self::Claim => "claim",
            Self::Renew => "renew",
            Self::Release => "release",
            Self::Commit => "commit",
            Self::Deliver => "deliver",
            Self::Next => "next",
            Self::Messages => "messages",
            Self::Discard => "discard",
            Self::Retry => "retry",
            Self::ClaimDue => "claim_due",
            Self::SetTimeout => "set_timeout",
            Self::Health => "health",
            Self::Scan => "scan",
            Self::Erase => "erase",
            Self::Verify => "verify",
            Self::Extend => "extend",
            Self::Revoke => "revoke",
            Self::Export => "export",
            Self::Import => "import",
            Self::Reseal => "reseal",
        }
    }
}
