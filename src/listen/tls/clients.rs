//! Mutual TLS: whose certificates clients may show.

use super::CertificateError;
use crate::config::ClientAuth;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::error::Error;
use std::sync::Arc;

/// The judge of clients' certificates.
pub(super) struct Clients {
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
    /// The authorities as they were read: sessions resume only under the same ones.
    pub(super) pem: Vec<u8>,
}

/// Reads the authorities.
///
/// # Errors
/// [`CertificateError::Authorities`] when the file holds none, or something else.
pub(super) fn verifier(
    clients: &ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Clients, CertificateError> {
    let unusable = |source| CertificateError::Authorities { path: clients.ca.clone(), source };
    let pem = std::fs::read(&clients.ca).map_err(|error| unusable(error.into()))?;
    let roots = roots(&pem).map_err(unusable)?;
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = if clients.required { builder } else { builder.allow_unauthenticated() };
    let verifier = builder.build().map_err(|error| unusable(error.into()))?;
    Ok(Clients { verifier, pem })
}

fn roots(pem: &[u8]) -> Result<RootCertStore, Box<dyn Error + Send + Sync>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("there is no certificate in this file".into());
    }
    Ok(roots)
}
