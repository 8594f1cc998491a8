//! WebSocket (RFC 6455) as the suite speaks it: frames, an echo server, and a client over HTTP/1.1, TLS or an HTTP/2
//! stream (RFC 8441). Nothing of it is the gateway's.

use super::certificate;
use super::client::Connection;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// One frame; `first` is its first byte: FIN, reserved bits, opcode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// The last, or only, frame of a message.
    pub(crate) fn last(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first: 0x80 | opcode, payload: payload.as_ref().to_vec() }
    }

    /// A frame that others follow.
    pub(crate) fn more(opcode: u8, payload: impl AsRef<[u8]>) -> Self {
        Self { first: opcode, payload: payload.as_ref().to_vec() }
    }

    /// As a client sends it: masked.
    pub(crate) fn masked(&self) -> Vec<u8> {
        let mask = [0x37, 0xfa, 0x21, 0x3d];
        let mut bytes = self.head(0x80);
        bytes.extend_from_slice(&mask);
        bytes.extend(self.payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        bytes
    }

    /// As a server sends it.
    pub(crate) fn plain(&self) -> Vec<u8> {
        let mut bytes = self.head(0);
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    fn head(&self, mask_bit: u8) -> Vec<u8> {
        let mut head = vec![self.first];
        match self.payload.len() {
            length @ ..126 => head.push(mask_bit | length as u8),
            length @ 126..65536 => {
                head.push(mask_bit | 126);
                head.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                head.push(mask_bit | 127);
                head.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        head
    }

    /// Reads one, masked or not.
    pub(crate) fn read(mut take: impl FnMut(usize) -> io::Result<Vec<u8>>) -> io::Result<Self> {
        let [first, second] = take(2)?[..] else { unreachable!("two bytes were asked for") };
        let length = match second & 0x7f {
            126 => take(2)?.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
            127 => take(8)?.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
            short => usize::from(short),
        };
        let mask = if second & 0x80 != 0 { take(4)? } else { vec![0; 4] };
        let mut payload = take(length)?;
        payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= mask[at % 4]);
        Ok(Self { first, payload })
    }
}

/// The payload of a close frame.
pub(crate) fn closing(code: u16, why: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], why.as_bytes()].concat()
}

/// What a server answers to this key.
pub(crate) fn accept_of(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// A server that sends back what it gets; at a path that ends in `raw`, byte by byte and without looking at it.
pub(crate) struct Echo {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    open: Arc<std::sync::atomic::AtomicUsize>,
}

impl Echo {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (heads, open) =
            (Arc::<Mutex<Vec<String>>>::default(), Arc::<std::sync::atomic::AtomicUsize>::default());
        let (for_thread, counter) = (Arc::clone(&heads), Arc::clone(&open));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heads, counter) = (Arc::clone(&for_thread), Arc::clone(&counter));
                std::thread::spawn(move || {
                    counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    // A connection that breaks is what some tests are about.
                    let _ = echo(stream, &heads);
                    counter.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                });
            }
        });
        Self { address, heads, open }
    }

    /// Its URL, for `endpoints`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The head of the newest request.
    pub(crate) fn head(&self) -> String {
        self.heads.lock().expect("heads").last().cloned().expect("a request")
    }

    /// How many connections it has.
    pub(crate) fn open(&self) -> usize {
        self.open.load(std::sync::atomic::Ordering::SeqCst)
    }
}

