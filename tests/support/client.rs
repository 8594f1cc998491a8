//! A raw HTTP/1.1 client over TCP or TLS: bytes go out as given, answers are taken apart strictly.

use super::reply::Reply;
use super::request::Request;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for anything: a test that hangs is a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// One client connection.
pub(crate) struct Connection {
    wire: Box<dyn Wire>,
    socket: TcpStream,
    /// Read and not yet used.
    ahead: Vec<u8>,
    host: String,
}

impl Connection {
    /// Connects in plain TCP.
    pub(crate) fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("connect"), address)
    }

    /// The same, with more patience for an answer.
    pub(crate) fn patient(self, limit: Duration) -> Self {
        self.socket.set_read_timeout(Some(limit)).expect("a read time-out");
        self
    }

    /// Connects from this (loopback) address.
    pub(crate) fn open_from(source: IpAddr, address: SocketAddr) -> Self {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).expect("socket");
        socket.bind(&SocketAddr::new(source, 0).into()).expect("bind the source address");
        socket.connect(&address.into()).expect("connect");
        Self::over(socket.into(), address)
    }

    /// Over a socket that is connected.
    pub(crate) fn over(socket: TcpStream, address: SocketAddr) -> Self {
        prepare(&socket);
        let wire = Box::new(socket.try_clone().expect("clone a socket"));
        Self { wire, socket, ahead: Vec::new(), host: address.to_string() }
    }

    /// Connects with TLS and this server name; `config` says what is trusted and offered.
    pub(crate) fn tls(
        address: SocketAddr,
        name: &str,
        config: Arc<rustls::ClientConfig>,
    ) -> io::Result<(Self, Handshake)> {
        Self::tls_over(TcpStream::connect(address)?, name, config)
    }

    /// The same over a connection that is there already.
    pub(crate) fn tls_over(
        socket: TcpStream,
        name: &str,
        config: Arc<rustls::ClientConfig>,
    ) -> io::Result<(Self, Handshake)> {
        prepare(&socket);
        let name_of = rustls_pki_types::ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let session = rustls::ClientConnection::new(config, name_of).map_err(io::Error::other)?;
        let mut stream = rustls::StreamOwned::new(session, socket.try_clone()?);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        let handshake = Handshake::of(&stream.conn);
        Ok((Self { wire: Box::new(stream), socket, ahead: Vec::new(), host: name.into() }, handshake))
    }

    /// Sends bytes exactly as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("write to the gateway");
    }

    /// Sends bytes; the peer may have gone.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes)?;
        self.wire.flush()
    }

    /// Sends a request and reads its answer, which has to be in the document. An answer that comes before the body is all sent counts too.
    pub(crate) fn send(&mut self, request: &Request) -> Reply {
        self.try_send(request).unwrap_or_else(|e| panic!("no answer to {request:?}: {e}"))
    }

    /// Sends a request and reads its answer; an error when the connection ends without one.
    pub(crate) fn try_send(&mut self, request: &Request) -> io::Result<Reply> {
        // The gateway may answer and close before it has read the whole body; the answer is what counts.
        let sent = self.try_write(&request.bytes(&self.host.clone()));
        let mut reply = self.reply(&request.method).map_err(|e| sent.err().unwrap_or(e))?;
        reply.tag.clone_from(&request.tag);
        super::openapi::check(self.socket.peer_addr().ok(), request, &reply);
        Ok(reply)
    }

    /// Reads a whole answer to a request with this method.
    pub(crate) fn reply(&mut self, method: &str) -> io::Result<Reply> {
        let mut reply = self.reply_head()?;
        self.reply_body(method, &mut reply)?;
        Ok(reply)
    }

    /// Reads a final answer's head; interim answers are noted in it.
    pub(crate) fn reply_head(&mut self) -> io::Result<Reply> {
        let mut interim = Vec::new();
        loop {
            let mut reply = self.one_head()?;
            if (100..200).contains(&reply.status) && reply.status != 101 {
                interim.push(reply.status);
                continue;
            }
            reply.interim = interim;
            return Ok(reply);
        }
    }

    /// Reads one head, interim or final.
    pub(crate) fn one_head(&mut self) -> io::Result<Reply> {
        let status_line = self.line()?;
        let mut parts = status_line.splitn(3, ' ');
        let version = parts.next().unwrap_or_default();
        if version != "HTTP/1.1" && version != "HTTP/1.0" {
            return Err(io::Error::other(format!("not an HTTP answer: {status_line:?}")));
        }
        let status = parts.next().and_then(|s| s.parse().ok()).ok_or_else(|| io::Error::other("status"))?;
        let reason = parts.next().unwrap_or_default().to_owned();
        Ok(Reply { status, reason, headers: self.fields()?, ..Reply::default() })
    }

    /// Reads the rest of an answer whose head has been read.
    pub(crate) fn reply_body(&mut self, method: &str, reply: &mut Reply) -> io::Result<()> {
        if method == "HEAD" || reply.status == 204 || reply.status == 304 {
            return Ok(());
        }
        let chunked = reply.all("transfer-encoding").iter().any(|v| v.eq_ignore_ascii_case("chunked"));
        if chunked {
            while let Some(piece) = self.chunk()? {
                reply.body.extend_from_slice(&piece);
            }
            reply.trailers = self.fields()?;
        } else if let Some(length) = reply.header("content-length") {
            let length = length.parse().map_err(io::Error::other)?;
            reply.body = self.exactly(length)?;
        } else {
            while self.fill()? > 0 {}
            reply.body = std::mem::take(&mut self.ahead);
        }
        Ok(())
    }

    /// Reads one chunk of a chunked body; `None` for the last.
    pub(crate) fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        if size == 0 {
            return Ok(None);
        }
        let piece = self.exactly(size)?;
        self.exactly(2)?;
        Ok(Some(piece))
    }

    /// Says that nothing more will be sent (TLS has no such thing).
    pub(crate) fn shutdown(&self) {
        self.socket.shutdown(std::net::Shutdown::Write).expect("shut down");
    }

    /// Whether the peer closes within `limit` (bytes that come first are kept).
    pub(crate) fn closes_within(&mut self, limit: Duration) -> bool {
        self.socket.set_read_timeout(Some(limit)).expect("a read time-out");
        loop {
            match self.fill() {
                Ok(0) => return true,
                Ok(_) => {}
                Err(e) => return !matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            }
        }
    }

    /// Whether something comes (or the end) within `limit`.
    pub(crate) fn has_come(&mut self, limit: Duration) -> bool {
        self.socket.set_read_timeout(Some(limit)).expect("a read time-out");
        let come = self.fill().is_ok();
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a read time-out");
        come
    }

    /// Bytes read and not used: anything after the last answer.
    pub(crate) fn leftover(&self) -> &[u8] {
        &self.ahead
    }

    fn fields(&mut self) -> io::Result<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(fields);
            }
            let (name, value) = line.split_once(':').ok_or_else(|| io::Error::other("a field"))?;
            fields.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.ahead.windows(2).position(|w| w == b"\r\n") {
                let line = self.ahead[..end].to_vec();
                self.ahead.drain(..end + 2);
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            self.more()?;
        }
    }

    /// Reads so many bytes of a body.
    pub(crate) fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        self.exactly(length)
    }

    fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.ahead.len() < length {
            self.more()?;
        }
        Ok(self.ahead.drain(..length).collect())
    }

    fn more(&mut self) -> io::Result<()> {
        match self.fill()? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 65536];
        let read = match self.wire.read(&mut piece) {
            // A read with a time-out ends so when the machine was stopped and goes on (signal(7)).
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return self.fill(),
            // A TLS peer that closes without a closing alert still has closed.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => 0,
            other => other?,
        };
        self.ahead.extend_from_slice(&piece[..read]);
        Ok(read)
    }
}

/// What was agreed in a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) version: Option<rustls::ProtocolVersion>,
    pub(crate) alpn: Option<Vec<u8>>,
    /// The leaf certificate, DER.
    pub(crate) leaf: Vec<u8>,
    /// Whether an earlier session went on.
    pub(crate) resumed: bool,
}

impl Handshake {
    fn of(session: &rustls::ClientConnection) -> Self {
        Self {
            version: session.protocol_version(),
            resumed: session.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
            alpn: session.alpn_protocol().map(<[u8]>::to_vec),
            leaf: session.peer_certificates().and_then(<[_]>::first).map(|c| c.to_vec()).unwrap_or_default(),
        }
    }
}

fn prepare(socket: &TcpStream) {
    socket.set_read_timeout(Some(PATIENCE)).expect("a read time-out");
    socket.set_write_timeout(Some(PATIENCE)).expect("a write time-out");
    let _ = socket.set_nodelay(true); // refused of a connection that was reset
}
