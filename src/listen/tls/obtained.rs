//! Certificates that come while the gateway runs, by ACME, and the ones with which it answers `tls-alpn-01` (RFC 8737).

use super::CertificateError;
use super::certificate::Certificate;
use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// What listeners with `acme` look their certificates up in; one for the process. Read with each handshake, written seldom.
#[derive(Debug, Default)]
pub struct Obtained {
    certificates: ArcSwap<HashMap<Box<str>, Arc<Certificate>>>,
    challenges: ArcSwap<HashMap<Box<str>, Arc<CertifiedKey>>>,
}

impl Obtained {
    /// Shows a certificate to whoever is set up for this set of domains. Gives its first and its last second, since 1970.
    ///
    /// # Errors
    /// When it does not read, or is another key's.
    pub fn show(&self, name: &str, chain: &str, key: &str) -> Result<(i64, i64), CertificateError> {
        let certificate = Certificate::parse(chain, key, &aws_lc_rs::default_provider())?;
        let validity = certificate.validity.unwrap_or_default();
        let certificate = Arc::new(certificate);
        self.certificates.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(name.into(), certificate.clone());
            all
        });
        Ok(validity)
    }

    /// Shows a certificate to who asks for `domain` with `acme-tls/1`.
    ///
    /// # Errors
    /// When it can not be used.
    pub fn prove(&self, domain: &str, der: Vec<u8>, key: &str) -> Result<(), CertificateError> {
        let key = Certificate::proof(der, key, &aws_lc_rs::default_provider())?;
        self.challenges.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(domain.to_ascii_lowercase().into(), key.clone());
            all
        });
        Ok(())
    }

    /// Proves nothing any more.
    pub fn withdraw(&self) {
        self.challenges.store(Arc::default());
    }

    pub(super) fn certificate(&self, name: &str) -> Option<Arc<Certificate>> {
        self.certificates.load().get(name).cloned()
    }

    pub(super) fn proof(&self, domain: &str) -> Option<Arc<CertifiedKey>> {
        self.challenges.load().get(&*domain.to_ascii_lowercase()).cloned()
    }
}
