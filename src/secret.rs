//! Text that is never printed.

use std::fmt;

/// Text that `Debug` does not show (C18).
#[derive(Clone, PartialEq, Eq)]
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
