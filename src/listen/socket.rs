//! Listening sockets: one per worker on the same port (`SO_REUSEPORT`), so that the kernel spreads connections and
//! workers share nothing.

use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

/// Connections that may wait to be accepted; the system's `net.core.somaxconn` bounds it too.
pub(super) const BACKLOG: i32 = 4096;

/// A listening socket, which does not block.
#[derive(Debug)]
pub struct Bound {
    /// The socket.
    pub socket: TcpListener,
    /// Somebody outside has it too, as systemd has what it passes, and goes on with it when this process has ended:
    /// what is set on it stays, and what waits in its queue is served by the next.
    pub kept: bool,
}

impl Bound {
    /// A second handle.
    ///
    /// # Errors
    /// When the system has none left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, kept: self.kept })
    }
}

/// An address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// Which one.
    pub address: SocketAddr,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// Opens `count` sockets on one address, which listen at once: to a second process an address is taken only where somebody
/// listens. Port 0 picks one free port for all.
///
/// # Errors
/// [`BindError`] when the address is in use by somebody else, not ours, or not allowed.
pub fn bind(address: SocketAddr, count: usize) -> Result<Vec<Bound>, BindError> {
    let fail = |source| BindError { address, source };
    // Without SO_REUSEPORT first: with it, a second process would silently share the port.
    open(address, false).map_err(fail)?;
    let first = open(address, true).map_err(fail)?;
    listen(&first).map_err(fail)?;
    let address = first.socket.local_addr().map_err(fail)?;
    let mut sockets = vec![first];
    for _ in 1..count {
        let another = open(address, true).map_err(fail)?;
        listen(&another).map_err(fail)?;
        sockets.push(another);
    }
    Ok(sockets)
}

/// Opens `count` sockets beside those that this process, or the one that it takes over from, has on an address. They do not
/// [listen] yet: the system would send them clients that nobody accepts.
///
/// # Errors
/// [`BindError`] when those are somebody else's, or do not share their address.
pub fn join(address: SocketAddr, count: usize) -> Result<Vec<Bound>, BindError> {
    let fail = |source| BindError { address, source };
    (0..count).map(|_| open(address, true).map_err(fail)).collect()
}

/// Has a socket take connections into its queue, unless it does so already.
///
/// # Errors
/// When the system refuses.
pub fn listen(bound: &Bound) -> io::Result<()> {
    let socket = SockRef::from(&bound.socket);
    if !socket.is_listener()? {
        socket.listen(BACKLOG)?;
    }
    Ok(())
}

/// Has the system drop the segments that would begin a connection; those that have begun go on. What a listening socket
/// still has in its queue when it is closed is reset, and so is what was half-way into it: so nothing new may come in
/// between the last look into the queue and the close. To a client it is as if its first segment was lost: it sends
/// another after a second, and then learns that nobody listens.
///
/// It is the socket that this is set on, not the handle: nothing for one that is [kept](Bound::kept).
pub(super) fn refuse(socket: &impl AsFd) -> io::Result<()> {
    const FLAGS: u32 = 13;
    const SYN_ACK: u32 = 0x12;
    const SYN: u32 = 0x02;
    // Classic BPF over the TCP header: load the byte of flags, drop when of SYN and ACK only SYN is set.
    let program = [
        SockFilter::new(0x30, 0, 0, FLAGS),
        SockFilter::new(0x54, 0, 0, SYN_ACK),
        SockFilter::new(0x15, 0, 1, SYN),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    SockRef::from(socket).attach_filter(&program)
}

/// Takes back what [`refuse`] has done, and does nothing where it has not.
pub fn welcome(socket: &impl AsFd) {
    // Without a filter there is nothing to take away, which the system calls an error.
    let _ = SockRef::from(socket).detach_filter();
}

fn open(address: SocketAddr, shared: bool) -> io::Result<Bound> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.bind(&address.into())?;
    Ok(Bound { socket: socket.into(), kept: false })
}
