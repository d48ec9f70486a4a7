//! Where a server listens, and who we are there.

use std::fmt;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Address {
    pub host: String,
    pub port: u16,
}

impl Address {
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        let host = host.into();
        Self { host, port }
    }
}

/// `host:port`, with brackets around an IPv6 address.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The user that we are; the default user without a password unless it says more.
#[derive(Clone, Default)]
pub(crate) struct Login {
    pub user: Option<String>,
    pub password: Option<Secret>,
}

/// Text that is never printed.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_it_is_written_in_urls() {
        assert_eq!(
            Address::new("localhost", 6379).to_string(),
            "localhost:6379"
        );
        assert_eq!(Address::new("::1", 7000).to_string(), "[::1]:7000");
    }

    #[test]
    fn c18_a_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[hidden]");
    }
}
