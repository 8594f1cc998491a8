//! The heads that are read from an HTTP/1.1 upstream, and how long their bodies are (RFC 9112, 6.3).

use super::super::head::Displaced;
use super::hop::{Fate, Hop};
use crate::wire::{self, Chunk, Error, Framing, Lines, MOST_FIELDS, Scratch};
use bytes::{Buf, BytesMut};
use http::header::{HeaderMap, HeaderName, HeaderValue, UPGRADE};
use http::{Method, StatusCode};
use httparse::{Header, ParserConfig, Status};
use std::mem::MaybeUninit;

/// Most bytes of a head.
const MOST_BYTES: usize = 64 * 1024;

/// The head of an answer, with what it says of what follows.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    /// Its fields, unless they are in `lines`.
    pub(super) fields: HeaderMap,
    pub(super) lines: Option<Lines>,
    pub(super) framing: Framing,
    /// It names the protocol that was asked for.
    agreed: bool,
    /// The connection may serve another request.
    pub(super) keep: bool,
}

/// What of a request its answer's reader has to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'q> {
    /// Its method.
    pub(super) method: &'q Method,
    /// The protocol that it asks to go on in.
    pub(super) upgrade: Option<&'q HeaderValue>,
    /// It wants the answer's fields as lines.
    pub(super) lines: Option<Displaced>,
}

/// Takes a head out of the buffer, `None` when it is not complete. Of interim answers (1xx), early hints are left with
/// `scratch`, for whoever can pass them on; the others say nothing to anybody but this hop.
pub(super) fn head(
    buffer: &mut BytesMut,
    question: Question<'_>,
    scratch: &Scratch,
) -> Result<Option<Answered>, Error> {
    loop {
        let Some(answered) = one_head(buffer, question, scratch)? else { return Ok(None) };
        match answered.status {
            StatusCode::SWITCHING_PROTOCOLS => return switched(answered, question).map(Some),
            StatusCode::EARLY_HINTS => scratch.hint(answered.fields),
            status if status.is_informational() => {}
            _ => return Ok(Some(answered)),
        }
    }
}

/// The answer that switches protocols, if it is to the one that was asked for: what follows belongs to that.
fn switched(mut answered: Answered, question: Question<'_>) -> Result<Answered, Error> {
    let unasked = || malformed("it switches to a protocol that was not asked for");
    let wanted = question.upgrade.filter(|_| answered.agreed).ok_or_else(unasked)?;
    answered.fields.insert(UPGRADE, wanted.clone());
    Ok(Answered { framing: Framing::Close, keep: false, ..answered })
}

