//! TLS, by rustls with its own choice of cryptography: what another part of the process has
//! installed as the default does not matter.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{
    self, AlertDescription, CertificateError, ClientConfig, RootCertStore, crypto,
};

use crate::error::{SessionResult, invalid_input};

/// Certificates or a key in PEM form: a file, or the text itself.
///
/// A file is read when the store is made. `Debug` shows the path of a file, and no text.
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
    fn read(&self, what: &str) -> SessionResult<Vec<u8>> {
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

/// Whom we trust, and who we say we are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tls {
    /// None: the public authorities.
    pub authority: Option<Pem>,
    pub certificate: Option<Pem>,
    pub key: Option<Pem>,
}

impl Tls {
    pub fn connector(&self) -> SessionResult<TlsConnector> {
        let config =
            ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|_| invalid_input("this build of rustls has no protocol version"))?
                .with_root_certificates(self.roots()?);
        let config = match (&self.certificate, &self.key) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let (chain, key) = (certificates(certificate)?, private_key(key)?);
                config.with_client_auth_cert(chain, key).map_err(|_| {
                    invalid_input("the TLS client certificate and its key do not fit together")
                })?
            }
            _ => {
                return Err(invalid_input(
                    "a TLS client certificate needs its key, and a key its certificate \
                     (tls_cert and tls_key)",
                ));
            }
        };
        Ok(Arc::new(config).into())
    }

    fn roots(&self) -> SessionResult<RootCertStore> {
        let mut roots = RootCertStore::empty();
        match &self.authority {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(pem) => {
                for certificate in certificates(pem)? {
                    let added = roots.add(certificate);
                    added.map_err(|_| invalid_input("a TLS authority is no certificate"))?;
                }
            }
        }
        Ok(roots)
    }
}

fn certificates(pem: &Pem) -> SessionResult<Vec<CertificateDer<'static>>> {
    let text = pem.read("TLS certificate")?;
    let found = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(invalid_input("a TLS certificate is not in PEM form")),
    }
}

fn private_key(pem: &Pem) -> SessionResult<PrivateKeyDer<'static>> {
    let text = pem.read("TLS key")?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| invalid_input("the TLS client key is not in PEM form"))
}

/// Agrees on TLS with the server at the other end.
///
/// What it thinks of our certificate it says only when it answers for the first time: so it is asked
/// something.
pub(super) async fn open(
    connector: &TlsConnector,
    name: ServerName<'static>,
    stream: TcpStream,
) -> io::Result<TlsStream<TcpStream>> {
    let mut stream = connector.connect(name, stream).await?;
    stream.write_all(b"PING\r\n").await?;
    stream.flush().await?;
    while stream.read_u8().await? != b'\n' {}
    Ok(stream)
}

/// What an operator must change, where TLS says why it ended. It speaks of certificates only.
pub(super) fn advice(error: &io::Error) -> Option<&'static str> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "shows a certificate of an authority that is not trusted: name it by tls_ca"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "shows a certificate that is not for this host name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "shows a certificate that has expired"
            }
            _ => "shows a certificate that is not valid",
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        ) => "wants a client certificate: name it by tls_cert and tls_key",
        rustls::Error::AlertReceived(_) => "does not accept our client certificate or TLS version",
        _ => "does not speak TLS as it should: without TLS the scheme is redis, not rediss",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(tls: &Tls) -> String {
        let error = tls.connector().err().unwrap();
        assert_eq!(error.code, crate::ErrorCode::InvalidInput);
        error.message
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let text = || Some(Pem::Text(b"hunter2".to_vec()));
        let none = Tls::default();
        for tls in [
            Tls {
                authority: text(),
                ..none.clone()
            },
            Tls {
                certificate: text(),
                key: text(),
                ..none.clone()
            },
            Tls {
                certificate: text(),
                ..none.clone()
            },
            Tls {
                key: text(),
                ..none.clone()
            },
            Tls {
                authority: Some(Pem::from(Path::new("/no/such/file"))),
                ..none.clone()
            },
        ] {
            assert!(!refused(&tls).contains("hunter2"));
        }
        assert!(none.connector().is_ok());
    }

    #[test]
    fn c18_text_is_not_shown() {
        let shown = format!("{:?}", Pem::Text(b"hunter2".to_vec()));
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
