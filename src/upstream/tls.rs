//! TLS to upstreams: the system's roots, SNI, ALPN.

use crate::config::UpstreamTls;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// An encrypted stream to an upstream.
pub type Stream = TlsStream<TcpStream>;

/// The client side of TLS. The roots are read when the first `https` upstream is connected to.
#[derive(Clone, Debug)]
pub struct Client {
    config: Arc<OnceLock<Arc<ClientConfig>>>,
    protocols: &'static [&'static [u8]],
}

impl Client {
    pub(super) fn new() -> Self {
        Self { config: Arc::new(OnceLock::new()), protocols: &[b"h2", b"http/1.1"] }
    }

    /// A client that speaks HTTP/1.1 only.
    pub fn http1() -> Self {
        Self { config: Arc::new(OnceLock::new()), protocols: &[b"http/1.1"] }
    }

    /// A client for an upstream that has settings of its own.
    ///
    /// # Errors
    /// When there is no authority in `ca`, or certificate and key do not belong together.
    pub fn with(settings: &UpstreamTls) -> io::Result<Self> {
        let client = Self::new();
        let roots = match &settings.authorities {
            Some(file) => from_pem(&file.content)?,
            None => system_roots(),
        };
        let builder = ClientConfig::builder().with_root_certificates(roots);
        let config = match &settings.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&certificate.content).collect();
                let key = PrivateKeyDer::from_pem_slice(&key.content).map_err(io::Error::other)?;
                builder
                    .with_client_auth_cert(chain.map_err(io::Error::other)?, key)
                    .map_err(io::Error::other)?
            }
        };
        client.config.get_or_init(|| Arc::new(speaking(config, client.protocols)));
        Ok(client)
    }

    /// A client that speaks HTTP/1.1 only, and trusts the certificates of this PEM text and no others.
    ///
    /// # Errors
    /// When there is none in it.
    pub fn trusting(pem: &[u8]) -> io::Result<Self> {
        let roots = from_pem(pem)?;
        let client = Self::http1();
        let config = client.config.get_or_init(|| Arc::new(trusting(roots, client.protocols)));
        debug_assert_eq!(config.alpn_protocols.len(), 1, "it was new");
        Ok(client)
    }

    /// Makes a connection a TLS one on which HTTP/1.1 is spoken.
    ///
    /// # Errors
    /// As [`handshake`](Self::handshake).
    pub async fn handshake_http1(&self, host: &str, tcp: TcpStream) -> io::Result<Stream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut config = ClientConfig::clone(self.config.get_or_init(|| Arc::new(config(self.protocols))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        TlsConnector::from(Arc::new(config)).connect(name, tcp).await
    }

    /// Makes a connection a TLS one; says whether HTTP/2 was agreed on.
    ///
    /// # Errors
    /// When `host` can not be a server's name, or the handshake fails.
    pub async fn handshake(&self, host: &str, tcp: TcpStream) -> io::Result<(Stream, bool)> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let config = self.config.get_or_init(|| Arc::new(config(self.protocols))).clone();
        let stream = TlsConnector::from(config).connect(name, tcp).await?;
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok((stream, h2))
    }
}

fn config(protocols: &[&[u8]]) -> ClientConfig {
    trusting(system_roots(), protocols)
}

fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    // `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured; what does not parse is left out, and an empty store
    // makes each handshake fail with a message of its own.
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a root certificate could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    roots
}

fn from_pem(pem: &[u8]) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    roots.add_parsable_certificates(certificates.map_err(io::Error::other)?);
    if roots.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no certificate in it"));
    }
    Ok(roots)
}

fn trusting(roots: RootCertStore, protocols: &[&[u8]]) -> ClientConfig {
    speaking(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth(), protocols)
}

fn speaking(mut config: ClientConfig, protocols: &[&[u8]]) -> ClientConfig {
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    config
}
