//! What is read from an HTTP/1.1 upstream: heads and bodies, parsed by `httparse`, delimited as RFC 9112, 6.3 says.

use super::ExchangeError;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode, Version};
use httparse::{Header, ParserConfig, Status};
use std::mem::MaybeUninit;

/// Most fields of a head or trailer section.
const MOST_FIELDS: usize = 100;
/// Most bytes of a head, of a chunk's size line, of a trailer section.
pub(super) const MOST_BYTES: usize = 64 * 1024;

/// The head of an answer, with what it says of what follows.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// The connection may serve another request.
    pub(super) keep: bool,
}

/// How an answer's body is delimited, and how far it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// At its end.
    Ended,
    /// So many bytes are still to come.
    Length(u64),
    /// By chunks.
    Chunked(Chunk),
    /// By the connection's end.
    Close,
}

/// The next thing in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// A size line.
    Size,
    /// So many bytes of a chunk.
    Data(u64),
    /// The line end behind a chunk.
    LineEnd,
    /// The trailer section.
    Trailers,
}

/// A piece of a body.
#[derive(Debug)]
pub(super) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
}

/// Takes a head out of the buffer, its fields in the map of `memory`; `None` when it is not complete. Interim answers (1xx) are passed over.
pub(super) fn head(
    buffer: &mut BytesMut,
    method: &Method,
    memory: &mut Memory,
) -> Result<Option<Answered>, ExchangeError> {
    loop {
        let Some(answered) = one_head(buffer, method, memory)? else { return Ok(None) };
        match answered.response.status() {
            StatusCode::SWITCHING_PROTOCOLS => return Err(malformed("it switches protocols unasked")),
            status if status.is_informational() => {}
            _ => return Ok(Some(answered)),
        }
    }
}

fn one_head(
    buffer: &mut BytesMut,
    method: &Method,
    memory: &mut Memory,
) -> Result<Option<Answered>, ExchangeError> {
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
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let (mut spans, count) = ([[0; 4]; MOST_FIELDS], parsed.headers.len());
    note(&mut spans, buffer, parsed.headers);
    let head = buffer.split_to(length).freeze();
    let (mut fields, hop) = memory.read(&head, &spans[..count])?;
    for name in &hop.listed {
        fields.remove(name);
    }
    let keep = version == Version::HTTP_11 && !hop.closes;
    let (framing, keep) = framing(method, status, hop.coding, &fields, keep)?;
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.headers_mut() = fields;
    Ok(Some(Answered { response, framing, keep }))
}

/// Where names and values stand in the buffer, so that values can share its memory once it is theirs.
type Spans = [[u32; 4]; MOST_FIELDS];

fn note(spans: &mut Spans, buffer: &[u8], headers: &[Header<'_>]) {
    let base = buffer.as_ptr().addr();
    let span = |text: &[u8]| {
        let start = (text.as_ptr().addr() - base) as u32;
        [start, start + text.len() as u32]
    };
    for (header, place) in headers.iter().zip(spans) {
        let ([a, b], [c, d]) = (span(header.name.as_bytes()), span(header.value));
        *place = [a, b, c, d];
    }
}

/// What a connection keeps from answer to answer, because the next one is mostly like the last.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// An empty map, for the fields.
    pub(super) fields: HeaderMap,
    /// The names of the last answer's fields as they were spelled, by place.
    names: Vec<(Box<[u8]>, HeaderName)>,
}

impl Memory {
    /// The name at a place; parsed only when it is another than the last time.
    fn name(&mut self, place: usize, spelled: &[u8]) -> Result<HeaderName, ExchangeError> {
        if let Some((_, name)) = self.names.get(place).filter(|(last, _)| **last == *spelled) {
            return Ok(name.clone());
        }
        let name = HeaderName::from_bytes(spelled).map_err(|_| malformed("a field's name is malformed"))?;
        let known = (spelled.into(), name.clone());
        match self.names.get_mut(place) {
            Some(last) => *last = known,
            None => self.names.push(known),
        }
        Ok(name)
    }

