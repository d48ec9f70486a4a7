//! Where sealed data belongs (C36).

/// The kind of data. Data of one kind opens as no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The data of a session. Its name is the session key.
    #[cfg(any(test, feature = "redis", feature = "durable"))]
    Session,
    /// The reply of a message. Its names are the owner and the digest of the message.
    #[cfg(any(test, feature = "redis", feature = "durable"))]
    Reply,
    /// The body of a message of a queue. Its names are those of a reply.
    #[cfg(any(test, feature = "redis", feature = "durable"))]
    Body,
    /// A key of a tenant, on a shelf.
    Key,
    /// What a program seals by itself, such as the lines of a file. Its name is the program's.
    Own,
}

impl Kind {
    /// What the place begins with. No tag is the start of another.
    const fn tag(self) -> &'static [u8] {
        match self {
            #[cfg(any(test, feature = "redis", feature = "durable"))]
            Self::Session => b"sealed session\0",
            #[cfg(any(test, feature = "redis", feature = "durable"))]
            Self::Reply => b"sealed reply\0",
            #[cfg(any(test, feature = "redis", feature = "durable"))]
            Self::Body => b"sealed body\0",
            Self::Key => b"sealed key\0",
            Self::Own => b"sealed by a program\0",
        }
    }
}

/// Where sealed data belongs: its kind, its tenant, and its name. It opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub kind: Kind,
    /// `env:tenant`. Ids contain no `:`.
    pub tenant: &'a str,
    pub name: [&'a [u8]; 2],
}

impl<'a> Place<'a> {
    pub const fn new(kind: Kind, tenant: &'a str, name: &'a [u8]) -> Self {
        Self {
            kind,
            tenant,
            name: [name, b""],
        }
    }

    /// The associated data of an envelope with this head: different heads and places never have the
    /// same.
    pub fn bind(&self, head: &[u8]) -> Vec<u8> {
        let parts = [head, self.tenant.as_bytes(), self.name[0], self.name[1]];
        let length: usize = parts.iter().map(|part| part.len() + 8).sum();
        let mut bytes = Vec::with_capacity(length + 32);
        bytes.extend_from_slice(self.kind.tag());
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}
