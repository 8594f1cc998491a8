//! TLS for clients: certificates by server name, read from files, and read again when they change.

use crate::config::{CertificateFiles, ListenerTls};
use rustls::crypto::CryptoProvider;
pub use rustls::server::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use std::sync::Arc;

/// A certificate can not be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A PEM file does not read or does not parse.
    #[error("{}: {source}", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The file holds no certificate.
    #[error("{}: there is no certificate in this file", .0.display())]
    Empty(PathBuf),
    /// Chain and key do not fit each other, or are of a kind that is not supported.
    #[error("{}: {source}", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The configuration as a whole is refused.
    #[error("TLS can not be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// A client's encrypted stream.
pub type ServerStream = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

/// Shakes hands with a client.
///
/// # Errors
/// When the client breaks off, or speaks no TLS that is spoken here.
pub async fn accept(config: Arc<ServerConfig>, tcp: tokio::net::TcpStream) -> std::io::Result<ServerStream> {
    tokio_rustls::TlsAcceptor::from(config).accept(tcp).await
}

/// Whether HTTP/2 was agreed on (RFC 7301).
pub fn is_h2(stream: &ServerStream) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

/// Makes aws-lc-rs the one provider of the process, before a dependency could choose another.
pub fn install_provider() {
    // An error says that one is installed already: by an earlier call of this.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Reads a listener's certificates into a configuration: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN.
///
/// # Errors
/// [`CertificateError`] naming the file.
pub fn server_config(tls: &ListenerTls) -> Result<Arc<ServerConfig>, CertificateError> {
    install_provider();
    let builder = ServerConfig::builder();
    let provider = builder.crypto_provider().clone();
    let mut certificates = Vec::new();
    for files in &tls.certificates {
        certificates.push(Certificate::read(files, &provider)?);
    }
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(ByName { certificates }));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// When the first certificate of a file pair ends, in seconds since 1970; `None` when that can not be read.
pub fn not_after(files: &CertificateFiles) -> Option<i64> {
    let der = CertificateDer::pem_file_iter(&files.cert).ok()?.next()?.ok()?;
    super::x509::not_after(&der)
}

/// One certificate with the names it is for.
#[derive(Debug)]
struct Certificate {
    key: Arc<CertifiedKey>,
    end_entity: CertificateDer<'static>,
}

impl Certificate {
    fn read(files: &CertificateFiles, provider: &CryptoProvider) -> Result<Self, CertificateError> {
        let pem = |path: &PathBuf| {
            let path = path.clone();
            move |source| CertificateError::Pem { path, source }
        };
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(&files.cert).map_err(pem(&files.cert))?.collect();
        let chain = chain.map_err(pem(&files.cert))?;
        let end_entity = chain.first().cloned().ok_or_else(|| CertificateError::Empty(files.cert.clone()))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
        let key = CertifiedKey::from_der(chain, key, provider)
            .map_err(|source| CertificateError::Unusable { path: files.cert.clone(), source })?;
        Ok(Self { key: Arc::new(key), end_entity })
    }

    /// Whether the certificate is for this name (RFC 6125: exact, or a wildcard in the leftmost label).
    fn is_for(&self, name: &str) -> bool {
        let Ok(name) = rustls_pki_types::ServerName::try_from(name) else { return false };
        let Ok(parsed) = rustls::server::ParsedCertificate::try_from(&self.end_entity) else { return false };
        rustls::client::verify_server_name(&parsed, &name).is_ok()
    }
}

/// Picks by server name; the first certificate is the default.
#[derive(Debug)]
struct ByName {
    certificates: Vec<Certificate>,
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let by_name = hello
            .server_name()
            .filter(|_| self.certificates.len() > 1)
            .and_then(|name| self.certificates.iter().find(|certificate| certificate.is_for(name)));
        by_name.or(self.certificates.first()).map(|certificate| certificate.key.clone())
    }
}