    /// Puts the fields into a map, but for those that end at this hop (RFC 9110, 7.6.1), which are read here.
    fn read(&mut self, head: &Bytes, spans: &[[u32; 4]]) -> Result<(HeaderMap, Hop), ExchangeError> {
        let (mut fields, mut hop) = (std::mem::take(&mut self.fields), Hop::default());
        for (place, &[a, b, c, d]) in spans.iter().enumerate() {
            let name = self.name(place, &head[a as usize..b as usize])?;
            if hop.takes(&name, &head[c as usize..d as usize])? {
                continue;
            }
            let value = HeaderValue::from_maybe_shared(head.slice(c as usize..d as usize));
            fields.append(name, value.map_err(|_| malformed("a field's value is malformed"))?);
        }
        Ok((fields, hop))
    }
}

/// What a head says to this hop alone.
#[derive(Debug, Default)]
struct Hop {
    /// Whether the body is chunked; the only coding that is understood.
    coding: bool,
    /// The connection closes after this answer.
    closes: bool,
    /// Fields that `Connection` lists besides.
    listed: Vec<HeaderName>,
}

impl Hop {
    /// Reads a field that ends here; false for all others.
    fn takes(&mut self, name: &HeaderName, value: &[u8]) -> Result<bool, ExchangeError> {
        match name.as_str() {
            "connection" => value.split(|&b| b == b',').for_each(|option| self.option(option.trim_ascii())),
            "transfer-encoding" if !self.coding && value.eq_ignore_ascii_case(b"chunked") => {
                self.coding = true
            }
            "transfer-encoding" => return Err(malformed("its transfer coding is not chunked")),
            "keep-alive" | "proxy-connection" | "proxy-authenticate" | "upgrade" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn option(&mut self, option: &[u8]) {
        if option.eq_ignore_ascii_case(b"close") {
            self.closes = true;
        } else if !option.eq_ignore_ascii_case(b"keep-alive") {
            self.listed.extend(HeaderName::from_bytes(option));
        }
    }
}

/// RFC 9112, 6.3, without its leniencies: an answer that could be read in two ways is refused.
fn framing(
    method: &Method,
    status: StatusCode,
    chunked: bool,
    fields: &HeaderMap,
    keep: bool,
) -> Result<(Framing, bool), ExchangeError> {
    let length = length(fields)?;
    if *method == Method::HEAD || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
        return Ok((Framing::Ended, keep));
    }
    match (chunked, length) {
        (true, Some(_)) => Err(malformed("it has both Transfer-Encoding and Content-Length")),
        (true, None) => Ok((Framing::Chunked(Chunk::Size), keep)),
        (false, Some(0)) => Ok((Framing::Ended, keep)),
        (false, Some(length)) => Ok((Framing::Length(length), keep)),
        (false, None) => Ok((Framing::Close, false)),
    }
}

/// The one length that all `Content-Length` fields name.
fn length(fields: &HeaderMap) -> Result<Option<u64>, ExchangeError> {
    let mut found = None;
    for value in fields.get_all(CONTENT_LENGTH) {
        let digits = value.as_bytes();
        let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let length = value.to_str().ok().filter(|_| plain).and_then(|text| text.parse::<u64>().ok());
        let length = length.ok_or_else(|| malformed("its Content-Length is no number"))?;
        if found.is_some_and(|first| first != length) {
            return Err(malformed("it has two lengths"));
        }
        found = Some(length);
    }
    Ok(found)
}

/// Takes the next piece of a body out of the buffer; `None` when more bytes are needed.
pub(super) fn piece(buffer: &mut BytesMut, framing: &mut Framing) -> Result<Option<Piece>, ExchangeError> {
    match framing {
        Framing::Ended => Ok(Some(Piece::End)),
        Framing::Length(_) | Framing::Close if buffer.is_empty() => Ok(None),
        Framing::Close => Ok(Some(Piece::Data(buffer.split().freeze()))),
        Framing::Length(left) => {
            let data = take(buffer, left);
            if *left == 0 {
                *framing = Framing::Ended;
            }
            Ok(Some(Piece::Data(data)))
        }
        Framing::Chunked(_) => chunked(buffer, framing),
    }
}

fn chunked(buffer: &mut BytesMut, framing: &mut Framing) -> Result<Option<Piece>, ExchangeError> {
    loop {
        let Framing::Chunked(chunk) = framing else { return Ok(Some(Piece::End)) };
        match chunk {
            Chunk::Size => match httparse::parse_chunk_size(buffer) {
                Ok(Status::Complete((length, size))) => {
                    let _ = buffer.split_to(length);
                    *chunk = if size == 0 { Chunk::Trailers } else { Chunk::Data(size) };
                }
                Ok(Status::Partial) if buffer.len() <= MOST_BYTES => return Ok(None),
                _ => return Err(malformed("a chunk's size does not parse")),
            },
            Chunk::Data(_) if buffer.is_empty() => return Ok(None),
            Chunk::Data(left) => {
                let data = take(buffer, left);
                if *left == 0 {
                    *chunk = Chunk::LineEnd;
                }
                return Ok(Some(Piece::Data(data)));
            }
            Chunk::LineEnd => match buffer.get(..2) {
                None => return Ok(None),
                Some(b"\r\n") => {
                    let _ = buffer.split_to(2);
                    *chunk = Chunk::Size;
                }
                Some(_) => return Err(malformed("a chunk is longer than its size")),
            },
            Chunk::Trailers => return trailers(buffer, framing),
        }
    }
}

fn trailers(buffer: &mut BytesMut, framing: &mut Framing) -> Result<Option<Piece>, ExchangeError> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut spans = [[0; 4]; MOST_FIELDS];
    let (length, count) = match httparse::parse_headers(buffer, &mut headers) {
        Ok(Status::Complete((length, parsed))) => {
            note(&mut spans, buffer, parsed);
            (length, parsed.len())
        }
        Ok(Status::Partial) if buffer.len() <= MOST_BYTES => return Ok(None),
        _ => return Err(malformed("its trailer section does not parse")),
    };
    let (fields, _) = Memory::default().read(&buffer.split_to(length).freeze(), &spans[..count])?;
    *framing = Framing::Ended;
    Ok(Some(if fields.is_empty() { Piece::End } else { Piece::Trailers(fields) }))
}

