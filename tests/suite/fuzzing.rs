//! Thousands of requests that are slightly wrong: each is answered or ends its connection, and none smuggles another.

use super::hostile_http1::{open_connections, with_tls};
use crate::support::certificate::trusting;
use crate::support::client::Connection;
use crate::support::gateway::Gateway;
use crate::support::request::method;
use crate::support::settings::Settings;
use crate::support::upstream::Upstream;
use crate::support::world::with_one_key;
use crate::support::{get, post, wait};
use serde_json::json;
use std::time::Duration;

const TARGET: &str = "/v1/openapi/other";
const SOON: Duration = Duration::from_secs(5);

/// A small generator of its own, so that a failure can be had again (Steele, Lea, Flood: SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % below as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.roll(from.len())]
    }
}

/// Fields that servers are known to read differently.
const FIELDS: [&str; 26] = [
    "Transfer-Encoding: chunked\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding:\tchunked\r\n",
    "Transfer-Encoding: chunked\t\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding:\u{b}chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding\r\n: chunked\r\n",
    "X: y\nTransfer-Encoding: chunked\r\n",
    "X: y\rTransfer-Encoding: chunked\r\n",
    "X: y\0Transfer-Encoding: chunked\r\n",
    "transfer_encoding: chunked\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 5\r\n",
    "Content-Length : 5\r\n",
    "Content-Length: +5\r\n",
    "Content-Length: 0x5\r\n",
    "Content-Length: 5, 5\r\n",
    "Content-Length: 18446744073709551616\r\n",
    "Content-Length:\r\n",
    "Connection: close, content-length, transfer-encoding\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\nConnection: upgrade\r\n",
    "Host: b\r\n",
    "\u{0}: x\r\n",
];

/// A valid request whose body holds another one, complete with a good key.
fn seed(dice: &mut Dice, key: &str) -> Vec<u8> {
    let inner = format!(
        "GET /v1/openapi/smuggled HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nConnection: close\r\n\r\n"
    );
    let inner = inner.into_bytes();
    let request = match dice.roll(9) {
        // Forms of a target that few clients use.
        4 => get(&format!("http://a{TARGET}")).key(key).raw_body(&inner),
        5 => method("OPTIONS", "*").raw_body(&inner),
        6 => method("CONNECT", "a:80").raw_body(&inner),
        7 => get("v1/openapi/other").key(key).raw_body(&inner),
        0 => post(TARGET).key(key).raw_body(&inner),
        1 => post(TARGET).key(key).raw_body(&inner).chunked(inner.len() + dice.roll(3)),
        2 => post(TARGET).raw_body(&inner).chunked(1 + dice.roll(30)),
        _ => get(TARGET).key(key).raw_body([b"0\r\n\r\n", &inner[..]].concat()),
    };
    request.bytes("a")
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let lines: Vec<usize> = (0..head).filter(|&at| bytes[at] == b'\n').map(|at| at + 1).collect();
    let at = dice.roll(bytes.len());
    let odd =
        dice.pick(&[" ", "\t", "\r", "\n", "\0", "\r\n", ":", "\u{7f}", "é", "0", "5", ";", ",", "%00"]);
    match dice.roll(8) {
        0..=2 if lines.len() > 1 => {
            let line = lines[dice.roll(lines.len() - 1)];
            let field = dice.pick(&FIELDS);
            bytes.splice(line..line, field.bytes());
        }
        3 => drop(bytes.splice(at..at, odd.bytes())),
        4 => bytes[at] = odd.as_bytes()[0],
        5 => drop(bytes.drain(at..(at + 1 + dice.roll(4)).min(bytes.len()))),
        6 => bytes[at] ^= 1 << dice.roll(8),
        _ => {
            let near = dice.roll(head.max(1));
            bytes.splice(near..near, odd.bytes());
        }
    }
}

/// Whether these bytes, read by the letter of RFC 9112 with the leniencies that it allows (line feeds alone in heads,
/// empty lines before a request), hold a request for the smuggled target.
fn asks_for_it(mut bytes: &[u8]) -> bool {
    loop {
        while let [b'\n', rest @ ..] | [b'\r', b'\n', rest @ ..] = bytes {
            bytes = rest;
        }
        let Some((head, mut rest)) = split_head(bytes) else { return false };
        let mut lines = head.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        if lines.next().is_some_and(|line| line.windows(8).any(|w| w == b"smuggled")) {
            return true;
        }
        let (mut length, mut coded) = (None, false);
        for line in lines {
            let Some(colon) = line.iter().position(|&b| b == b':') else { return false };
            let (name, value) = (line[..colon].to_ascii_lowercase(), line[colon + 1..].trim_ascii());
            if name.iter().any(u8::is_ascii_whitespace) || line.contains(&b'\r') {
                return false;
            }
            match name.as_slice() {
                b"content-length" => {
                    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse::<usize>().ok());
                    if number.is_none() || length.is_some() && length != number {
                        return false;
                    }
                    length = number;
                }
                b"transfer-encoding" if !coded && value.eq_ignore_ascii_case(b"chunked") => coded = true,
                b"transfer-encoding" => return false,
                _ => {}
            }
        }
        if coded && length.is_some() {
            return false;
        }
        let length = length.unwrap_or(0);
        if coded {
            let Some(length) = chunks(rest) else { return false };
            rest = &rest[length..];
        } else if length > rest.len() {
            return false;
        } else {
            rest = &rest[length..];
        }
        bytes = rest;
    }
}

fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let ends = |at: usize| match &bytes[at..] {
        [b'\n', b'\n', ..] => Some(at + 2),
        [b'\n', b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    };
    let (at, end) = (0..bytes.len()).find_map(|at| ends(at).map(|end| (at, end)))?;
    Some((&bytes[..at], &bytes[end..]))
}

/// Length of a chunked body with its trailers.
fn chunks(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = bytes[at..].windows(2).position(|w| w == b"\r\n")?;
        let size = bytes[at..at + line].split(|&b| b == b';').next()?;
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?.trim(), 16).ok()?;
        at += line + 2;
        if size == 0 {
            let rest = &bytes[at..];
            return match rest.starts_with(b"\r\n") {
                true => Some(at + 2),
                false => rest.windows(4).position(|w| w == b"\r\n\r\n").map(|end| at + end + 4),
            };
        }
        at += size + 2;
        bytes.get(at - 2..at).filter(|end| end == b"\r\n")?;
    }
}

/// Answers until the end of what came; panics at bytes that are none.
fn only_answers(connection: &mut Connection, sent: &[u8]) -> usize {
    let mut answers = 0;
    while !connection.leftover().is_empty() {
        let left = String::from_utf8_lossy(connection.leftover()).into_owned();
        let reply = connection.reply("GET");
        let shown = String::from_utf8_lossy(sent);
        let reply = reply.unwrap_or_else(|e| panic!("{e}: {left:?} is no answer to {shown:?}"));
        assert!((200..=599).contains(&reply.status), "{reply:?} to {shown:?}");
        answers += 1;
    }
    answers
}

/// Gives how often the body of a request was one by its sender's own fault.
fn fuzz(open: &dyn Fn() -> Connection, upstream: &Upstream, key: &str, seed_of: u64, cases: usize) -> usize {
    let mut dice = Dice(seed_of);
    let (mut waiting, mut answered, mut seen, mut asked_for) = (Vec::new(), 0, 0, 0);
    for _ in 0..cases {
        let mut connection = open();
        let mut sent = Vec::new();
        for _ in 0..1 + dice.roll(3) {
            let mut bytes = seed(&mut dice, key);
            for _ in 0..dice.roll(4) {
                mutate(&mut dice, &mut bytes);
            }
            sent.extend_from_slice(&bytes);
        }
        sent.extend_from_slice(&get(TARGET).key(key).header("Connection", "close").bytes("a"));
        // In two pieces, at any place.
        let cut = dice.roll(sent.len());
        let _ = connection.try_write(&sent[..cut]).and_then(|()| connection.try_write(&sent[cut..]));
        if connection.closes_within(Duration::from_millis(30)) {
            answered += only_answers(&mut connection, &sent);
        } else {
            waiting.push((connection, sent.clone()));
        }
        let new = upstream.after(seen);
        seen += new.len();
        if new.iter().any(|record| record.target.contains("smuggled")) {
            let asked = asks_for_it(&sent) || waiting.iter().any(|(_, sent)| asks_for_it(sent));
            assert!(asked, "smuggled: {:?}", String::from_utf8_lossy(&sent));
            asked_for += 1;
        }
    }
    for (mut connection, sent) in waiting {
        let shown = String::from_utf8_lossy(&sent).into_owned();
        assert!(connection.closes_within(SOON), "it hangs: {shown:?}");
        answered += only_answers(&mut connection, &sent);
    }
    assert!(answered > cases / 2, "{answered} answers to {cases} cases: they show nothing");
    asked_for
}

#[test]
fn thousands_of_requests_that_are_slightly_wrong() {
    let upstream = Upstream::http();
    let limits = json!({ "header_timeout": "1s", "idle_timeout": "1s" });
    let settings = Settings::usual(&upstream.url()).unlimited().with(|value| {
        value["listeners"] = json!([{ "limits": limits }]);
        value["upstreams"]["main"]["timeouts"] = json!({ "response": "1s" });
    });
    let (gateway, key) = with_one_key(&settings);
    let asked_for = fuzz(&|| gateway.connect(), &upstream, &key, 1, 2000);
    assert!(asked_for > 0, "no case is so wrong that its body is a request: there is nothing to smuggle");
    still_serves(&gateway, &key);
}

#[test]
fn hundreds_of_them_over_tls() {
    let upstream = Upstream::http();
    let (gateway, key) = with_tls(&upstream.url(), json!({ "header_timeout": "1s", "idle_timeout": "1s" }));
    let (address, tls) = (gateway.tls.expect("TLS"), trusting(&[b"http/1.1"], None));
    let open = || Connection::tls(address, "a.test", tls.clone()).expect("TLS").0;
    fuzz(&open, &upstream, &key, 2, 200);
    still_serves(&gateway, &key);
}

fn still_serves(gateway: &Gateway, key: &str) {
    wait::until("all connections are given back", || open_connections(gateway) == 0.0);
    assert_eq!(gateway.send(&get(TARGET).key(key)).status, 200);
    assert!(!gateway.stderr().contains("panicked"), "{}", gateway.stderr());
}

#[test]
fn the_oracle_of_the_fuzzer_sees_what_is_there() {
    let inner = "GET /v1/openapi/smuggled HTTP/1.1\r\n\r\n";
    let length = inner.len();
    for (head, asks) in [
        (format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n"), false),
        ("POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n".to_owned(), true),
        ("POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n0\r\n\r\n".to_owned(), true),
        (format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n"), false),
        (
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n".to_owned(),
            false,
        ),
        ("POST / HTTP/1.1\r\nContent-Length : 0\r\n\r\n".to_owned(), false),
    ] {
        assert_eq!(asks_for_it(format!("{head}{inner}").as_bytes()), asks, "{head:?}");
    }
}
