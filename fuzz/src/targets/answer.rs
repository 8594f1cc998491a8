//! Heads of a backend's answers: what goes on line by line is what goes on field by field, and none of it was for this hop.

use bytes::BytesMut;
use http::Method;
use portcullis::upstream::h1::fuzzing::{Answer, answer};
use portcullis::wire::{Framing, Scratch};

pub(crate) fn check(data: &[u8]) {
    for method in [Method::GET, Method::HEAD] {
        let Some((fields, length)) = read(data, &method, false) else {
            assert!(read(data, &method, true).is_none(), "only one of the two ways takes it");
            continue;
        };
        let (lines, same) = read(data, &method, true).expect("both ways take it");
        assert_eq!(length, same, "both ways take as much");
        assert_eq!((fields.status, fields.framing, fields.keep), (lines.status, lines.framing, lines.keep));
        assert!(read(&data[..length - 1], &method, true).is_none(), "it was complete before its end");
        for hop in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
            assert!(!fields.fields.contains_key(hop) || fields.status == 101, "{hop} goes on");
        }
        if method == Method::HEAD {
            assert_eq!(fields.framing, Framing::Ended);
        }
        agree(&fields, &lines);
    }
}

/// Reads a head, and says how much of the input it was; `None` where it is refused or not complete.
fn read(data: &[u8], method: &Method, as_lines: bool) -> Option<(Answer, usize)> {
    let mut buffer = BytesMut::from(data);
    let answer = answer(&mut buffer, method, as_lines, &Scratch::default()).ok().flatten()?;
    Some((answer, data.len() - buffer.len()))
}

fn agree(fields: &Answer, lines: &Answer) {
    let Some(text) = &lines.lines else {
        return assert_eq!(fields.fields, lines.fields);
    };
    let mut plain: Vec<(String, Vec<u8>)> = Vec::new();
    for line in text.split(|&byte| byte == b'\n').skip(1).filter(|line| !line.is_empty()) {
        let line = line.strip_suffix(b"\r").expect("each line ends in CRLF");
        let at = line.iter().position(|&byte| byte == b':').expect("a colon");
        let name = String::from_utf8_lossy(&line[..at]).to_ascii_lowercase();
        plain.push((name, line[at + 1..].trim_ascii().to_vec()));
    }
    // The length is told by whoever writes the head.
    let counts = |name: &str| name != "content-length";
    let ours = fields.fields.iter().filter(|(name, _)| counts(name.as_str()));
    let mut ours: Vec<_> = ours.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
    plain.retain(|(name, _)| counts(name));
    // A map keeps the order of one name's values alone.
    ours.sort_by(|one, other| one.0.cmp(&other.0));
    plain.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(ours, plain);
}
