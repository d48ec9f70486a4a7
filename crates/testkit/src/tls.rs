//! Certificates for servers with TLS.

use std::path::PathBuf;

/// The files of a TLS listener.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// The certificate's private key, PEM.
    pub key: PathBuf,
    /// The authority that signed it, PEM.
    pub authority: PathBuf,
}

#[cfg(feature = "tls")]
impl TlsFiles {
    /// Writes a new authority, and a certificate for `localhost` and `127.0.0.1` signed by it, into
    /// `directory`. A client can use the certificate too.
    ///
    /// # Panics
    /// If they cannot be created or written.
    #[must_use]
    pub fn generate(directory: &std::path::Path) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

        let key = || KeyPair::generate().expect("a key pair");
        let mut params = CertificateParams::default();
        // Different names, because OpenSSL takes a certificate with the name of its issuer for the
        // issuer.
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "tests' authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, key()).expect("an authority");
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server_key = key();
        let certificate = CertificateParams::new(names)
            .and_then(|params| params.signed_by(&server_key, &authority))
            .expect("a certificate");
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            std::fs::write(&path, text).expect("cannot write a certificate");
            path
        };
        Self {
            certificate: write("server.pem", certificate.pem()),
            key: write("server.key", server_key.serialize_pem()),
            authority: write("authority.pem", authority.pem()),
        }
    }
}
