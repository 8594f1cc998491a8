//! Another configuration in place of the present one: compiled as a whole, swapped in one step, or not at all.

use super::{Parts, background};
use crate::config::{Config, LoadError, Loaded};
use crate::listen::tls::{self, CertificateError};
use crate::pipeline::Snapshot;
use crate::upstream::TlsError;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a configuration was not taken over. The present one stays in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It does not read or does not compile.
    #[error("{0}")]
    Load(#[from] LoadError),
    /// A certificate can not be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS to an upstream can not be had as configured.
    #[error(transparent)]
    Upstream(#[from] TlsError),
    /// It differs in what only a restart can change.
    #[error("`{0}` has changed, which takes a restart; put it back, or restart")]
    NeedsRestart(&'static str),
}

impl Parts {
    /// Takes over the configuration in `file`; requests that begin from now on see the whole of it. Returns the files
    /// that it is made of.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub(super) fn reload(&self, file: &Path) -> Result<Vec<PathBuf>, ReloadError> {
        let taken = self.take_over(file);
        self.shared.metrics.config_reloaded(taken.is_ok());
        taken
    }

    fn take_over(&self, file: &Path) -> Result<Vec<PathBuf>, ReloadError> {
        let Loaded { config, files } = Config::load(file)?;
        fits(&self.config.load(), &config)?;
        let mut tls = Vec::new();
        for listener in &config.listeners {
            tls.push(listener.tls.as_ref().map(tls::server_config).transpose()?);
        }
        let services = self.upstreams.next(&config)?;
        let snapshot =
            Snapshot::new(&config, &services, self.ring.clone(), &self.shared.limiter, &self.shared.metrics);
        // Nothing below can fail.
        for ((endpoint, listener), tls) in self.endpoints.iter().zip(&config.listeners).zip(tls) {
            endpoint.replace(listener, tls);
        }
        self.shared.replace(snapshot);
        self.upstreams.replace(services);
        self.api.replace(&config);
        self.webhooks.replace(&config.webhooks);
        self.config.store(Arc::new(config));
        background::certificates(self);
        Ok(files)
    }
}

/// Whether a reload can get from one configuration to the other.
fn fits(present: &Config, next: &Config) -> Result<(), ReloadError> {
    let addresses = |config: &Config| -> Vec<_> {
        config.listeners.iter().map(|listener| (listener.address, listener.tls.is_some())).collect()
    };
    let store = |config: &Config| {
        let store = &config.store;
        (store.url.clone(), store.max_staleness, store.cache_capacity, store.negative_ttl)
    };
    let parts = [
        ("listeners[].address or tls", addresses(present) == addresses(next)),
        ("admin.address", present.admin.address == next.admin.address),
        ("store", store(present) == store(next)),
        ("workers", present.workers == next.workers),
        ("telemetry.access_log", present.telemetry.access_log == next.telemetry.access_log),
        ("jwt.upstream.algorithm", present.jwt.upstream.algorithm == next.jwt.upstream.algorithm),
    ];
    match parts.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(ReloadError::NeedsRestart(what)),
        None => Ok(()),
    }
}
