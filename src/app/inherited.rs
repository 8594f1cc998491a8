//! Listening sockets that the process was started with: by systemd, or by the process that it takes over from.

use super::handover::{NotTaken, Predecessor};
use crate::config::Config;
use crate::listen::{self, Bound};
use listenfd::ListenFd;
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;

/// Sockets by the address that the configuration has for them.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    sockets: Vec<(SocketAddr, Vec<Bound>)>,
}

/// What a process was started with.
#[derive(Debug, Default)]
pub struct Inheritance {
    pub(super) sockets: Inherited,
    pub(super) predecessor: Option<Predecessor>,
}

/// Why what the process was started with can not be used.
#[derive(Debug, thiserror::Error)]
pub enum InheritError {
    /// From another process of ours.
    #[error(transparent)]
    Predecessor(#[from] NotTaken),
    /// Not a listening TCP socket.
    #[error(
        "socket {number} that systemd passes is no listening TCP socket{}\n  help: the .socket unit needs `ListenStream=ADDRESS:PORT` and `Accept=no`, and nothing else that listens",
        source.as_ref().map(|error| format!(": {error}")).unwrap_or_default()
    )]
    NotTcp {
        /// Which one, from 1.
        number: usize,
        /// What the system said.
        source: Option<io::Error>,
    },
    /// Nothing in the configuration has this address.
    #[error("{}", unmatched(.address, .known))]
    Unmatched {
        /// The socket's.
        address: SocketAddr,
        /// The configuration's.
        known: Vec<SocketAddr>,
    },
}

fn unmatched(address: &SocketAddr, known: &[SocketAddr]) -> String {
    let known: Vec<String> = known.iter().map(|address| format!("`{address}`")).collect();
    let mut help = format!(
        "give a listener `address: \"{address}\"`, or take that `ListenStream=` out of the .socket unit; the configuration has {}",
        known.join(", ")
    );
    if address.ip().is_unspecified() && address.is_ipv6() {
        let port = address.port();
        help.push_str(&format!(
            "; `ListenStream={port}` alone means `[::]:{port}`, for IPv4 only write `ListenStream=0.0.0.0:{port}`"
        ));
    }
    format!(
        "systemd passes a socket that listens on {address}, and no listener has that address\n  help: {help}"
    )
}

impl Inheritance {
    /// What this process was started with.
    ///
    /// # Errors
    /// [`InheritError`]
    pub fn of_process() -> Result<Self, InheritError> {
        if let Some((predecessor, sockets)) = Predecessor::find()? {
            return Ok(Self { sockets, predecessor: Some(predecessor) });
        }
        Ok(Self { sockets: from_systemd(ListenFd::from_env())?, predecessor: None })
    }
}

fn from_systemd(mut passed: ListenFd) -> Result<Inherited, InheritError> {
    let mut inherited = Inherited::default();
    for index in 0..passed.len() {
        let number = index + 1;
        let fail = |source| InheritError::NotTcp { number, source: Some(source) };
        let socket = passed.take_tcp_listener(index).map_err(fail)?;
        let socket = socket.ok_or(InheritError::NotTcp { number, source: None })?;
        if !SockRef::from(&socket).is_listener().map_err(fail)? {
            return Err(InheritError::NotTcp { number, source: None });
        }
        socket.set_nonblocking(true).map_err(fail)?;
        let address = socket.local_addr().map_err(fail)?;
        // An earlier process of ours may have had it refuse.
        listen::welcome(&socket);
        inherited.add(address, vec![Bound { socket, kept: true }]);
    }
    Ok(inherited)
}

impl Inherited {
    /// More sockets at an address.
    pub(super) fn add(&mut self, address: SocketAddr, more: Vec<Bound>) {
        match self.sockets.iter_mut().find(|(known, _)| *known == address) {
            Some((_, sockets)) => sockets.extend(more),
            None => self.sockets.push((address, more)),
        }
    }

    /// The sockets at an address, if there are any; nobody else gets them then.
    pub(super) fn take(&mut self, address: SocketAddr) -> Option<Vec<Bound>> {
        let index = self.sockets.iter().position(|(known, _)| *known == address)?;
        Some(self.sockets.swap_remove(index).1)
    }

    /// The addresses of what nobody took.
    pub(super) fn left(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(address, _)| *address).collect()
    }

    /// Nothing may be left of what systemd has passed: somebody would wait at it for ever.
    pub(super) fn all_taken(&self, config: &Config) -> Result<(), InheritError> {
        let Some(&address) = self.left().first() else { return Ok(()) };
        let mut known: Vec<_> = config.listeners.iter().map(|listener| listener.address).collect();
        known.push(config.admin.address);
        Err(InheritError::Unmatched { address, known })
    }
}
