//! HTTP/1.1 messages that intermediaries read differently (RFC 9110, RFC 9112), each sent raw with a second, good
//! request behind it on the same connection. The verdict is computed from what the upstream's own, strict reading of the
//! bytes that reached it found: a message is refused and nothing behind it is read, or it arrives as one message whose
//! framing leaves no choice.

mod framing;
mod heads;
mod recorder;
mod targets;

use crate::support::certificate::trusting;
use crate::support::client::Connection;
use crate::support::gateway::Gateway;
use recorder::{Recorder, Seen};
use serde_json::json;
use std::time::Duration;

/// One message, and what has to become of it.
struct Vector {
    name: String,
    /// `{P}` stands for the vector's own path, `{K}` for a line with a good key.
    bytes: Vec<u8>,
    expect: Expect,
    /// Method and target of the request line that the upstream has to see, where they are not `{P}` and the client's.
    line: Option<&'static str>,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// It gets this status and the connection ends; nothing behind it is read, and nothing whole reaches the upstream.
    Refused(u16),
    /// It gets this status without reaching the upstream; where it ends is beyond doubt, so that the next is served.
    Answered(u16),
    /// It reaches the upstream with this body, and the next is served.
    Forwarded(&'static str),
    /// It reaches the upstream with this body, and the connection ends behind it.
    Last(&'static str),
}

fn vector(name: impl Into<String>, bytes: impl AsRef<[u8]>, expect: Expect) -> Vector {
    Vector { name: name.into(), bytes: bytes.as_ref().to_vec(), expect, line: None }
}

/// A `GET` with these field lines, each with its line end.
fn get_with(name: impl Into<String>, fields: &str, expect: Expect) -> Vector {
    vector(name, format!("GET {{P}} HTTP/1.1\r\nHost: gateway.test\r\n{{K}}{fields}\r\n"), expect)
}

/// A `POST` with these field lines and what follows the head.
fn post_with(name: impl Into<String>, fields: &str, behind: &str, expect: Expect) -> Vector {
    vector(name, format!("POST {{P}} HTTP/1.1\r\nHost: gateway.test\r\n{{K}}{fields}\r\n{behind}"), expect)
}

/// A chunked `POST` whose body is this.
fn chunks(name: impl Into<String>, body: &str, expect: Expect) -> Vector {
    post_with(name, "Transfer-Encoding: chunked\r\n", body, expect)
}

fn all() -> Vec<Vector> {
    [framing::vectors(), heads::vectors(), targets::vectors()].into_iter().flatten().collect()
}

const PREFIX: &str = "/v1/openapi/v";
const TAIL: &str = "/v1/openapi/tail";
const SOON: Duration = Duration::from_secs(8);

fn replace(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + by.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}

struct Bench {
    recorder: Recorder,
    gateway: Gateway,
    key: String,
}

impl Bench {
    fn new() -> Self {
        let recorder = Recorder::start();
        let (gateway, key) = super::hostile_http1::with_tls(&recorder.url(), json!({}));
        Self { recorder, gateway, key }
    }

    /// Every fourth goes through TLS.
    fn connect(&self, number: usize) -> Connection {
        if !number.is_multiple_of(4) {
            return self.gateway.connect();
        }
        let address = self.gateway.tls.expect("TLS");
        Connection::tls(address, "a.test", trusting(&[b"http/1.1"], None)).expect("TLS").0
    }

    fn run(&self, number: usize, vector: &Vector) -> Result<(), String> {
        let (path, tail) = (format!("{PREFIX}/{number}"), format!("{TAIL}/{number}"));
        let key_line = format!("X-API-Key: {}\r\n", self.key);
        let mut bytes = replace(&vector.bytes, b"{P}", path.as_bytes());
        bytes = replace(&bytes, b"{K}", key_line.as_bytes());
        let behind =
            format!("GET {tail} HTTP/1.1\r\nHost: gateway.test\r\n{key_line}Connection: close\r\n\r\n");
        let method = bytes.split(|&byte| byte == b' ').next().unwrap_or_default().to_vec();
        let method = String::from_utf8_lossy(&method).trim().to_owned();
        bytes.extend_from_slice(behind.as_bytes());
        let mut connection = self.connect(number);
        // The gateway may have refused and closed before all of it is written.
        let _ = connection.try_write(&bytes);
        let first = connection.reply(&method).map_err(|error| format!("no answer: {error}"))?;
        let second = matches!(vector.expect, Expect::Answered(_) | Expect::Forwarded(_));
        if second {
            let reply =
                connection.reply("GET").map_err(|error| format!("{first:?}, then no answer: {error}"))?;
            ensure(reply.status == 200, || format!("{first:?}, then {reply:?}"))?;
        }
        ensure(connection.closes_within(SOON), || format!("{first:?}; the connection stays open"))?;
        ensure(connection.leftover().is_empty(), || {
            format!("{first:?}, then {:?}", String::from_utf8_lossy(connection.leftover()))
        })?;
        let status = match vector.expect {
            Expect::Refused(status) | Expect::Answered(status) => status,
            Expect::Forwarded(_) | Expect::Last(_) => 200,
        };
        ensure(first.status == status, || format!("{first:?}: {}", first.text()))?;
        if matches!(vector.expect, Expect::Refused(_)) {
            let one = |name| first.header(name).is_some();
            ensure(
                one("date") && one("x-request-id") && first.header("connection") == Some("close"),
                || format!("an answer without Date, X-Request-Id or Connection: {first:?}"),
            )?;
        }
        let tails = self.recorder.seen(&tail).len();
        ensure(tails == usize::from(second), || format!("the request behind it came {tails} times"))?;
        self.arrived(vector, &method, &path)
    }

    /// What the upstream saw of the message itself.
    fn arrived(&self, vector: &Vector, method: &str, path: &str) -> Result<(), String> {
        let seen = self.recorder.seen(path);
        let (Expect::Forwarded(body) | Expect::Last(body)) = vector.expect else {
            // A body that turned out bad on its way has begun to arrive; it must not look whole.
            return ensure(!seen.iter().any(|seen| seen.complete), || format!("it arrived: {seen:?}"));
        };
        let [Seen { line, body: came, complete: true, .. }] = &seen[..] else {
            return Err(format!("it arrived {} times: {seen:?}", seen.len()));
        };
        let wanted = vector.line.map_or_else(|| format!("{method} {path}"), |line| line.replace("{P}", path));
        ensure(*line == format!("{wanted} HTTP/1.1"), || format!("the upstream was asked {line:?}"))?;
        ensure(came == body.as_bytes(), || format!("its body was {:?}", String::from_utf8_lossy(came)))
    }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why()) }
}

