//! Why the gateway did not start.

use super::inherited::InheritError;
use super::listeners::PlanError;
use crate::control::signing::SigningError;
use crate::listen::BindError;
use crate::listen::tls::CertificateError;
use crate::store::StoreError;
use crate::telemetry::log::chain;
use crate::upstream::TlsError;
use std::io;
use std::path::PathBuf;

/// Why the gateway did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is taken.
    #[error("{0}\n  help: stop what listens there, or change the address in the configuration")]
    Bind(#[from] BindError),
    /// A certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS to an upstream.
    #[error(transparent)]
    Upstream(#[from] TlsError),
    /// Sockets that it was started with.
    #[error(transparent)]
    Inherited(#[from] InheritError),
    /// The store.
    #[error("the store can not be opened: {}", chain(.0))]
    Store(#[from] StoreError),
    /// The signing keys.
    #[error("the identity signing keys can not be used: {}", chain(.0))]
    Signing(#[from] SigningError),
    /// The usage journal.
    #[error("the usage journal in {} can not be written: {source}", folder.display())]
    Journal {
        /// Where it would be.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The access log.
    #[error("the access log can not be opened: {0}")]
    AccessLog(#[source] io::Error),
    /// The file with the process's number.
    #[error("{} can not be written: {source}\n  help: name a file in a folder that this user can write to: --pid-file FILE", path.display())]
    PidFile {
        /// Where it would be.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It was told to end before it ran.
    #[error("this process is ending")]
    Ending,
    /// Threads or runtimes.
    #[error("the system refuses threads or timers: {0}")]
    System(#[source] io::Error),
}

impl From<PlanError> for StartError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Bind(error) => Self::Bind(error),
            PlanError::Certificate(error) => Self::Certificate(error),
            PlanError::Ending => Self::Ending,
        }
    }
}
