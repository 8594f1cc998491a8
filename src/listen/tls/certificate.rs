//! One certificate with its key and the names it is for.

use super::CertificateError;
use crate::config::CertificateFiles;
use crate::listen::x509;
use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::path::PathBuf;
use std::sync::Arc;

/// A certificate with its key.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// DNS names as the certificate has them (RFC 5280, 4.2.1.6), in lower case; `*.` begins a wildcard.
    pub(super) names: Vec<Box<str>>,
    pub(super) expiry: Expiry,
    /// What it was read from.
    pub(super) files: CertificateFiles,
}

/// When a certificate ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Its first name; that of its file when it has none.
    pub name: Box<str>,
    /// Seconds since 1970; `None` when that can not be read.
    pub not_after: Option<i64>,
}

impl Certificate {
    pub(super) fn read(
        files: &CertificateFiles,
        provider: &CryptoProvider,
    ) -> Result<Self, CertificateError> {
        let pem = |path: &PathBuf| {
            let path = path.clone();
            move |source| CertificateError::Pem { path, source }
        };
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(&files.cert).map_err(pem(&files.cert))?.collect();
        let chain = chain.map_err(pem(&files.cert))?;
        let end_entity = chain.first().ok_or_else(|| CertificateError::Empty(files.cert.clone()))?;
        let facts = x509::read(end_entity);
        let names = facts.as_ref().map(|facts| facts.dns_names.clone()).unwrap_or_default();
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(|source| {
            CertificateError::Unusable { path: files.cert.clone(), key: files.key.clone(), source }
        })?;
        let file = || files.cert.file_name().unwrap_or_default().to_string_lossy().into();
        let name = names.first().cloned().unwrap_or_else(file);
        let expiry = Expiry { name, not_after: facts.map(|facts| facts.not_after) };
        Ok(Self { key: Arc::new(key), names, expiry, files: files.clone() })
    }
}
