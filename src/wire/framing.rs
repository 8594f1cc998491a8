//! Where a body ends (RFC 9112, 6 and 7), read and written.

use super::{Error, MOST_FIELDS, write_field};
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use httparse::Status;

/// Most bytes of a chunk's size line, its extensions included.
const MOST_LINE: usize = 4 * 1024;
/// Most digits of a chunk's size; with leading zeros, some servers would read other ones.
const MOST_DIGITS: usize = 16;
/// Most bytes of a trailer section.
const MOST_TRAILERS: usize = 16 * 1024;

/// How a body that is read is delimited, and how far it has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
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
pub enum Chunk {
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
pub enum Piece {
    /// Bytes of it.
    Data(Bytes),
    /// Its trailers; nothing follows.
    Trailers(HeaderMap),
    /// Its end.
    End,
}

impl Framing {
    /// Bytes that are still to come, where that is known.
    pub fn remaining(self) -> Option<u64> {
        match self {
            Self::Ended => Some(0),
            Self::Length(left) => Some(left),
            Self::Chunked(_) | Self::Close => None,
        }
    }
}

/// Takes the next piece of a body out of the buffer; `None` when more bytes are needed.
///
/// # Errors
/// [`Error::Malformed`]
pub fn piece(buffer: &mut BytesMut, framing: &mut Framing) -> Result<Option<Piece>, Error> {
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

fn chunked(buffer: &mut BytesMut, framing: &mut Framing) -> Result<Option<Piece>, Error> {
    loop {
        let Framing::Chunked(chunk) = framing else { return Ok(Some(Piece::End)) };
        match chunk {
            Chunk::Size => match size_line(buffer)? {
                None => return Ok(None),
                Some((length, size)) => {
                    buffer.advance(length);
                    *chunk = if size == 0 { Chunk::Trailers } else { Chunk::Data(size) };
                }
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
                    buffer.advance(2);
                    *chunk = Chunk::Size;
                }
                Some(_) => return Err(Error::Malformed("a chunk is longer than its size")),
            },
            Chunk::Trailers => return trailers(buffer, framing),
        }
    }
}

/// Length of the size line with its end, and the size; `None` when it is not complete. Extensions are passed over, but
/// no line end but CRLF is taken for one, no control character for blank, and no more digits than a size can have:
/// servers that differ there can be led to see different messages.
fn size_line(buffer: &[u8]) -> Result<Option<(usize, u64)>, Error> {
    let malformed = Error::Malformed("a chunk's size does not parse");
    let Some(end) = memchr::memchr2(b'\r', b'\n', buffer) else {
        return if buffer.len() > MOST_LINE { Err(malformed) } else { Ok(None) };
    };
    match buffer.get(end..end + 2) {
        None if buffer[end] == b'\r' => return Ok(None),
        Some(b"\r\n") if end <= MOST_LINE => {}
        _ => return Err(malformed),
    }
    let line = &buffer[..end];
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let blanks = line[digits..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = &line[digits + blanks..];
    let is_extension = rest.starts_with(b";") && !rest.iter().any(|&byte| is_control(byte));
    let digits = std::str::from_utf8(&line[..digits]).ok().filter(|digits| digits.len() <= MOST_DIGITS);
    match digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()) {
        Some(size) if rest.is_empty() || is_extension => Ok(Some((end + 2, size))),
        _ => Err(malformed),
    }
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}

fn trailers(buffer: &mut BytesMut, framing: &mut Framing) -> Result<Option<Piece>, Error> {
    let malformed = || Error::Malformed("its trailer section does not parse");
    let mut headers = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut fields = HeaderMap::new();
    let length = match httparse::parse_headers(buffer, &mut headers) {
        Ok(Status::Complete((length, parsed))) if length <= MOST_TRAILERS => {
            for field in parsed {
                let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| malformed())?;
                fields.append(name, HeaderValue::from_bytes(field.value).map_err(|_| malformed())?);
            }
            length
        }
        Ok(Status::Partial) if buffer.len() <= MOST_TRAILERS => return Ok(None),
        _ => return Err(malformed()),
    };
    // As strict as with the size lines, and for the same reason.
    if !memchr::memchr_iter(b'\n', &buffer[..length]).all(|at| at > 0 && buffer[at - 1] == b'\r') {
        return Err(malformed());
    }
    buffer.advance(length);
    release(buffer);
    *framing = Framing::Ended;
    Ok(Some(if fields.is_empty() { Piece::End } else { Piece::Trailers(fields) }))
}

/// Up to `left` bytes of what there is.
fn take(buffer: &mut BytesMut, left: &mut u64) -> Bytes {
    let length = buffer.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    *left -= length as u64;
    let data = buffer.split_to(length).freeze();
    release(buffer);
    data
}

/// Lets go of the memory that an empty buffer was cut from.
pub fn release(buffer: &mut BytesMut) {
    if buffer.is_empty() {
        *buffer = BytesMut::new();
    }
}

/// How a body that is written is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// By its length, which is told before, or by the connection's end.
    Plain,
    /// By chunks.
    Chunked,
}

impl Coding {
    /// Writes what stands before a piece of `length` bytes; an empty piece must not be written, because it would end
    /// the body.
    pub fn open(self, out: &mut Vec<u8>, length: usize) {
        if self == Self::Chunked {
            out.extend_from_slice(format!("{length:x}\r\n").as_bytes());
        }
    }

    /// Writes what stands behind a piece.
    pub fn close(self, out: &mut Vec<u8>) {
        if self == Self::Chunked {
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes a whole piece.
    pub fn data(self, out: &mut Vec<u8>, data: &[u8]) {
        if !data.is_empty() {
            self.open(out, data.len());
            out.extend_from_slice(data);
            self.close(out);
        }
    }

    /// Writes a body's end, with its trailers.
    pub fn end(self, out: &mut Vec<u8>, trailers: Option<&HeaderMap>) {
        if self == Self::Plain {
            return;
        }
        out.extend_from_slice(b"0\r\n");
        for (name, value) in trailers.into_iter().flatten() {
            write_field(out, name, value.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_line_is_hexadecimal_and_ends_with_crlf() {
        let read = |text: &str| size_line(text.as_bytes()).ok();
        assert_eq!(read("0\r\n"), Some(Some((3, 0))));
        assert_eq!(read("fF\r\nrest"), Some(Some((4, 255))));
        assert_eq!(read("a;name=value\r\n"), Some(Some((14, 10))));
        assert_eq!(read("a \t;x\r\n"), Some(Some((7, 10))));
        for partial in ["", "1", "1f", "1\r", "1;x=y"] {
            assert_eq!(read(partial), Some(None), "{partial:?}");
        }
        let long = "1;".to_owned() + &"x".repeat(MOST_LINE + 1);
        for bad in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "+1\r\n",
            "0x1\r\n",
            "1\n",
            "1\rx",
            "1;x\ny\r\n",
            "1 2\r\n",
            "1;\0\r\n",
            "1\x0b;x\r\n",
            "00000000000000001\r\n",
            &long,
        ] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(read("11111111111111111\r\n"), None);
    }
}
