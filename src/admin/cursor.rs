//! The position at which a walk continues.

use std::fmt;
use std::str::FromStr;

use greentic_types::GreenticError;

use crate::error::{SessionResult, invalid_input};

/// The longest cursor, in bytes.
const MAX_CURSOR_BYTES: usize = 16 * 1024;

/// The start of the next page of a walk. It is valid only for the store that returned it.
///
/// It can be printed and parsed, so that another process can continue the walk; a cursor of the
/// memory store is valid only as long as that store exists. A cursor can contain, encoded, the last
/// session key or owner of a page, so protect it like the data. `Debug` prints none of it (C18).
///
/// ```
/// use greentic_session::admin::ScanCursor;
///
/// let cursor: ScanCursor = "s0:2a".parse()?;
/// assert_eq!(cursor.to_string(), "s0:2a");
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ScanCursor(String);

impl ScanCursor {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error for a cursor that is of another store or was changed.
pub(crate) fn unknown_cursor() -> GreenticError {
    invalid_input("the cursor is not of this store; start the walk again")
}

impl FromStr for ScanCursor {
    type Err = GreenticError;

    fn from_str(text: &str) -> SessionResult<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b':';
        if text.is_empty() || text.len() > MAX_CURSOR_BYTES || !text.bytes().all(allowed) {
            return Err(unknown_cursor());
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ScanCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ScanCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScanCursor(..)")
    }
}