fn one_head(
    buffer: &mut BytesMut,
    question: Question<'_>,
    scratch: &Scratch,
) -> Result<Option<Answered>, Error> {
    if buffer.is_empty() {
        return Ok(None);
    }
    let mut headers = [const { MaybeUninit::<Header<'_>>::uninit() }; MOST_FIELDS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = ParserConfig::default();
    let length = match config.parse_response_with_uninit_headers(&mut parsed, buffer, &mut headers) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if buffer.len() > MOST_BYTES => return Err(malformed("its head is too large")),
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(malformed("its head does not parse")),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or_else(|| malformed("its status is no status"))?;
    let modern = parsed.version != Some(0);
    let mut hop = Hop { wanted: question.upgrade, ..Hop::default() };
    let (mut fields, mut lines) = (HeaderMap::new(), None);
    if let Some(displaced) = question.displaced(status) {
        let mut copied = Lines::new(scratch, status);
        match hop.copy(&buffer[..length], parsed.headers, displaced, &mut copied)? {
            true => lines = Some(copied),
            false => {
                scratch.give(copied.out);
                hop = Hop { wanted: question.upgrade, ..Hop::default() };
            }
        }
    }
    if lines.is_some() {
        buffer.advance(length);
    } else {
        let mut spans = scratch.spans.borrow_mut();
        spans.note(buffer, parsed.headers);
        let head = buffer.split_to(length).freeze();
        let passes = |name: &HeaderName, value: &[u8]| {
            hop.look(name.as_str().as_bytes(), value).map(|fate| fate != Fate::Ends)
        };
        fields = spans.read(&head, scratch, passes)?;
        for name in &hop.listed {
            fields.remove(name);
        }
    }
    wire::release(buffer);
    let (framing, keep) = framing(question.method, status, &hop, modern && !hop.closes)?;
    Ok(Some(Answered { status, fields, lines, framing, agreed: hop.agreed, keep }))
}

impl Question<'_> {
    /// What the lines of an answer with this status go without; none where its fields are to be looked at one by one:
    /// where it has no body, because its length is told all the same, and where it is no final one.
    fn displaced(&self, status: StatusCode) -> Option<Displaced> {
        let bodiless = *self.method == Method::HEAD || matches!(status.as_u16(), ..200 | 204 | 304);
        self.lines.filter(|_| !bodiless)
    }
}

/// RFC 9112, 6.3, without its leniencies: an answer that could be read in two ways is refused.
fn framing(method: &Method, status: StatusCode, hop: &Hop<'_>, keep: bool) -> Result<(Framing, bool), Error> {
    // The body that a 204 must not have would be read as the next answer.
    let keep = keep && (status != StatusCode::NO_CONTENT || !hop.chunked && hop.length.unwrap_or(0) == 0);
    if *method == Method::HEAD || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return Ok((Framing::Ended, keep));
    }
    match (hop.chunked, hop.length) {
        (true, Some(_)) => Err(malformed("it has both Transfer-Encoding and Content-Length")),
        (true, None) => Ok((Framing::Chunked(Chunk::Size), keep)),
        (false, Some(0)) => Ok((Framing::Ended, keep)),
        (false, Some(length)) => Ok((Framing::Length(length), keep)),
        (false, None) => Ok((Framing::Close, false)),
    }
}

