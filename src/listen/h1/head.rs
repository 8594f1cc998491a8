//! The head of a client's request, and what it says of its body and of the connection (RFC 9112, 3, 6 and 9).
//!
//! What could be read in two ways is refused: a length beside a transfer coding, two lengths, a coding that is not
//! plainly `chunked`, a coding in HTTP/1.0.

use crate::pipeline::Early;
use crate::wire::{self, Chunk, Error, Fields, Framing, MOST_FIELDS, Request, Scratch, Target};
use bytes::BytesMut;
use http::header::HeaderName;
use http::{Method, Version};
use httparse::{Header, ParserConfig, Status};
use std::mem::MaybeUninit;

/// Longest request target; `http::Uri`, which those for HTTP/2 become, holds no longer one.
const LONGEST_TARGET: usize = u16::MAX as usize - 1;

/// A request's head.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    /// How the body is delimited.
    pub(super) framing: Framing,
    pub(super) wishes: Wishes,
    /// Its number on the connection.
    pub(super) number: u64,
}

/// What the client says of the connection and of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    /// The connection may serve another request.
    pub(super) keep: bool,
    /// The client speaks HTTP/1.1: it knows chunks, and keeps connections unless told otherwise.
    pub(super) modern: bool,
    /// It waits for a 100 before it sends the body.
    pub(super) waits: bool,
    /// It reads trailers.
    pub(super) trailers: bool,
    /// It asked for the head only.
    pub(super) head_only: bool,
    /// It would go on in another protocol (RFC 9110, 7.8).
    pub(super) upgrade: bool,
}

impl Wishes {
    /// Of a client whose head could not be read.
    pub(super) const UNKNOWN: Self =
        Self { keep: false, modern: true, waits: false, trailers: false, head_only: false, upgrade: false };
}

/// Takes a head out of the buffer; `None` when it is not complete. One that is refused stays.
///
/// # Errors
/// What to answer to bytes that are no head.
pub(super) fn parse(buffer: &mut BytesMut, scratch: &Scratch) -> Result<Option<Asked>, Early> {
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut []);
    let config = ParserConfig::default();
    let length = match config.parse_request_with_uninit_headers(&mut parsed, buffer, &mut headers) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Early::HeadTooLarge),
        Err(httparse::Error::Version) if speaks_another(buffer) => return Err(Early::Version),
        Err(_) => return Err(Early::Malformed),
    };
    // The parser takes a bare LF for a line's end, as RFC 9112, 2.2 allows; who stands before us may not.
    if !ends_in_crlf(&buffer[..length], parsed.headers) {
        return Err(Early::Malformed);
    }
    let (Some(method), Some(target)) = (parsed.method, parsed.path) else { return Err(Early::Malformed) };
    if target.len() > LONGEST_TARGET {
        return Err(Early::TargetTooLong);
    }
    let modern = parsed.version == Some(1);
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| Early::Malformed)?;
    let target = target_of(target, scratch).ok_or(Early::Malformed)?;
    let (mut fields, hop) = fields(buffer, parsed.headers, scratch).map_err(|_| Early::Malformed)?;
    let framing = hop.framing(modern)?;
    let wishes = hop.wishes(modern, &method, framing);
    fields.lie_in(buffer.split_to(length).freeze());
    let version = if modern { Version::HTTP_11 } else { Version::HTTP_10 };
    Ok(Some(Asked { request: Request { method, target, version, fields }, framing, wishes, number: 0 }))
}

/// The target of a request, in whatever form.
fn target_of(text: &str, scratch: &Scratch) -> Option<Target> {
    // `Uri` would drop what stands behind it, and others would not.
    let has_fragment = !text.starts_with('/') && text.contains('#');
    if has_fragment { None } else { Target::read(text, scratch) }
}

