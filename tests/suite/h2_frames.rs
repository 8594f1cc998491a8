//! A client that speaks HTTP/2 frame by frame, right or wrong: nothing is checked before it is sent.

use crate::support::certificate::trusting;
use crate::support::wait;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
pub(super) const PADDED: u8 = 8;
pub(super) const WITH_PRIORITY: u8 = 0x20;

/// A frame as it goes over the wire.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A field section of literals that nobody indexes.
pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            length(&mut bytes, text.len());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}

/// An integer with a prefix of seven bits (RFC 7541, 5.1).
pub(super) fn length(bytes: &mut Vec<u8>, mut number: usize) {
    if number < 127 {
        return bytes.push(number as u8);
    }
    bytes.push(127);
    number -= 127;
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// SETTINGS with these values.
pub(super) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = values
        .iter()
        .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()[..]].concat())
        .collect();
    frame(SETTINGS, 0, 0, &payload)
}

/// One frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// The error code of a `RST_STREAM` or `GOAWAY`.
    pub(super) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        self.payload
            .get(at..at + 4)
            .map_or(u32::MAX, |code| u32::from_be_bytes(code.try_into().expect("four")))
    }

    /// The status that a HEADERS frame begins with, where the static table has it.
    pub(super) fn status(&self) -> u16 {
        let mut block = &self.payload[..];
        // Changes of the table's size come first (RFC 7541, 6.3).
        while let Some((first, rest)) = block.split_first().filter(|(first, _)| **first >> 5 == 1) {
            let more = rest.iter().take_while(|byte| **byte >= 128).count() + 1;
            block = if first & 31 == 31 { rest.get(more..).unwrap_or_default() } else { rest };
        }
        match block.first() {
            Some(0x88) => 200,
            Some(0x8c) => 400,
            Some(0x8d) => 404,
            Some(0x8e) => 500,
            _ => 0,
        }
    }

    pub(super) fn ends(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A connection.
pub(super) struct Raw {
    wire: Box<dyn Wire>,
    socket: TcpStream,
    ahead: Vec<u8>,
    closed: bool,
}

impl Raw {
    /// Without TLS; nothing is sent yet.
    pub(super) fn plain(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("connect");
        prepare(&socket);
        Self { wire: Box::new(socket.try_clone().expect("clone")), socket, ahead: Vec::new(), closed: false }
    }

    /// With TLS, and HTTP/2 by ALPN.
    pub(super) fn tls(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).expect("connect");
        prepare(&socket);
        let name = rustls_pki_types::ServerName::try_from("a.test").expect("a name");
        let session = rustls::ClientConnection::new(trusting(&[b"h2"], None), name).expect("a session");
        let stream = rustls::StreamOwned::new(session, socket.try_clone().expect("clone"));
        Self { wire: Box::new(stream), socket, ahead: Vec::new(), closed: false }
    }

    /// Sends preface and settings.
    pub(super) fn greet(mut self, values: &[(u16, u32)]) -> Self {
        self.write(&[PREFACE, &settings(values)].concat());
        self
    }

    /// Sends bytes; false when the gateway has gone.
    pub(super) fn write(&mut self, bytes: &[u8]) -> bool {
        self.wire.write_all(bytes).and_then(|()| self.wire.flush()).is_ok()
    }

    /// The next frame that comes within `limit`; `None` when none does, or the connection has ended.
    pub(super) fn next(&mut self, limit: Duration) -> Option<Frame> {
        let start = wait::now();
        loop {
            if let Some(frame) = self.taken() {
                return Some(frame);
            }
            let left = limit.checked_sub(wait::now().since(start))?;
            self.socket.set_read_timeout(Some(left.max(Duration::from_millis(1)))).expect("a read time-out");
            let mut piece = [0; 64 * 1024];
            match self.wire.read(&mut piece) {
                Ok(0) => self.closed = true,
                Ok(read) => self.ahead.extend(&piece[..read]),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
                    _ => self.closed = true,
                },
            }
            if self.closed && self.ahead.len() < 9 {
                return None;
            }
        }
    }

    /// Whether the gateway has ended the connection, as far as was read.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Bytes that came and are no whole frame.
    pub(super) fn rest(&self) -> &[u8] {
        &self.ahead
    }

    fn taken(&mut self) -> Option<Frame> {
        let head: [u8; 9] = self.ahead.get(..9)?.try_into().ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = self.ahead.get(9..9 + length)?.to_vec();
        self.ahead.drain(..9 + length);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }
}

fn prepare(socket: &TcpStream) {
    socket.set_nodelay(true).expect("no delay");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a read time-out");
    socket.set_write_timeout(Some(Duration::from_secs(10))).expect("a write time-out");
}
