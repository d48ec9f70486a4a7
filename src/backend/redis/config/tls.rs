//! The TLS settings of a store.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{SessionResult, invalid_input};

/// Certificates or a key in PEM form: the path of a file, or the text itself.
///
/// A file is read when the store is created. `Debug` shows the path of a file, and hides text.
///
/// ```
/// use greentic_session::{Pem, RedisConfig};
///
/// let config = RedisConfig::from_url("rediss://redis.internal")?
///     .tls_authority(Pem::File("/etc/ssl/redis-ca.pem".into()));
/// # let _ = config;
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    /// The path of a file.
    File(PathBuf),
    /// The text.
    Text(Vec<u8>),
}

impl Pem {
    /// The PEM text. `what` names it in the error.
    ///
    /// # Errors
    /// `InvalidInput` if the file cannot be read.
    pub(crate) fn read(&self, what: &str) -> SessionResult<Vec<u8>> {
        let failure = |error: io::Error| {
            invalid_input(format!("the {what} cannot be read: {}", error.kind()))
        };
        match self {
            Self::File(path) => fs::read(path).map_err(failure),
            Self::Text(text) => Ok(text.clone()),
        }
    }
}

impl From<&Path> for Pem {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl From<Vec<u8>> for Pem {
    fn from(text: Vec<u8>) -> Self {
        Self::Text(text)
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Text(_) => f.write_str("Text([hidden])"),
        }
    }
}

/// The authorities to trust, and the client certificate to present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// The authorities whose certificates are accepted; none means the public ones.
    pub authority: Option<Pem>,
    /// The client certificate, and the chain behind it.
    pub certificate: Option<Pem>,
    pub key: Option<Pem>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c18_debug_of_pem_text_hides_the_text() {
        let shown = format!("{:?}", Pem::Text(b"hunter2".to_vec()));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