/// Up to `left` bytes of what there is.
fn take(buffer: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= length as u64;
    buffer.split_to(length).freeze()
}

fn malformed(why: &'static str) -> ExchangeError {
    ExchangeError::Malformed(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads an answer that comes in pieces of `size` bytes: status, body, trailers, and whether the connection is kept.
    fn read(text: &str, method: &Method, size: usize) -> Result<(u16, String, usize, bool), ExchangeError> {
        let mut buffer = BytesMut::new();
        let mut pieces = text.as_bytes().chunks(size);
        let mut more = |buffer: &mut BytesMut| pieces.next().map(|piece| buffer.extend_from_slice(piece));
        let mut answered = loop {
            match head(&mut buffer, method, &mut Memory::default())? {
                Some(answered) => break answered,
                None => more(&mut buffer).ok_or(ExchangeError::Closed)?,
            }
        };
        let (mut body, mut trailers) = (Vec::new(), 0);
        loop {
            match piece(&mut buffer, &mut answered.framing)? {
                Some(Piece::Data(data)) => body.extend_from_slice(&data),
                Some(Piece::Trailers(fields)) => trailers = fields.len(),
                Some(Piece::End) => break,
                None => match more(&mut buffer) {
                    Some(()) => {}
                    None if answered.framing == Framing::Close => break,
                    None => return Err(ExchangeError::Closed),
                },
            }
        }
        let status = answered.response.status().as_u16();
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
