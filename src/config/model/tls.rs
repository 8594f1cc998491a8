//! `tls` of a listener: certificates, versions, and who has to show one of their own.

use std::path::PathBuf;

/// The TLS side of a listener.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// Certificates; SNI picks, the first is the default.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is spoken. Default TLS 1.2.
    pub min_version: TlsVersion,
    /// Whether a client that names no server of the certificates is turned away instead of shown the default.
    pub strict_sni: bool,
    /// Mutual TLS.
    pub clients: Option<ClientAuth>,
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
