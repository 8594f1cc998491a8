//! Another configuration in place of the present one: compiled as a whole, swapped in one step, or not at all.

use super::inherited::Inherited;
use super::listeners::PlanError;
use super::{Parts, admin, background};
use crate::config::diff::{Changes, needs_new_process};
use crate::config::watch::Prints;
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
    /// Nothing is opened any more.
    #[error("this process is ending")]
    Ending,
    /// It differs in what only a restart can change.
    #[error("`{0}` has changed, which takes a new process; put it back, or hand over to one: kill -USR2 {pid}", pid = std::process::id())]
    NeedsRestart(&'static str),
}

/// A configuration that was taken over.
#[derive(Debug)]
pub(super) struct Taken {
    /// The files that it is made of.
    pub(super) files: Vec<PathBuf>,
    /// How those were, before they were read.
    pub(super) prints: Prints,
    /// What is otherwise than before.
    pub(super) changes: Changes,
}

/// Most changes that are logged one by one.
const LOGGED: usize = 100;

impl Taken {
    /// Tells what has changed.
    pub(super) fn log(&self, file: &Path) {
        let (count, weaker) = (self.changes.list.len(), self.changes.weaker().count());
        tracing::info!(file = %file.display(), changes = count, weaker, "configuration reloaded");
        for change in self.changes.list.iter().take(LOGGED) {
            match change.weaker {
                Some(_) => tracing::warn!("{change}"),
                None => tracing::info!("{change}"),
            }
        }
    }
}

impl Parts {
    /// Takes over the configuration in `file`; requests that begin from now on see the whole of it.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed then.
    pub(super) fn reload(&self, file: &Path) -> Result<Taken, ReloadError> {
        let taken = self.take_over(file);
        self.shared.metrics.config_reloaded(taken.is_ok());
        if taken.is_ok() {
            self.shared.metrics.set_config_since(self.shared.clock.now());
        }
        taken
    }

    fn take_over(&self, file: &Path) -> Result<Taken, ReloadError> {
        let Loaded { config, files, prints, outline } = Config::load(file)?;
        if let Some(what) = needs_new_process(&self.config.load(), &config) {
            return Err(ReloadError::NeedsRestart(what));
        }
        let metrics = &self.shared.metrics;
        let plan = self.listeners.plan(&config, &mut Inherited::default(), metrics)?;
        let admin_tls = admin::tls_of(&config, self.admin.tls.load().as_deref())?;
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
        let changes = Changes::between(&self.outline.load(), &outline);
        self.outline.store(Arc::new(outline));
        Ok(Taken { files, prints, changes })
    }
}

impl From<PlanError> for ReloadError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Bind(error) => Self::Bind(error),
            PlanError::Certificate(error) => Self::Certificate(error),
            PlanError::Ending => Self::Ending,
        }
    }
}
