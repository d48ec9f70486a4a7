//! The TLS handshake.
//!
//! It uses rustls with the `ring` provider, independent of the process-wide default provider.

use std::io;
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

use crate::backend::redis::config::tls::{Pem, TlsSettings};
use crate::error::{SessionResult, invalid_input};

/// Loads certificates and key.
///
/// # Errors
/// `InvalidInput` if one cannot be read or used.
pub fn connector(settings: &TlsSettings) -> SessionResult<TlsConnector> {
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| invalid_input("this build of rustls supports no TLS version"))?
        .with_root_certificates(roots(settings)?);
    let config = match (&settings.certificate, &settings.key) {
        (None, None) => config.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let (chain, key) = (certificates(certificate)?, private_key(key)?);
            config
                .with_client_auth_cert(chain, key)
                .map_err(|_| invalid_input("the TLS client certificate and key do not match"))?
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

fn roots(settings: &TlsSettings) -> SessionResult<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match &settings.authority {
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

/// Performs the TLS handshake.
///
/// A server reports that it rejects the client certificate only with its first answer. So a PING is
/// sent, and its answer awaited.
pub async fn handshake(
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

/// What an operator must change after a TLS error; none for other errors.
pub fn advice(error: &io::Error) -> Option<&'static str> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "presents a certificate of an authority that is not trusted: name the authority with tls_ca"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "presents a certificate that is not for this host name"
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "presents a certificate that has expired"
            }
            _ => "presents a certificate that is not valid",
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure,
        ) => "requires a client certificate: set tls_cert and tls_key",
        rustls::Error::AlertReceived(_) => "rejects the client certificate or the TLS version",
        _ => "does not answer with TLS: if the server has no TLS the scheme is redis, not rediss",
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn refused(tls: &TlsSettings) -> String {
        let error = connector(tls).err().unwrap();
        assert_eq!(error.code, crate::ErrorCode::InvalidInput);
        error.message
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let text = || Some(Pem::Text(b"hunter2".to_vec()));
        let none = TlsSettings::default();
        for tls in [
            TlsSettings {
                authority: text(),
                ..none.clone()
            },
            TlsSettings {
                certificate: text(),
                key: text(),
                ..none.clone()
            },
            TlsSettings {
                certificate: text(),
                ..none.clone()
            },
            TlsSettings {
                key: text(),
                ..none.clone()
            },
            TlsSettings {
                authority: Some(Pem::from(Path::new("/no/such/file"))),
                ..none.clone()
            },
        ] {
            assert!(!refused(&tls).contains("hunter2"));
        }
        assert!(connector(&none).is_ok());
    }
}