/// Whether each line of a parsed head ends in CRLF: where fields begin and where the head ends, a line has ended, and
/// nowhere else.
fn ends_in_crlf(head: &[u8], headers: &[Header<'_>]) -> bool {
    let base = head.as_ptr().addr();
    let is_end = |at: usize| head.get(at.wrapping_sub(2)..at) == Some(b"\r\n");
    let mut begins = headers.iter().map(|header| header.name.as_ptr().addr().wrapping_sub(base));
    !head.starts_with(b"\n") && head.ends_with(b"\r\n\r\n") && begins.all(is_end)
}

/// Whether a request line is one but for its version, which is neither 1.0 nor 1.1.
fn speaks_another(buffer: &[u8]) -> bool {
    let line =
        buffer.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let mut words = line.trim_ascii_end().split(|&byte| byte == b' ').skip(2);
    matches!((words.next(), words.next()), (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// The fields of a parsed head in `buffer`, and what they say to this hop.
fn fields(buffer: &[u8], headers: &[Header<'_>], scratch: &Scratch) -> Result<(Fields, Hop), Error> {
    let base = buffer.as_ptr().addr();
    let (mut fields, mut hop) = (Fields::new(scratch), Hop::default());
    for header in headers {
        let name = scratch.names.of(header.name.as_bytes());
        let name = name.ok_or(Error::Malformed("a field's name is malformed"))?;
        hop.look(name.name(), header.value)?;
        let from = header.value.as_ptr().addr() - base;
        fields.push(name, from..from + header.value.len());
    }
    Ok((fields, hop))
}

/// Whether the end of a head can be in the buffer, of which all before `seen` was looked at before: so that a head that
/// comes byte by byte is not parsed as often.
pub(super) fn may_be_complete(buffer: &[u8], seen: usize) -> bool {
    let from = seen.saturating_sub(3);
    memchr::memchr_iter(b'\n', &buffer[from..])
        .any(|at| matches!(&buffer[from + at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
}

/// What the fields say to this hop.
#[derive(Debug, Default)]
struct Hop {
    length: Option<u64>,
    chunked: bool,
    closes: bool,
    keeps: bool,
    waits: bool,
    trailers: bool,
    upgrades: bool,
}

impl Hop {
    fn look(&mut self, name: &HeaderName, value: &[u8]) -> Result<(), Error> {
        match name.as_str() {
            "content-length" => self.length = Some(wire::length(self.length, value)?),
            "transfer-encoding" if !self.chunked && value.eq_ignore_ascii_case(b"chunked") => {
                self.chunked = true;
            }
            "transfer-encoding" => return Err(Error::Malformed("its transfer coding is not chunked")),
            "connection" => {
                for option in value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii) {
                    self.closes |= option.eq_ignore_ascii_case(b"close");
                    self.keeps |= option.eq_ignore_ascii_case(b"keep-alive");
                    self.upgrades |= option.eq_ignore_ascii_case(b"upgrade");
                }
            }
            "expect" => self.waits |= value.eq_ignore_ascii_case(b"100-continue"),
            "te" => {
                let mut codings = value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
                self.trailers |= codings.any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
            }
            _ => {}
        }
        Ok(())
    }

    fn wishes(&self, modern: bool, method: &Method, framing: Framing) -> Wishes {
        Wishes {
            keep: if modern { !self.closes } else { self.keeps && !self.closes },
            modern,
            waits: modern && self.waits && framing != Framing::Ended,
            trailers: modern && self.trailers,
            head_only: *method == Method::HEAD,
            // A body would stand between the request and the other protocol: whoever sends one is answered as usual.
            upgrade: modern && self.upgrades && framing == Framing::Ended && *method == Method::GET,
        }
    }

    fn framing(&self, modern: bool) -> Result<Framing, Early> {
        match (self.chunked, self.length) {
            (true, None) if modern => Ok(Framing::Chunked(Chunk::Size)),
            (true, _) => Err(Early::Malformed),
            (false, None | Some(0)) => Ok(Framing::Ended),
            (false, Some(length)) => Ok(Framing::Length(length)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Asked>, Early> {
        parse(&mut BytesMut::from(text), &Scratch::default())
    }

    #[test]
    fn a_head_says_how_its_body_is_delimited() {
        for (fields, framing) in [
            ("", Framing::Ended),
            ("Content-Length: 0\r\n", Framing::Ended),
            ("Content-Length: 5\r\n", Framing::Length(5)),
            ("Content-Length: 5\r\ncontent-length: 5\r\n", Framing::Length(5)),
            ("Transfer-Encoding: Chunked\r\n", Framing::Chunked(Chunk::Size)),
        ] {
            let asked = read(&format!("POST /v1 HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).unwrap().unwrap();
            assert_eq!(asked.framing, framing, "{fields:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for head in [
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: \r\n\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n",
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nA\0: b\r\n\r\n",
            "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n",
            "GET  / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1 x\r\n\r\n",
            "GET /a b HTTP/1.1\r\n\r\n",
            "G\x7fET / HTTP/1.1\r\n\r\n",
            "\x16\x03\x01\x02\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\r\nHost: a \t\nB: c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\nB: c\r\n\r\n",
            "GET / HTTP/1.1\n\r\n",
            "GET / HTTP/1.1\r\n\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /#a HTTP/1.1\r\n\r\n",
            "GET / HTTP/11\r\n\r\n",
            "GET / http/1.1\r\n\r\n",
        ] {
            let mut buffer = BytesMut::from(head);
            let refused = parse(&mut buffer, &Scratch::default()).err();
            assert_eq!(refused, Some(Early::Malformed), "{head:?}");
            assert_eq!(buffer, head, "its path is lost");
        }
        for version in ["2.0", "1.2", "0.9", "9.9"] {
            assert_eq!(read(&format!("GET / HTTP/{version}\r\n\r\n")).err(), Some(Early::Version));
        }
        let many = "A: b\r\n".repeat(MOST_FIELDS + 1);
        assert_eq!(read(&format!("GET / HTTP/1.1\r\n{many}\r\n")).err(), Some(Early::HeadTooLarge));
        let long = "a".repeat(LONGEST_TARGET);
        assert_eq!(read(&format!("GET /{long} HTTP/1.1\r\n\r\n")).err(), Some(Early::TargetTooLong));
    }

    #[test]
    fn connections_are_kept_as_rfc_9112_says() {
        for (version, fields, keep) in [
            ("1.1", "", true),
            ("1.1", "Connection: close\r\n", false),
            ("1.1", "Connection: x, Close\r\n", false),
            ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
            ("1.0", "", false),
            ("1.0", "Connection: Keep-Alive\r\n", true),
        ] {
            let asked = read(&format!("GET / HTTP/{version}\r\n{fields}\r\n")).unwrap().unwrap();
            assert_eq!(asked.wishes.keep, keep, "{version} {fields:?}");
        }
    }

    #[test]
    fn a_head_is_complete_at_its_empty_line_however_it_comes() {
        let head = "GET /v1?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 1..head.len() {
            assert!(!may_be_complete(&head.as_bytes()[..end], 0), "{end}");
            assert!(read(&head[..end]).unwrap().is_none(), "{end}");
        }
        assert!((0..head.len()).all(|seen| may_be_complete(head.as_bytes(), seen)));
        assert!(may_be_complete(b"GET / HTTP/1.1\n\n", 15));
        let asked = read(&("\r\n".to_owned() + head)).unwrap().unwrap();
        assert_eq!((asked.request.target.path(), asked.request.target.query()), ("/v1", Some("a=b")));
        assert_eq!(asked.request.fields.get(&http::header::HOST), Some(&b"a"[..]));
    }
}
