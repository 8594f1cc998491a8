//! A certificate authority of the suite's own, and leaves signed by it.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A leaf and its key.
pub(crate) struct Leaf {
    pub(crate) cert_pem: String,
    pub(crate) key_pem: String,
    pub(crate) der: Vec<u8>,
    key_der: Vec<u8>,
}

fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(|| Authority::new("Portcullis test authority"))
}

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key pair");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// Its certificate as PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A leaf with this common name, for these names, altered.
    pub(crate) fn leaf(
        &self,
        common_name: &str,
        names: &[&str],
        key: KeyPair,
        alter: impl FnOnce(&mut CertificateParams),
    ) -> Leaf {
        let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        alter(&mut params);
        let cert = params.signed_by(&key, &self.0).expect("a leaf");
        Leaf {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
            der: cert.der().to_vec(),
            key_der: key.serialize_der(),
        }
    }
}

/// The authority's certificate, to be trusted, as PEM.
pub(crate) fn authority_pem() -> String {
    authority().pem()
}

/// A leaf for these names (host names or IP addresses).
pub(crate) fn leaf(names: &[&str]) -> Leaf {
    authority().leaf("leaf", names, KeyPair::generate().expect("a key pair"), |_| {})
}

/// A certificate for the key in a request (RFC 2986), as PEM; it is good between these seconds since 1970.
pub(crate) fn issue(names: &[String], request: &[u8], from_s: u64, until_s: u64) -> String {
    let mut params = CertificateParams::new(names).expect("names");
    let start = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = start + std::time::Duration::from_secs(from_s);
    params.not_after = start + std::time::Duration::from_secs(until_s);
    params.signed_by(&Asked::of(request), &authority().0).expect("a certificate").pem()
}

/// The key of a request: P-256, an uncompressed point behind the identifier of the curve.
struct Asked(Vec<u8>);

impl Asked {
    fn of(request: &[u8]) -> Self {
        let curve = [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, 3, 0x42, 0];
        let at =
            request.windows(curve.len()).position(|part| part == curve).expect("a P-256 key") + curve.len();
        Self(request[at..at + 65].to_vec())
    }
}

impl rcgen::PublicKeyData for Asked {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// The same with a key of another kind than the usual ECDSA.
pub(crate) fn leaf_with(names: &[&str], key: &'static rcgen::SignatureAlgorithm) -> Leaf {
    authority().leaf("leaf", names, KeyPair::generate_for(key).expect("a key pair"), |_| {})
}

impl Leaf {
    /// Writes `<stem>.pem` and `<stem>.key` into a folder, each in one step so that a watcher sees whole files.
    pub(crate) fn write(&self, folder: &Path, stem: &str) {
        for (name, text) in [(format!("{stem}.key"), &self.key_pem), (format!("{stem}.pem"), &self.cert_pem)]
        {
            let draft = folder.join(format!("{name}.new"));
            std::fs::write(&draft, text).expect("write a certificate file");
            std::fs::rename(&draft, folder.join(&name)).expect("put a certificate file in place");
        }
    }

    /// A server configuration with this certificate.
    pub(crate) fn server(&self, alpn: &[&[u8]]) -> Arc<rustls::ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key_der.clone()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(self.der.clone())], key)
            .expect("a server certificate");
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        Arc::new(config)
    }
}

impl Leaf {
    /// The same, for clients that show a certificate of the suite's authority and no others.
    pub(crate) fn server_for_known(&self, alpn: &[&[u8]]) -> Arc<rustls::ServerConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority().0.der().clone()).expect("a root");
        let verifier =
            rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key_der.clone()));
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_client_cert_verifier(verifier.build().expect("a verifier"))
            .with_single_cert(vec![CertificateDer::from(self.der.clone())], key)
            .expect("a server certificate");
        config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
        Arc::new(config)
    }
}

/// A client that trusts the suite's authority, offers these ALPN names and, if given, only this TLS version.
pub(crate) fn trusting(
    alpn: &[&[u8]],
    only: Option<&'static rustls::SupportedProtocolVersion>,
) -> Arc<ClientConfig> {
    client(alpn, only, None, provider())
}

/// The same, of a client that has a certificate to show.
pub(crate) fn showing(
    leaf: &Leaf,
    only: Option<&'static rustls::SupportedProtocolVersion>,
) -> Arc<ClientConfig> {
    client(&[b"http/1.1"], only, Some(leaf), provider())
}

/// The same, of a client that knows these cipher suites only.
pub(crate) fn knowing(suites: Vec<rustls::SupportedCipherSuite>) -> Arc<ClientConfig> {
    client(
        &[],
        None,
        None,
        Arc::new(rustls::crypto::CryptoProvider { cipher_suites: suites, ..(*provider()).clone() }),
    )
}

fn client(
    alpn: &[&[u8]],
    only: Option<&'static rustls::SupportedProtocolVersion>,
    shown: Option<&Leaf>,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Arc<ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority().0.der().clone()).expect("a root");
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = match only {
        Some(version) => builder.with_protocol_versions(&[version]),
        None => builder.with_safe_default_protocol_versions(),
    };
    let builder = builder.expect("protocol versions").with_root_certificates(roots);
    let mut config = match shown {
        Some(leaf) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf.key_der.clone()));
            builder
                .with_client_auth_cert(vec![CertificateDer::from(leaf.der.clone())], key)
                .expect("a certificate")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Arc::new(config)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
