//! The backend of every measurement: a small JSON answer from memory, with as little work as a server can have.
//!
//!     bench-backend PORT
//!
//! It shares its processor with the load generator. A backend that takes long leaves the proxy waiting, and then the
//! faster proxy of two pays more often for falling asleep and waking; with this one the proxy is what there is too
//! little of. It understands what proxies send it here: HTTP/1.1 requests, one at a time, with a `Content-Length` when
//! there is content.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);

/// Most bytes of a request; what is longer ends the connection.
const LONGEST: usize = 64 * 1024;

const ANSWER: &str = concat!(
    r#"{"data":[{"id":"5f0c2a1e9d3b","status":"completed","pages":3}],"#,
    r#""pagination":{"page":1,"limit":20,"total":1}}"#
);

struct Connection {
    stream: TcpStream,
    /// A request that has come in part.
    begun: Vec<u8>,
}

struct Backend {
    poll: Poll,
    listener: TcpListener,
    connections: HashMap<Token, Connection>,
    /// Connections taken so far, of which the next one's token is made.
    taken: usize,
    /// The answer as it goes out every time.
    usual: Vec<u8>,
    buffer: Vec<u8>,
}

impl Backend {
    fn listen(port: u16) -> Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (connections, usual) = (HashMap::new(), answer(ANSWER));
        Ok(Self { poll, listener, connections, taken: 0, usual, buffer: vec![0; LONGEST] })
    }

    fn run(mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                done => done?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    token => self.serve(token),
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nodelay(true)?;
            let token = Token(self.taken);
            self.taken += 1;
            self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
            self.connections.insert(token, Connection { stream, begun: Vec::new() });
        }
    }

    /// Reads once and answers once, if that was the rest of a request.
    fn serve(&mut self, token: Token) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let outcome = match connection.stream.read(&mut self.buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) if connection.begun.is_empty() && whole(&self.buffer[..read]) => {
                reply(&mut connection.stream, &self.buffer[..read], &self.usual, self.taken)
            }
            Ok(read) => {
                connection.begun.extend_from_slice(&self.buffer[..read]);
                if whole(&connection.begun) {
                    let head = std::mem::take(&mut connection.begun);
                    reply(&mut connection.stream, &head, &self.usual, self.taken)
                } else if connection.begun.len() >= LONGEST {
                    Err(ErrorKind::InvalidData.into())
                } else {
                    Ok(())
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        };
        // A short read leaves nothing to be read: the next bytes are another event.
        if outcome.is_err() {
            self.connections.remove(&token);
        }
    }
}

/// Whether this is a whole request.
fn whole(request: &[u8]) -> bool {
    // Nearly always: nothing more has to be looked for.
    if request.starts_with(b"GET ") && request.ends_with(b"\r\n\r\n") {
        return true;
    }
    let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let content = field(&request[..end], "content-length").parse().unwrap_or(0);
    request.len() >= end + 4 + content
}

fn reply(stream: &mut TcpStream, head: &[u8], usual: &[u8], taken: usize) -> Result<()> {
    let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    // Neither is measured: they prove that servers keep their connections, and that the policy was on.
    if path == b"/connections" {
        return stream.write_all(&answer(&format!(r#"{{"taken":{taken}}}"#)));
    }
    if path.ends_with(b"/arrived") {
        let [authorization, key, token] =
            ["authorization", "x-api-key", "x-gateway-token-id"].map(|name| field(head, name));
        let seen = format!(r#"{{"authorization":"{authorization}","key":"{key}","token":"{token}"}}"#);
        return stream.write_all(&answer(&seen));
    }
    stream.write_all(usual)
}

/// The value of a field of the head; empty without it.
fn field(head: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(head);
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let found = fields.find(|(this, _)| this.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
}

/// A whole answer. Its fields are those that a proxy meets most often; nobody reads the date.
fn answer(content: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sun, 22 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: keep-alive\r\n\r\n{content}",
        content.len()
    )
    .into_bytes()
}

fn main() -> ExitCode {
    let Some(port) = std::env::args().nth(1).and_then(|port| port.parse().ok()) else {
        eprintln!("usage: bench-backend PORT");
        return ExitCode::from(2);
    };
    match Backend::listen(port).and_then(Backend::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-backend: {error}");
            ExitCode::FAILURE
        }
    }
}
