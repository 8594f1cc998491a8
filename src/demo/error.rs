//! Why the demo could not run; each message says what to do about it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the demo could not run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Another process listens there.
    #[error("{address} is in use: stop what listens there, or choose another address with `{option} {ip}:PORT`", ip = .address.ip())]
    InUse {
        /// The address.
        address: SocketAddr,
        /// The command-line option that changes it.
        option: &'static str,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}: choose another address with `{option} ADDRESS:PORT`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The command-line option that changes it.
        option: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// Another demo uses the folder.
    #[error("{} is in use by another demo: stop it, or choose another folder with `--data FOLDER`", .0.display())]
    FolderInUse(PathBuf),
    /// A file of the data folder could not be read or written.
    #[error("cannot use {}: check its permissions, or choose another folder with `--data FOLDER`", .path.display())]
    File {
        /// Which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The kept keys do not read.
    #[error("{} does not read: remove it, and the next run makes new keys", .path.display())]
    Credentials {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The system has no random bytes to give.
    #[error("the system gives no random bytes")]
    Random(#[source] aws_lc_rs::error::Unspecified),
    /// The certificate could not be made.
    #[error("the demo's certificate could not be made")]
    Certificate(#[source] rcgen::Error),
    /// The sample upstream did not start.
    #[error("the sample upstream did not start")]
    Upstream(#[source] io::Error),
    /// The gateway did not start, or ended badly.
    #[error("the gateway: {0}")]
    Gateway(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Standard output is closed.
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
}
