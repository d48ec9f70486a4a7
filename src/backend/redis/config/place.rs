//! The place where a server listens.

use std::fmt;

use super::address::Address;

/// A host and a port, or the path of a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Address(Address),
    Socket(String),
}

impl From<Address> for Place {
    fn from(address: Address) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => fmt::Display::fmt(address, f),
            Self::Socket(path) => f.write_str(path),
        }
    }
}
