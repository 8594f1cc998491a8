//! What is made of a client's certificate.

use super::tls::Termination;
use super::x509;
use crate::pipeline::ClientCertificate;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use std::io;
use std::sync::Arc;

/// A certificate that TLS has accepted, now or when the session began: one that has ended since then is refused.
///
/// # Errors
/// When it has ended, or does not read.
pub(super) fn certificate(
    der: &[u8],
    termination: &Termination,
    now_s: u64,
) -> io::Result<Arc<ClientCertificate>> {
    let facts = x509::read(der).ok_or_else(|| io::Error::other("the client's certificate does not read"))?;
    if facts.not_after < i64::try_from(now_s).unwrap_or(i64::MAX) {
        return Err(io::Error::other("the client's certificate has ended since the session began"));
    }
    let field = termination.forwards_certificates().then(|| field(der));
    let mut subject = facts.subject;
    if subject.is_empty() {
        subject = facts.dns_names.first().map(|name| name.to_string()).unwrap_or_default();
    }
    Ok(Arc::new(ClientCertificate { subject, field }))
}

/// A byte sequence of RFC 8941 (RFC 9440, 2.1).
fn field(der: &[u8]) -> HeaderValue {
    let text = format!(":{}:", STANDARD.encode(der));
    // Base64 is within what a field may hold.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("::"))
}
