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
    /// Its first and its last second, since 1970.
    pub(super) validity: Option<(i64, i64)>,
    /// What it was read from; nothing when it was obtained.
    pub(super) files: Option<CertificateFiles>,
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
    /// Reads a pair of files.
    ///
    /// # Errors
    /// [`CertificateError`] naming the file.
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
        if chain.is_empty() {
            return Err(CertificateError::Empty(files.cert.clone()));
        }
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
        let name = files.cert.file_name().unwrap_or_default().to_string_lossy();
        let made = Self::new(chain, key, &name, provider).map_err(|source| CertificateError::Unusable {
            path: files.cert.clone(),
            key: files.key.clone(),
            source,
        })?;
        Ok(Self { files: Some(files.clone()), ..made })
    }

    /// Reads PEM that is in memory.
    ///
    /// # Errors
    /// [`CertificateError::Obtained`]
    pub(super) fn parse(chain: &str, key: &str, provider: &CryptoProvider) -> Result<Self, CertificateError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        let chain = chain.map_err(CertificateError::obtained)?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(CertificateError::obtained)?;
        Self::new(chain, key, "obtained", provider).map_err(CertificateError::obtained)
    }

    /// One certificate with its key, whoever it is for.
    ///
    /// # Errors
    /// [`CertificateError::Obtained`]
    pub(super) fn proof(
        der: Vec<u8>,
        key: &str,
        provider: &CryptoProvider,
    ) -> Result<Arc<CertifiedKey>, CertificateError> {
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(CertificateError::obtained)?;
        let chain = vec![CertificateDer::from(der)];
        // Not `from_der`, which would read the certificate: what is critical in it is not known there.
        let key = provider.key_provider.load_private_key(key).map_err(CertificateError::obtained)?;
        Ok(Arc::new(CertifiedKey::new(chain, key)))
    }

    fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        or_name: &str,
        provider: &CryptoProvider,
    ) -> Result<Self, rustls::Error> {
        let facts = chain.first().and_then(|end_entity| x509::read(end_entity));
        let names = facts.as_ref().map(|facts| facts.dns_names.clone()).unwrap_or_default();
        let key = CertifiedKey::from_der(chain, key, provider)?;
        let name = names.first().cloned().unwrap_or_else(|| or_name.into());
        let validity = facts.map(|facts| (facts.not_before, facts.not_after));
        let expiry = Expiry { name, not_after: validity.map(|(_, not_after)| not_after) };
        Ok(Self { key: Arc::new(key), names, expiry, validity, files: None })
    }

    /// Whether it has this name, in lower case.
    pub(super) fn is_for(&self, name: &str) -> bool {
        self.names.iter().any(|own| **own == *name)
    }
}