fn malformed(why: &'static str) -> Error {
    Error::Malformed(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an answer that comes in pieces of `size` bytes: status, body, trailers, and whether the connection is kept.
    fn read(text: &str, method: &Method, size: usize) -> Result<(u16, String, usize, bool), Error> {
        let (scratch, mut buffer) = (Scratch::default(), BytesMut::new());
        let mut pieces = text.as_bytes().chunks(size);
        let mut more = |buffer: &mut BytesMut| pieces.next().map(|piece| buffer.extend_from_slice(piece));
        let mut answered = loop {
            match head(&mut buffer, Question { method, upgrade: None, lines: None }, &scratch)? {
                Some(answered) => break answered,
                None => more(&mut buffer).ok_or(Error::Closed)?,
            }
        };
        let (mut body, mut trailers) = (Vec::new(), 0);
        loop {
            match wire::piece(&mut buffer, &mut answered.framing)? {
                Some(wire::Piece::Data(data)) => body.extend_from_slice(&data),
                Some(wire::Piece::Trailers(fields)) => trailers = fields.len(),
                Some(wire::Piece::End) => break,
                None => match more(&mut buffer) {
                    Some(()) => {}
                    None if answered.framing == Framing::Close => break,
                    None => return Err(Error::Closed),
                },
            }
        }
        let status = answered.status.as_u16();
        Ok((status, String::from_utf8_lossy(&body).into_owned(), trailers, answered.keep))
    }

    #[test]
    fn bodies_end_where_rfc_9112_says_however_they_are_cut() {
        let cases = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", (200, "hello", 0, true)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok", (200, "ok", 0, true)),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\na: b\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
                (204, "", 0, true),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
                (200, "abc0123456789", 0, true),
            ),
            (
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-a: 1\r\nx-b: 2\r\n\r\n",
                (200, "a", 2, true),
            ),
            ("HTTP/1.1 200 OK\r\nconnection: x, Close\r\ncontent-length: 1\r\n\r\na", (200, "a", 0, false)),
            ("HTTP/1.1 200 OK\r\n\r\nuntil the end", (200, "until the end", 0, false)),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na", (200, "a", 0, false)),
            ("HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n", (304, "", 0, true)),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n", (204, "", 0, true)),
            ("HTTP/1.1 204 No Content\r\ncontent-length: 9\r\n\r\n", (204, "", 0, false)),
            ("HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", (204, "", 0, false)),
        ];
        for (text, (status, body, trailers, keep)) in cases {
            for size in [1, 2, 3, 7, 1000] {
                let seen =
                    read(text, &Method::GET, size).unwrap_or_else(|e| panic!("{text:?} by {size}: {e}"));
                assert_eq!(seen, (status, body.to_owned(), trailers, keep), "{text:?} by {size}");
            }
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n";
        assert_eq!(read(head, &Method::HEAD, 1000).unwrap(), (200, String::new(), 0, true));
    }

    /// The beginning of an answer as lines, and the names of the fields that are in the map instead.
    fn lines(text: &str, displaced: Displaced) -> (String, Vec<String>) {
        let (method, scratch) = (Method::GET, Scratch::default());
        let question = Question { method: &method, upgrade: None, lines: Some(displaced) };
        let answered = head(&mut BytesMut::from(text), question, &scratch).unwrap().unwrap();
        let lines = answered.lines.map(|lines| String::from_utf8_lossy(lines.out.left()).into_owned());
        (lines.unwrap_or_default(), answered.fields.keys().map(ToString::to_string).collect())
    }

    #[test]
    fn lines_go_on_as_they_stand_without_those_that_end_here() {
        let none: Displaced = |_| false;
        let (passed, fields) = lines(
            "HTTP/1.1 201 Whatever\r\nServer: x\r\nX-Empty:\r\nContent-Length: 2\r\nDATE: now\r\nConnection: \
             keep-alive\r\nX-A:  a, b\r\nX-A: c\r\n\r\nok",
            none,
        );
        let expected =
            "HTTP/1.1 201 Created\r\nServer: x\r\nX-Empty:\r\nDATE: now\r\nX-A:  a, b\r\nX-A: c\r\n";
        assert_eq!((passed.as_str(), fields.len()), (expected, 0));
        let ours: Displaced = |name| name.eq_ignore_ascii_case(b"x-ours");
        let (passed, _) =
            lines("HTTP/1.1 200 OK\r\nx-a: 1\r\nX-Ours: 2\r\nx-b: 3\r\nx-ours: 4\r\n\r\n", ours);
        assert_eq!(passed, "HTTP/1.1 200 OK\r\nx-a: 1\r\nx-b: 3\r\n");
        assert_eq!(lines("HTTP/1.1 500 Oops\r\n\r\n", none).0, "HTTP/1.1 500 Internal Server Error\r\n");
    }

    #[test]
    fn fields_that_need_a_look_are_in_the_map() {
        for (text, kept) in [
            (
                "HTTP/1.1 200 OK\r\na: 1\r\ntrailer: x\r\ntransfer-encoding: chunked\r\n\r\n",
                &["a", "trailer"][..],
            ),
            (
                "HTTP/1.1 200 OK\r\na: 1\r\nconnection: b\r\nb: 2\r\ncontent-length: 0\r\n\r\n",
                &["a", "content-length"],
            ),
            ("HTTP/1.1 200 OK\r\nb: 2\r\na: 1\r\nconnection: close, B\r\n\r\n", &["a"]),
            ("HTTP/1.1 304 Not Modified\r\na: 1\r\ncontent-length: 7\r\n\r\n", &["a", "content-length"]),
            ("HTTP/1.1 204 No Content\r\na: 1\r\n\r\n", &["a"]),
            ("HTTP/1.1 200 OK\r\na: 1 \r\nb: 2\n\r\n", &["a", "b"]),
        ] {
            let (passed, mut fields) = lines(text, |_| false);
            fields.sort();
            assert_eq!(
                (passed.as_str(), &fields[..]),
                ("", &kept.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()[..]),
                "{text:?}"
            );
        }
    }

    #[test]
    fn answers_that_could_be_read_in_two_ways_are_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
            "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\na",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n11111111111111111\r\na",
            "HTTP/1.1 200 OK\r\na b: c\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\na: b\r\n folded\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\n",
            "HTTP/1.1 999999 OK\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
        ] {
            assert!(read(text, &Method::GET, 1000).is_err(), "{text:?}");
        }
    }
}
