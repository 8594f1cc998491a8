//! Chunked bodies: the same however they are cut, the same to a plain reader, and the same when they are written again.
//! An input is a byte that says how to cut, and the body.

use super::pieces;
use bytes::BytesMut;
use http::HeaderMap;
use portcullis::wire::{Chunk, Coding, Framing, Piece, piece};

pub(crate) fn check(data: &[u8]) {
    let Some((&cut, body)) = data.split_first() else { return };
    let whole = read(1, body);
    for cut in [0, cut] {
        assert_eq!(read(cut, body), whole, "cut by {cut}");
    }
    assert_eq!(whole.as_ref().map(|(data, _)| &data[..]), plain(body).as_deref());
    let Some((body, trailers)) = whole else { return };
    let mut again = Vec::new();
    Coding::Chunked.data(&mut again, &body);
    Coding::Chunked.end(&mut again, Some(&trailers));
    assert_eq!(read(cut, &again), Some((body, trailers)), "written again");
}

/// Data and trailers of a body that comes in pieces; `None` where it is refused or does not end.
fn read(cut: u8, body: &[u8]) -> Option<(Vec<u8>, HeaderMap)> {
    let (mut buffer, mut framing) = (BytesMut::new(), Framing::Chunked(Chunk::Size));
    let (mut data, mut pieces) = (Vec::new(), pieces(cut, body));
    loop {
        match piece(&mut buffer, &mut framing).ok()? {
            Some(Piece::Data(more)) => data.extend_from_slice(&more),
            Some(Piece::Trailers(trailers)) => return Some((data, trailers)),
            Some(Piece::End) => return Some((data, HeaderMap::new())),
            None => buffer.extend_from_slice(pieces.next()?),
        }
    }
}

/// The same as RFC 9112, 7.1 has it, with all bytes there at once.
fn plain(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let line = line(&mut rest).filter(|line| line.len() <= 4096)?;
        let (size, extension) =
            line.split_at(line.iter().position(|&b| b" \t;".contains(&b)).unwrap_or(line.len()));
        let extension = extension.trim_ascii_start();
        let sound = extension.is_empty() || extension.starts_with(b";");
        if !sound || size.is_empty() || size.len() > 16 || !size.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()?;
        if size == 0 {
            break;
        }
        let (chunk, behind) = rest.split_at_checked(size)?;
        data.extend_from_slice(chunk);
        rest = behind.strip_prefix(b"\r\n")?;
    }
    let mut fields = 0;
    loop {
        let line = line(&mut rest)?;
        if line.is_empty() {
            return (fields <= 100).then_some(data);
        }
        let (name, _) = line.split_at(line.iter().position(|&byte| byte == b':')?);
        let token = |&byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.iter().all(token) {
            return None;
        }
        fields += 1;
    }
}

/// Takes a line that ends in CRLF and has no other control character than tabs.
fn line<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &rest[..end];
    *rest = &rest[end + 2..];
    (!line.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t')).then_some(line)
}