fn echo(mut stream: TcpStream, heads: &Mutex<Vec<String>>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    heads.lock().expect("heads").push(head.clone());
    let field = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    };
    let path = head.split([' ', '?']).nth(1).unwrap_or_default();
    if path.ends_with("/events") {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        )?;
        loop {
            stream.write_all(b"9\r\ndata: .\n\n\r\n")?;
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    if path.ends_with("/bytes") {
        // As long as the client's wish says.
        let length: usize = field("x-length").and_then(|text| text.parse().ok()).unwrap_or_default();
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes())?;
        let piece = vec![b'.'; 64 << 10];
        return (0..length / piece.len()).try_for_each(|_| stream.write_all(&piece));
    }
    if path.ends_with("/sink") {
        let length: u64 = field("content-length").and_then(|text| text.parse().ok()).unwrap_or_default();
        std::thread::sleep(Duration::from_millis(500));
        io::copy(&mut stream.try_clone()?.take(length), &mut io::sink())?;
        return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsunk");
    }
    if path.ends_with("/never") {
        return io::copy(&mut stream, &mut io::sink()).map(|_| ());
    }
    let Some(key) = field("sec-websocket-key").filter(|_| field("upgrade").is_some()) else {
        stream.write_all(
            b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nwhat",
        )?;
        return Ok(());
    };
    let more = field("sec-websocket-extensions").map_or(String::new(), |offer| {
        format!("Sec-WebSocket-Extensions: {}\r\n", offer.split(',').next().unwrap_or_default())
    });
    let accept = accept_of(&key);
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
    );
    stream.write_all(answer.as_bytes())?;
    if head
        .lines()
        .next()
        .is_some_and(|line| line.split(' ').nth(1).is_some_and(|path| path.ends_with("raw")))
    {
        let mut back = stream.try_clone()?;
        io::copy(&mut stream, &mut back)?;
        return back.shutdown(Shutdown::Write);
    }
    loop {
        let frame = Frame::read(|length| {
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).map(|()| bytes)
        })?;
        match frame.first & 0x0f {
            PING => stream.write_all(&Frame::last(PONG, frame.payload).plain())?,
            PONG => {}
            CLOSE => return stream.write_all(&frame.plain()),
            _ => stream.write_all(&frame.plain())?,
        }
    }
}

/// A client's byte stream, once the protocol is switched.
pub(crate) trait Pipe {
    fn write(&mut self, bytes: &[u8]);
    fn take(&mut self, length: usize) -> io::Result<Vec<u8>>;
    /// Says that nothing more will be sent.
    fn finish(&mut self);

    fn frame(&mut self) -> io::Result<Frame> {
        Frame::read(|length| self.take(length))
    }

    /// Whether it ends, or breaks, with nothing more in it.
    fn is_over(&mut self) -> bool {
        self.take(1)
            .is_err_and(|error| !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }
}

impl Pipe for Connection {
    fn write(&mut self, bytes: &[u8]) {
        self.try_write(bytes).expect("write to the gateway");
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        Connection::take(self, length)
    }

