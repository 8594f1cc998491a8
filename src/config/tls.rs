//! Whether files that a configuration names are what TLS can use, so that `check` says it and no handshake has to.

use super::{PemFile, UpstreamTls};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with the files of an upstream's TLS, if anything is.
pub(super) fn tls_problem(tls: &UpstreamTls) -> Option<String> {
    let (cert, key) = tls.certificate.as_ref().map_or((None, None), |(cert, key)| (Some(cert), Some(key)));
    let certificates = [tls.authorities.as_ref(), cert].into_iter().flatten();
    certificates.filter_map(no_certificate).next().or_else(|| key.and_then(no_key))
}

fn no_certificate(file: &PemFile) -> Option<String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&file.content).collect();
    let name = file.path.display();
    match read {
        Ok(all) if all.is_empty() => Some(format!("there is no certificate in `{name}`")),
        Ok(_) => None,
        Err(error) => Some(format!("the certificates in `{name}` can not be read: {error}")),
    }
}

fn no_key(file: &PemFile) -> Option<String> {
    let error = PrivateKeyDer::from_pem_slice(&file.content).err()?;
    Some(format!("the private key in `{}` can not be read: {error}", file.path.display()))
}
