//! Another configuration in place of the present one: compiled as a whole, swapped in one step, or not at all.

use super::inherited::Inherited;
use super::listeners::PlanError;
use super::{Parts, admin, background};
use crate::config::{Config, LoadError, Loaded};
use crate::listen::BindError;
use crate::listen::tls::CertificateError;
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
    /// A new listener's address can not be had.
    #[error(
        "{0}\n  help: stop what listens there; if it is a listener of the present configuration, take that out first, in a reload of its own"
    )]
    Bind(#[from] BindError),
    /// TLS to an upstream can not be had as configured.
    #[error(transparent)]
    Upstream(#[from] TlsError),
    /// It differs in what only a restart can change.
    #[error("`{0}` has changed, which takes a new process; put it back, or hand over to one: kill -USR2 {pid}", pid = std::process::id())]
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
        if taken.is_ok() {
            self.shared.metrics.set_config_since(self.shared.clock.now());
        }
        taken
    }

    fn take_over(&self, file: &Path) -> Result<Vec<PathBuf>, ReloadError> {
        let Loaded { config, files, .. } = Config::load(file)?;
        fits(&self.config.load(), &config)?;
        let metrics = &self.shared.metrics;
        let plan = self.listeners.plan(&config, &mut Inherited::default(), metrics)?;
        let admin_tls = admin::tls_of(&config)?;
        let services = self.upstreams.next(&config)?;
        let snapshot = Snapshot::new(&config, &services, self.ring.clone(), &self.shared.limiter, metrics);
        // Nothing below can fail.
        self.listeners.alter(plan, &config);
        self.admin.tls.store(admin_tls);
        self.shared.replace(snapshot);
        self.upstreams.replace(services, &config.dns);
        self.api.replace(&config);
        self.webhooks.replace(&config.webhooks);
        self.config.store(Arc::new(config));
        background::certificates(self);
        Ok(files)
    }
}

/// Whether a reload can get from one configuration to the other.
fn fits(present: &Config, next: &Config) -> Result<(), ReloadError> {
    let store = |config: &Config| {
        let store = &config.store;
        (store.url.clone(), store.max_staleness, store.cache_capacity, store.negative_ttl)
    };
    let parts = [
        ("admin.address", present.admin.address == next.admin.address),
        ("admin.tls", present.admin.tls.is_some() == next.admin.tls.is_some()),
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

impl From<PlanError> for ReloadError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Bind(error) => Self::Bind(error),
            PlanError::Certificate(error) => Self::Certificate(error),
        }
    }
}
