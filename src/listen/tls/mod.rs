//! TLS for clients: certificates by server name, sessions that resume, certificates of the clients' own.

mod certificate;
mod clients;
mod names;
mod obtained;
mod tickets;

pub use certificate::Expiry;
pub use obtained::Obtained;
pub use rustls::server::ServerConfig;

use crate::config::{Acme, AcmeChallenge, ListenerTls, TlsVersion};
use certificate::Certificate;
use names::{ByAcme, ByName};
use rustls::HandshakeKind;
use rustls::server::{Acceptor, NoServerSessionStorage};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tickets::Tickets;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};

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
    #[error("{}: {source}; is {} the key that belongs to it?", path.display(), key.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The authorities of clients' certificates can not be used.
    #[error("{}: not the certificates of authorities: {source}", path.display())]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was obtained can not be shown.
    #[error("{0}")]
    Obtained(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The configuration as a whole is refused.
    #[error("TLS can not be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// What listeners for clients speak: HTTP/2 and HTTP/1.1 (RFC 7301).
pub const HTTP: &[&[u8]] = &[b"h2", b"http/1.1"];
/// What the admin listener speaks.
pub const HTTP_1: &[&[u8]] = &[b"http/1.1"];

/// What an authority speaks that looks whether a name leads here (RFC 8737).
const ACME_TLS: &[u8] = b"acme-tls/1";

impl CertificateError {
    fn obtained(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Obtained(Box::new(error))
    }
}

/// A client's encrypted stream.
pub type ServerStream = tokio_rustls::server::TlsStream<TcpStream>;

/// A listener's TLS, ready to shake hands.
#[derive(Debug)]
pub struct Termination {
    config: Arc<ServerConfig>,
    names: Arc<ByName>,
    strict_sni: bool,
    forwards_certificates: bool,
    tickets: Tickets,
    outdated: Vec<CertificateError>,
}

/// What became of a client's handshake.
#[derive(Debug)]
pub struct Accepted {
    /// The stream.
    pub stream: ServerStream,
    /// Whether an earlier session went on: no certificate was shown, nor proven.
    pub resumed: bool,
    /// The client's certificate, DER, when it showed one that an authority of the listener's has signed.
    pub certificate: Option<Vec<u8>>,
}

impl Termination {
    /// Reads a listener's certificates; `protocols` are agreed on by ALPN, the first that a client offers too. A pair that can not be used now is taken from `previous`, the listener's TLS so far,
    /// where that has it, and is named by [`Termination::outdated`]: one broken file must not keep another's renewal out.
    ///
    /// # Errors
    /// [`CertificateError`] naming the file.
    pub fn new(
        tls: &ListenerTls,
        protocols: &[&[u8]],
        obtained: &Arc<Obtained>,
        previous: Option<&Self>,
    ) -> Result<Arc<Self>, CertificateError> {
        install_provider();
        let builder = ServerConfig::builder_with_protocol_versions(versions(tls.min_version));
        let provider = builder.crypto_provider().clone();
        let (mut certificates, mut outdated) = (Vec::new(), Vec::new());
        for files in &tls.certificates {
            let held = previous.and_then(|previous| previous.names.of(files));
            match (Certificate::read(files, &provider), held) {
                (Ok(certificate), _) => certificates.push(Arc::new(certificate)),
                (Err(error), Some(held)) => {
                    certificates.push(held);
                    outdated.push(error);
                }
                (Err(error), None) => return Err(error),
            }
        }
        let clients =
            tls.clients.as_ref().map(|clients| clients::verifier(clients, &provider)).transpose()?;
        let tickets =
            Tickets::new(tls, clients.as_ref().map(|clients| &*clients.pem), previous.map(|it| &it.tickets))?;
        let by_acme = |acme: &Acme| ByAcme { name: acme.name(), obtained: obtained.clone() };
        let names = Arc::new(ByName::new(certificates, tls.acme.as_ref().map(by_acme)));
        let builder = match clients {
            Some(clients) => builder.with_client_cert_verifier(clients.verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(names.clone());
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        if tls.acme.as_ref().is_some_and(|acme| acme.challenge == AcmeChallenge::TlsAlpn) {
            config.alpn_protocols.push(ACME_TLS.to_vec());
        }
        config.ticketer = tickets.ticketer();
        // Only what a client brings with it: a memory of sessions would be a lock that all workers share.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(Self {
            config: Arc::new(config),
            names,
            strict_sni: tls.strict_sni,
            forwards_certificates: tls.clients.as_ref().is_some_and(|clients| clients.forward),
            tickets,
            outdated,
        }))
    }

    /// Finds out whether a listener could show its certificates.
    ///
    /// # Errors
    /// Why not.
    pub fn check(tls: &ListenerTls) -> Result<(), CertificateError> {
        Self::new(tls, HTTP, &Arc::default(), None).map(drop)
    }

    /// Why certificates are shown that are older than their files.
    pub fn outdated(&self) -> &[CertificateError] {
        &self.outdated
    }

    /// When each certificate ends that is shown.
    pub fn expiries(&self) -> Vec<Expiry> {
        self.names.expiries()
    }

    /// Whether upstreams are shown clients' certificates.
    pub fn forwards_certificates(&self) -> bool {
        self.forwards_certificates
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// When the client breaks off, speaks no TLS that is spoken here, or lacks a certificate that is asked for.
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<Accepted> {
        let stream = if self.strict_sni {
            self.accept_known_names(tcp).await?
        } else {
            TlsAcceptor::from(self.config.clone()).accept(tcp).await?
        };
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().and_then(|chain| chain.first()).map(|der| der.to_vec());
        let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok(Accepted { resumed, certificate, stream })
    }

    /// Turns away who asks for a name that no certificate is for, in the words that RFC 6066 has for it.
    async fn accept_known_names(&self, tcp: TcpStream) -> io::Result<ServerStream> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        if start.client_hello().server_name().is_some_and(|name| self.names.has(name)) {
            return start.into_stream(self.config.clone()).await;
        }
        let mut tcp = start.io;
        // A fatal alert, unrecognized_name(112), as a record that is not encrypted yet (RFC 8446, 5.1 and 6).
        tcp.write_all(&[21, 3, 3, 0, 2, 2, 112]).await?;
        Err(io::Error::other("no certificate is for the name that was asked for"))
    }
}

/// Whether the same is asked of clients: encryption, or not, and which certificates of their own.
pub(super) fn same_terms(one: Option<&Termination>, other: Option<&Termination>) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => one.tickets.same_terms(&other.tickets),
        _ => false,
    }
}

/// Whether HTTP/2 was agreed on (RFC 7301).
pub fn is_h2(stream: &ServerStream) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(b"h2")
}

/// Whether it was an authority, which has seen what it wanted to.
pub fn is_proof(stream: &ServerStream) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(ACME_TLS)
}

/// Makes aws-lc-rs the one provider of the process, before a dependency could choose another.
pub fn install_provider() {
    // An error says that one is installed already: by an earlier call of this.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

static ONLY_1_3: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

fn versions(least: TlsVersion) -> &'static [&'static rustls::SupportedProtocolVersion] {
    match least {
        TlsVersion::V1_2 => rustls::ALL_VERSIONS,
        TlsVersion::V1_3 => ONLY_1_3,
    }
}
