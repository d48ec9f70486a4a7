//! The name of who holds a claim.

use std::sync::Arc;

use crate::error::{SessionResult, invalid_input};

/// The longest name of a holder, in bytes.
pub const MAX_HOLDER_BYTES: usize = 256;

/// The checked name of who holds a claim: 1 to [`MAX_HOLDER_BYTES`] ASCII characters from `!` to
/// `~` (C16). It contains no space, so that it is one word of a stored line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder(Arc<str>);

impl Holder {
    /// Checks a name that a caller gave.
    pub fn checked(name: Arc<str>) -> SessionResult<Self> {
        if name.is_empty() {
            return Err(invalid_input("the name of the holder is empty"));
        }
        if name.len() > MAX_HOLDER_BYTES {
            return Err(invalid_input(format!(
                "the name of the holder is {} bytes long; the limit is {MAX_HOLDER_BYTES}",
                name.len()
            )));
        }
        if !is_word(&name) {
            return Err(invalid_input(
                "the name of the holder may contain ASCII characters from '!' to '~' only, \
                 and no space",
            ));
        }
        Ok(Self(name))
    }

    /// Reads a stored name; none if it is no name of a holder.
    #[cfg(any(feature = "redis", feature = "durable"))]
    pub fn stored(name: &str) -> Option<Self> {
        let length = 1..=MAX_HOLDER_BYTES;
        let sound = length.contains(&name.len()) && is_word(name);
        sound.then(|| Self(name.into()))
    }

    #[cfg(any(feature = "redis", feature = "durable"))]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c16_the_name_of_a_holder_is_one_short_ascii_word() {
        let checked = |name: &str| Holder::checked(name.into()).is_ok();
        for name in ["pod-7", "-", "@", "bot/7@node:3", &"x".repeat(256)] {
            assert!(checked(name), "{name}");
        }
        for name in ["", "two words", "tab\t", "ümlaut", "a\nb", "\u{7f}"] {
            assert!(!checked(name), "{name:?}");
        }
        let long = Holder::checked("x".repeat(257).into()).unwrap_err();
        assert!(long.message.contains("257") && long.message.contains("256"));
    }
}
