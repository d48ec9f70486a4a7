//! Where a walk goes on.

use std::fmt;
use std::str::FromStr;

use greentic_types::GreenticError;

use crate::error::{SessionResult, invalid_input};

/// The longest cursor, in bytes.
const MAX_CURSOR_BYTES: usize = 16 * 1024;

/// Where the next page of a walk begins; of use only for the store that gave it.
///
/// It can be printed and parsed, so that a walk can go on in another process: on the memory store
/// only as long as the store lives. It may name, encoded, the last session or owner that the walk
/// saw, so keep it as you keep the data. `Debug` shows nothing of it (C18).
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
    pub(crate) fn new(mark: impl Into<String>) -> Self {
        Self(mark.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The cursor is of another store, or was changed.
pub(crate) fn unknown_cursor() -> GreenticError {
    invalid_input("not a cursor of this store; start from the beginning")
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
