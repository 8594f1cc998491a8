//! `portcullis demo`: the whole gateway on loopback with no set-up, and curl lines that show what it does.
//!
//! Everything it needs is made on the first run and kept in one data folder, so that the second run prints the
//! same keys. The gateway itself is the real one: started from a configuration file in that folder.

mod error;
mod fixture;
mod folder;
mod gateway;
mod lines;
mod page;
mod ports;
mod tls;
mod upstream;

pub use error::DemoError;
pub use lines::Line;

use crate::clock::Clock;
use folder::Folder;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// What `portcullis demo` was asked for. A port of 0 stands for any free one.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where the demo keeps its database, certificate and keys; made when missing, readable by its owner only.
    pub data: PathBuf,
    /// Where clients connect with TLS.
    pub listen_tls: SocketAddr,
    /// Where clients connect without.
    pub listen_plain: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
}

impl Default for DemoOptions {
    /// A folder beside where the demo is started, and the ports that the documentation names.
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            data: "portcullis-demo".into(),
            listen_tls: loopback(8443),
            listen_plain: loopback(8080),
            admin: loopback(9090),
        }
    }
}

/// Where the demo can be reached once it runs.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    tls: SocketAddr,
    plain: SocketAddr,
    admin: SocketAddr,
}

/// Runs the demo until it is interrupted: sample upstream, fixture, gateway, and the lines to paste.
///
/// # Errors
/// When an address is taken, the data folder cannot be used, or the gateway does not start.
pub fn run(options: &DemoOptions) -> Result<(), DemoError> {
    let addresses = ports::reserve(options)?;
    let folder = Folder::open(&options.data)?;
    let now = Clock::new().now();
    let credentials = fixture::Credentials::load_or_make(&folder)?;
    folder.keep_random(folder::JWT_SECRET)?;
    tls::ensure(&folder, now)?;
    let upstream = upstream::Upstream::start().map_err(DemoError::Upstream)?;
    let config = folder.write_config(addresses, upstream.address())?;
    let running = gateway::start(&config, &fixture::yaml(&credentials), now)?;
    let lines = lines::all(addresses, &folder.path(tls::CERT), &credentials);
    let mut out = anstream::stdout().lock();
    page::write(&mut out, addresses, &folder, &credentials, &lines).map_err(DemoError::Output)?;
    out.flush().map_err(DemoError::Output)?;
    drop(out);
    // The upstream is dropped, and so stopped, only after the gateway has drained into it.
    running.until_stopped();
    Ok(())
}
