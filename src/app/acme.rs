//! Brings ACME and the listeners together: the one does not know the other.

use super::Parts;
use crate::config::{Acme, Config};
use crate::control::acme::{Certificates, Challenge, Front, Validity};
use crate::control::webhooks::Now;
use crate::listen::tls::Obtained;
use crate::pipeline::Shared;
use crate::store::management::Issued;
use std::error::Error;
use std::sync::Arc;

/// Shows certificates on the listeners, and answers challenges there.
#[derive(Debug)]
struct Edge {
    obtained: Arc<Obtained>,
    shared: Arc<Shared>,
}

impl Front for Edge {
    fn present(&self, challenge: Challenge) -> Result<(), Box<dyn Error + Send + Sync>> {
        match challenge {
            Challenge::Http { token, authorization } => self.shared.challenges.present(&token, authorization),
            Challenge::Tls { domain, certificate, key } => {
                self.obtained.prove(&domain, certificate, key.expose())?;
            }
        }
        Ok(())
    }

    fn withdraw(&self) {
        self.shared.challenges.withdraw();
        self.obtained.withdraw();
    }

    fn show(&self, acme: &Acme, issued: &Issued) -> Result<Validity, Box<dyn Error + Send + Sync>> {
        let (from, until) = self.obtained.show(&acme.name(), &issued.chain, issued.key.expose())?;
        let millis = |seconds: i64| u64::try_from(seconds).unwrap_or_default().saturating_mul(1000);
        Ok(Validity { not_before_ms: millis(from), not_after_ms: millis(until) })
    }
}

/// Shows what the store has, before the first handshake; the rest is [`run`]'s.
pub(super) async fn restored(parts: &Parts) -> Certificates {
    let edge = Arc::new(Edge { obtained: parts.listeners.obtained(), shared: parts.shared.clone() });
    let mut certificates = Certificates::new(parts.store.clone(), edge, parts.shared.metrics.clone());
    if let Err(error) = certificates.restore(&wanted(&parts.config.load())).await {
        let cause = crate::telemetry::log::chain(&error).to_string();
        tracing::error!(cause, "the store's certificates could not be read; that is tried again");
    }
    certificates
}

/// Obtains and renews until the gateway winds down.
pub(super) async fn run(parts: Arc<Parts>, certificates: Certificates) {
    let (shared, stop) = (parts.shared.clone(), parts.winding_down.subscribe());
    let now: Now = Arc::new(move || shared.clock.now());
    certificates.run(move || wanted(&parts.config.load()), now, stop).await;
}

/// What the configuration asks for, each set of domains once.
fn wanted(config: &Config) -> Vec<Acme> {
    let mut wanted: Vec<Acme> = Vec::new();
    for acme in config.listeners.iter().filter_map(|listener| listener.tls.as_ref()?.acme.as_ref()) {
        if wanted.iter().all(|other| other.name() != acme.name()) {
            wanted.push(acme.clone());
        }
    }
    wanted
}
