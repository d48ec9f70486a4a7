//! User names and passwords.

use std::fmt;

/// The user to log in as. Without a user it is the default user. A user without a password logs in
/// with an empty one; without both no login is sent.
#[derive(Clone, Default)]
pub struct Credentials {
    pub user: Option<String>,
    pub password: Option<Secret>,
}

/// Text that `Debug` does not show (C18).
#[derive(Clone)]
pub struct Secret(String);

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
    fn c18_debug_of_a_secret_hides_its_text() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[hidden]");
    }
}
