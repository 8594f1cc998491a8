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

fn authority() -> &'static CertifiedIssuer<'static, KeyPair> {
    static AUTHORITY: OnceLock<CertifiedIssuer<'static, KeyPair>> = OnceLock::new();
    AUTHORITY.get_or_init(|| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "Portcullis test authority");
        let key = KeyPair::generate().expect("a key pair");
        CertifiedIssuer::self_signed(params, key).expect("an authority")
    })
}

/// The authority's certificate, to be trusted, as PEM.
pub(crate) fn authority_pem() -> String {
    authority().pem()
}

/// A leaf for these names (host names or IP addresses).
pub(crate) fn leaf(names: &[&str]) -> Leaf {
    let names: Vec<String> = names.iter().map(|&n| n.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name.push(DnType::CommonName, "leaf");
    let key = KeyPair::generate().expect("a key pair");
    let cert = params.signed_by(&key, authority()).expect("a leaf");
    Leaf {
        cert_pem: cert.pem(),
        key_pem: key.serialize_pem(),
        der: cert.der().to_vec(),
        key_der: key.serialize_der(),
    }
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
        roots.add(authority().der().clone()).expect("a root");
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
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority().der().clone()).expect("a root");
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = match only {
        Some(version) => builder.with_protocol_versions(&[version]),
        None => builder.with_safe_default_protocol_versions(),
    };
    let mut config = builder.expect("protocol versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    Arc::new(config)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