    fn finish(&mut self) {
        self.shutdown();
    }
}

/// The head of a handshake, as it goes over HTTP/1.1.
pub(crate) fn handshake(target: &str, key: &str, more: &str) -> String {
    let key = if key.is_empty() { String::new() } else { format!("X-API-Key: {key}\r\n") };
    format!(
        "GET {target} HTTP/1.1\r\nHost: gateway.test\r\n{key}Connection: keep-alive, Upgrade\r\n\
         Upgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
    )
}

/// Over HTTP/1.1: `ahead` goes out in one piece with the handshake.
pub(crate) fn open_h1(
    mut connection: Connection,
    target: &str,
    key: &str,
    more: &str,
    ahead: &[u8],
) -> Connection {
    let mut bytes = handshake(target, key, more).into_bytes();
    bytes.extend_from_slice(ahead);
    connection.write(&bytes);
    let reply = connection.one_head().expect("the answer to the handshake");
    assert_eq!(reply.status, 101, "{reply:?}");
    assert_eq!(reply.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert!(reply.header("upgrade").is_some_and(|name| name.eq_ignore_ascii_case("websocket")), "{reply:?}");
    assert_eq!(reply.header("connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
    assert_eq!((reply.header("content-length"), reply.header("transfer-encoding")), (None, None));
    connection
}

/// A TLS connection of HTTP/1.1.
pub(crate) fn tls(address: SocketAddr) -> Connection {
    Connection::tls(address, "gateway.test", certificate::trusting(&[b"http/1.1"], None)).expect("TLS").0
}

/// A stream of an HTTP/2 connection, opened by extended `CONNECT`.
pub(crate) struct H2Pipe {
    runtime: tokio::runtime::Runtime,
    send: h2::SendStream<Bytes>,
    receive: h2::RecvStream,
    ahead: Vec<u8>,
    /// The head of the answer.
    pub(crate) head: http::response::Parts,
}

/// What an extended `CONNECT` is answered.
pub(crate) type Extended = Result<(H2Pipe, http::HeaderMap), Box<http::Response<()>>>;

/// Over an HTTP/2 connection of its own, without TLS.
pub(crate) fn open_h2(
    address: SocketAddr,
    target: &str,
    key: &str,
    protocol: &'static str,
    more: &[(&str, &str)],
) -> Extended {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let opened = runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(address).await.expect("connect");
        let (sender, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
        tokio::spawn(connection);
        let mut sender = sender.ready().await.expect("a connection");
        // The settings come with the server's first bytes.
        for _ in 0..2000 {
            if sender.is_extended_connect_protocol_enabled() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(sender.is_extended_connect_protocol_enabled(), "SETTINGS_ENABLE_CONNECT_PROTOCOL");
        let mut request = http::Request::builder().method("CONNECT").uri(format!("http://{address}{target}"));
        request = request.header("x-api-key", key).header("sec-websocket-version", "13");
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        request = request.extension(h2::ext::Protocol::from_static(protocol));
        let (answer, send) = sender.send_request(request.body(()).expect("a request"), false).expect("send");
        let (head, receive) =
            timeout(PATIENCE, answer).await.expect("in time").expect("an answer").into_parts();
        (head, send, receive)
    });
    let (head, send, receive) = opened;
    if head.status != 200 {
        return Err(Box::new(http::Response::from_parts(head, ())));
    }
    let fields = head.headers.clone();
    Ok((H2Pipe { runtime, send, receive, ahead: Vec::new(), head }, fields))
}

impl H2Pipe {
    /// A request whose body is not ended, over an HTTP/2 connection of its own, and its answer's head.
    pub(crate) fn request(address: SocketAddr, method: &str, target: &str, fields: &[(&str, &str)]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (send, receive) = runtime.block_on(async {
            let socket = tokio::net::TcpStream::connect(address).await.expect("connect");
            let (sender, connection) = h2::client::handshake(socket).await.expect("HTTP/2");
            tokio::spawn(connection);
            let mut sender = sender.ready().await.expect("a connection");
            let mut request =
                http::Request::builder().method(method).uri(format!("http://{address}{target}"));
            for (name, value) in fields {
                request = request.header(*name, *value);
            }
            let (answer, send) =
                sender.send_request(request.body(()).expect("a request"), false).expect("send");
            let answer = timeout(PATIENCE, answer).await;
            let answer = answer.expect("in time").expect("an answer");
            (send, answer)
        });
        let (head, receive) = receive.into_parts();
        Self { runtime, send, receive, ahead: Vec::new(), head }
    }

    /// The rest of the answer is trailers.
    pub(crate) fn trailers(&mut self) -> http::HeaderMap {
        let Self { runtime, receive, .. } = self;
        runtime.block_on(async {
            assert!(
                timeout(PATIENCE, receive.data()).await.expect("in time").is_none(),
                "more than trailers"
            );
            let trailers = timeout(PATIENCE, receive.trailers()).await.expect("in time");
            trailers.expect("an end").unwrap_or_default()
        })
    }

    /// Resets the stream.
    pub(crate) fn reset(&mut self) {
        let Self { runtime, send, .. } = self;
        runtime.block_on(async {
            send.send_reset(h2::Reason::CANCEL);
            tokio::time::sleep(Duration::from_millis(20)).await;
        });
    }
}

impl Pipe for H2Pipe {
    fn write(&mut self, bytes: &[u8]) {
        let Self { runtime, send, receive, ahead, .. } = self;
        let writing = async {
            let mut rest = Bytes::copy_from_slice(bytes);
            while !rest.is_empty() {
                send.reserve_capacity(rest.len());
                // What comes back meanwhile is taken, as a browser would.
                let room = std::future::poll_fn(|cx| {
                    while let std::task::Poll::Ready(Some(Ok(data))) = receive.poll_data(cx) {
                        let _ = receive.flow_control().release_capacity(data.len());
                        ahead.extend_from_slice(&data);
                    }
                    match send.capacity() {
                        0 => send.poll_capacity(cx).map(|room| room.expect("a stream").expect("room")),
                        room => std::task::Poll::Ready(room),
                    }
                });
                let piece = rest.split_to(room.await.min(rest.len()));
                send.send_data(piece, false).expect("send");
            }
            tokio::task::yield_now().await;
        };
        runtime.block_on(async { timeout(PATIENCE, writing).await.expect("in time") });
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let Self { runtime, receive, ahead, .. } = self;
        runtime.block_on(async {
            while ahead.len() < length {
                let data = timeout(PATIENCE, receive.data()).await.map_err(|_| io::ErrorKind::TimedOut)?;
                let data = data.ok_or(io::ErrorKind::UnexpectedEof)?.map_err(io::Error::other)?;
                let _ = receive.flow_control().release_capacity(data.len());
                ahead.extend_from_slice(&data);
            }
            Ok(ahead.drain(..length).collect())
        })
    }

    fn finish(&mut self) {
        let Self { runtime, send, .. } = self;
        runtime.block_on(async {
            send.send_data(Bytes::new(), true).expect("end");
            tokio::task::yield_now().await;
        });
    }
}
