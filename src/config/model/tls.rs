//! `tls` of a listener: certificates, versions, and who has to show one of their own.

use std::path::PathBuf;
use std::time::Duration;

/// The TLS side of a listener.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// Certificates in files; SNI picks, the first is the default. At least one where there is no `acme`.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is spoken. Default TLS 1.2.
    pub min_version: TlsVersion,
    /// Whether a client that names no server of the certificates is turned away instead of shown the default.
    pub strict_sni: bool,
    /// Mutual TLS.
    pub clients: Option<ClientAuth>,
    /// A certificate that is obtained, beside those in files.
    pub acme: Option<Acme>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsVersion {
    /// RFC 5246.
    V1_2,
    /// RFC 8446.
    V1_3,
}

/// A certificate chain and its key, as PEM files. Relative paths were resolved against the configuration file's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Chain, leaf first.
    pub cert: PathBuf,
    /// Private key: PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
}

/// Mutual TLS: whose certificates clients show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAuth {
    /// PEM file of the authorities, at least one.
    pub ca: PathBuf,
    /// Whether a client without a certificate is turned away. Default true. A bad one always is.
    pub required: bool,
    /// Whether upstreams are shown the certificate, as `Client-Cert` (RFC 9440). Default false.
    pub forward: bool,
}

/// A certificate that is obtained by ACME (RFC 8555).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// Names, in lower case, at least one; one certificate is for all of them.
    pub domains: Vec<Box<str>>,
    /// Contact of the account.
    pub email: Option<Box<str>>,
    /// URL of the directory, `https`.
    pub directory: Box<str>,
    /// PEM file of the root of a directory that is no public one.
    pub ca: Option<PathBuf>,
    /// How it is proven that the names are ours.
    pub challenge: AcmeChallenge,
    /// How long before its end a certificate is renewed; by default when two thirds of its life are over.
    pub renew_before: Option<Duration>,
}

/// How it is proven to an authority that a name leads here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcmeChallenge {
    /// `tls-alpn-01` (RFC 8737): on the listener itself, which is to be reached as port 443.
    TlsAlpn,
    /// `http-01` (RFC 8555, 8.3): on the listeners without TLS, one of which is to be reached as port 80.
    Http,
}

impl Acme {
    /// The name under which certificate and orders are kept: the same for the same domains of the same authority.
    pub fn name(&self) -> String {
        let mut domains: Vec<&str> = self.domains.iter().map(|domain| &**domain).collect();
        domains.sort_unstable();
        format!("{} {}", self.directory, domains.join(","))
    }

    /// The domains, for people.
    pub fn listed(&self) -> String {
        self.domains.join(", ")
    }
}
