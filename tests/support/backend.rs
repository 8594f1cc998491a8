//! A backend played by the test itself, byte by byte: for what depends on when bytes move.

use super::wait;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A listening backend.
pub(crate) struct Backend {
    listener: TcpListener,
}

/// One connection the gateway made to it.
pub(crate) struct Peer {
    stream: TcpStream,
    /// Read and not yet used.
    ahead: Vec<u8>,
}

impl Backend {
    /// Listens on a free port.
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        Self { listener }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().expect("an address")
    }

    /// Its URL, for `endpoints`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The next connection; `None` when none comes within `limit`.
    pub(crate) fn accept_within(&self, limit: Duration) -> Option<Peer> {
        let stream = wait::poll(limit, || self.listener.accept().ok())?.0;
        stream.set_nonblocking(false).expect("blocking");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(Duration::from_secs(15))).expect("a read time-out");
        Some(Peer { stream, ahead: Vec::new() })
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> Peer {
        self.accept_within(Duration::from_secs(10)).expect("the gateway connects")
    }
}

impl Peer {
    /// Reads until `end` has come; gives everything up to and with it.
    pub(crate) fn read_to(&mut self, end: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|w| w == end) {
                return Ok(self.ahead.drain(..at + end.len()).collect());
            }
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads a request's head.
    pub(crate) fn head(&mut self) -> String {
        let head = self.read_to(b"\r\n\r\n").expect("a request head");
        String::from_utf8_lossy(&head).into_owned()
    }

    /// The same connection once more, to write to while this one reads.
    pub(crate) fn twin(&self) -> Self {
        Self { stream: self.stream.try_clone().expect("clone a socket"), ahead: Vec::new() }
    }

    /// Reads so many bytes.
    pub(crate) fn read_exactly(&mut self, length: usize) -> io::Result<()> {
        let held = self.ahead.len().min(length);
        self.ahead.drain(..held);
        io::copy(&mut (&mut self.stream).take((length - held) as u64), &mut io::sink()).map(|_| ())
    }

    /// Sends bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("write to the gateway");
    }

    /// Sends bytes; false when the gateway has gone.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends an answer with a Content-Length.
    pub(crate) fn answer(&mut self, status_line: &str, body: &str) {
        let length = body.len();
        self.write(format!("HTTP/1.1 {status_line}\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes());
    }

    /// Whether the gateway ends the connection within `limit`.
    pub(crate) fn closes_within(&mut self, limit: Duration) -> bool {
        self.stream.set_read_timeout(Some(limit)).expect("a read time-out");
        loop {
            match self.fill() {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) => return !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 65536];
        let read = self.stream.read(&mut piece)?;
        self.ahead.extend_from_slice(&piece[..read]);
        Ok(read)
    }
}
