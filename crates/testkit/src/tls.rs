//! Certificates for servers with TLS.

use std::path::{Path, PathBuf};

/// The files of a TLS listener.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate, PEM. A client can use it too.
    pub certificate: PathBuf,
    /// The certificate's private key, PEM.
    pub key: PathBuf,
    /// The authority that signed it, PEM.
    pub authority: PathBuf,
}

impl TlsFiles {
    /// A certificate for `localhost` and `127.0.0.1`.
    #[must_use]
    pub fn one() -> Self {
        Self::named("one")
    }

    /// A certificate for the same names, signed by another authority.
    #[must_use]
    pub fn another() -> Self {
        Self::named("another")
    }

    // Files of the repository, written by `certificates/make.sh`.
    fn named(name: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = |file: &str| root.join("certificates").join(name).join(file);
        Self {
            certificate: file("server.pem"),
            key: file("server.key"),
            authority: file("authority.pem"),
        }
    }
}
