//! Sessions that resume (RFC 5077; RFC 8446, 4.6.1): all that is known of one is in the ticket that its client keeps.
//!
//! Whoever holds a ticket is not asked for a certificate again. So the keys under which tickets are made belong to what a
//! client had to show for one: they go on through reloads, new server certificates included, and are made anew as soon as
//! anything about clients' certificates is different.

use super::CertificateError;
use crate::config::ListenerTls;
use aws_lc_rs::digest::{Context, SHA256};
use rustls::server::ProducesTickets;
use std::sync::Arc;

/// The keys of a listener's tickets; every worker's, changed every six hours, and valid for twelve.
#[derive(Clone, Debug)]
pub(super) struct Tickets {
    ticketer: Arc<dyn ProducesTickets>,
    /// A digest of what a client had to show.
    terms: [u8; 32],
}

impl Tickets {
    /// Keys that go on from `previous` if a client of then would be let in now for the same reasons. `authorities` is the
    /// text of the file of clients' authorities.
    ///
    /// # Errors
    /// [`CertificateError::Setup`] when the system has no random numbers.
    pub(super) fn new(
        tls: &ListenerTls,
        authorities: Option<&[u8]>,
        previous: Option<&Self>,
    ) -> Result<Self, CertificateError> {
        let terms = terms(tls, authorities);
        if let Some(previous) = previous.filter(|previous| previous.terms == terms) {
            return Ok(previous.clone());
        }
        Ok(Self { ticketer: rustls::crypto::aws_lc_rs::Ticketer::new()?, terms })
    }

    /// Whether clients had to show the same for both.
    pub(super) fn same_terms(&self, other: &Self) -> bool {
        self.terms == other.terms
    }

    pub(super) fn ticketer(&self) -> Arc<dyn ProducesTickets> {
        self.ticketer.clone()
    }
}

fn terms(tls: &ListenerTls, authorities: Option<&[u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let required = tls.clients.as_ref().map(|clients| clients.required);
    context.update(&[tls.min_version as u8, required.map_or(2, u8::from)]);
    context.update(authorities.unwrap_or_default());
    let mut terms = [0; 32];
    // SHA-256 is 32 bytes.
    terms.copy_from_slice(context.finish().as_ref());
    terms
}