#[test]
fn each_message_is_refused_or_arrives_as_one_that_can_be_read_in_one_way() {
    let vectors = all();
    assert!(vectors.len() >= 120, "{} vectors", vectors.len());
    let bench = Bench::new();
    let failed: Vec<String> = vectors
        .iter()
        .enumerate()
        .filter_map(|(number, vector)| {
            let why = bench.run(number, vector).err()?;
            Some(format!("{} ({:?}): {why}", vector.name, vector.expect))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), vectors.len(), failed.join("\n"));
    // Whatever a client wrote as `evil` was meant to pass for something of the gateway's.
    let (problems, evil) = bench.recorder.problems();
    assert!(problems.is_empty() && evil == 0, "{evil} lines of the client's got through; {problems:#?}");
    let refused = vectors.iter().filter(|vector| matches!(vector.expect, Expect::Refused(_))).count();
    let early = bench.gateway.metric("portcullis_requests_total", &[("status", "400")]);
    assert!(
        early > 0.0 && refused > 80,
        "{early} answers with 400 were counted, {refused} vectors are refused"
    );
}

#[test]
fn a_vector_that_smuggles_would_be_found() {
    // The same bytes past the gateway: the reading that judges must see two requests where there are two.
    let recorder = Recorder::start();
    let mut connection = Connection::open(recorder.address());
    connection.write(b"POST /v1/openapi/v/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    connection.write(b"GET /v1/openapi/tail/1 HTTP/1.1\r\nHost: a\r\nX-Gateway-Scopes: evil\r\n\r\n");
    for method in ["POST", "GET"] {
        assert_eq!(connection.reply(method).expect("an answer").status, 200);
    }
    assert_eq!((recorder.seen("/v1/openapi/v/1").len(), recorder.seen("/v1/openapi/tail/1").len()), (1, 1));
    assert_eq!(recorder.problems().1, 1);
    let mut connection = Connection::open(recorder.address());
    connection
        .write(b"POST /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert!(connection.closes_within(SOON));
    assert_eq!(recorder.problems().0.len(), 1);
}
